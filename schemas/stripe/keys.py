"""Which Stripe keys are accepted, what a person is told of the others, and where a better one is made.

The decision is by prefix alone, since the length of Stripe's keys changes. What is returned never holds the key,
but for the last four characters of an accepted one. The console asks before it seals a key, the poller after it
opened one.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

KeyKind = Literal["restricted", "secret"]

_ACCEPTED = re.compile(r"(?P<prefix>(?P<kind>rk|sk)_(?P<mode>live|test)_)(?P<rest>[A-Za-z0-9_]+)")
_HINT_CHARACTERS = 4
_SHORTEST_HINTED = 12
_LONGEST = 4096
"""What a header of a request can carry; no rule about keys."""
_QUOTES = "\"'`“”‘’„«»"
_NAMED = re.compile(r"^(?:(?:export\s+)?[a-z_][a-z0-9_]*\s*[=:]\s*)?(?:bearer\s+)?", re.IGNORECASE)
"""What stands before a key where it was copied from a settings file or a request."""

MAKE_RESTRICTED = "Create a restricted key in Stripe, under Developers → API keys, and paste that one."
FULL_ACCESS_WARNING = (
    "This is a secret key: it can do anything in your Stripe account. DropFix only ever reads, and works with it, but "
    "a restricted key is safer. Replace it when you can."
)
READS = ("customer", "subscription", "invoice", "charge", "payment_intent")
"""The five permissions of a key for DropFix, as `rak_{}_read` in Stripe's terms."""


def create_key_url(*, test: bool, disputes: bool = False) -> str:
    """Stripe's page for a new restricted key, with its name and permissions filled in."""
    wanted = (*READS, "dispute") if disputes else READS
    query = [("name", "DropFix"), *((f"permissions[{at}]", f"rak_{read}_read") for at, read in enumerate(wanted))]
    return f"https://dashboard.stripe.com/{'test/' if test else ''}apikeys/create?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class AcceptedKey:
    """A key worth trying. `hint` shows its prefix and last four characters, nothing else."""

    kind: KeyKind
    livemode: bool
    hint: str
    warning: str | None


@dataclass(frozen=True, slots=True)
class RefusedKey:
    """A key that cannot work: `reason` in plain words, `remedy` what to do instead."""

    code: str
    reason: str
    remedy: str


_REFUSALS: tuple[tuple[str, RefusedKey], ...] = (
    (
        "pk_",
        RefusedKey(
            "publishable_key",
            "That is a publishable key. It is made for web pages and cannot read your customers or payments.",
            MAKE_RESTRICTED,
        ),
    ),
    (
        "whsec_",
        RefusedKey(
            "webhook_secret",
            "That is a webhook signing secret. It proves where webhooks come from and cannot read anything.",
            f"DropFix needs no webhook. {MAKE_RESTRICTED}",
        ),
    ),
    (
        "sk_org_",
        RefusedKey(
            "organization_key",
            "That is an organization key. It spans several Stripe accounts, and DropFix watches one account at a time.",
            "Open the one account you want to watch and create a restricted key there.",
        ),
    ),
    (
        "rkcs_",
        RefusedKey(
            "sandbox_claim_key",
            "That key belongs to a temporary sandbox made by Stripe’s command line. It expires within days.",
            "Claim the sandbox in Stripe first, then create a restricted key in it.",
        ),
    ),
    (
        "acct_",
        RefusedKey(
            "account_id",
            "That is the id of a Stripe account, not a key.",
            MAKE_RESTRICTED,
        ),
    ),
)

_EMPTY = RefusedKey("no_key", "There is no key yet.", "Paste the restricted key that Stripe showed you.")
_MASKED = RefusedKey(
    "masked_key",
    "That is the shortened form in which Stripe lists a key, not the key itself.",
    "Stripe shows a live key only once, when it is created. Create a new restricted key and copy it whole.",
)
_PREFIX_ONLY = RefusedKey(
    "incomplete_key",
    "That starts like a Stripe key but is not a whole one: something is missing, or something else was copied with it.",
    "Copy the key again, whole and by itself: letters, digits and underscores, no spaces.",
)
_UNKNOWN = RefusedKey(
    "not_a_key",
    "That does not look like a Stripe key.",
    "A restricted key starts with rk_live_ or rk_test_. " + MAKE_RESTRICTED,
)


def assess_key(pasted: str) -> tuple[str, AcceptedKey] | RefusedKey:
    """The trimmed key and what it is, or why it is refused. Says nothing of whether Stripe still knows the key."""
    key = _trimmed(pasted)
    if not key:
        return _EMPTY
    for prefix, refusal in _REFUSALS:
        if key.startswith(prefix):
            return refusal
    if not key.startswith(("rk_", "sk_")):
        return _UNKNOWN
    if any(mask in key for mask in ("…", "...", "*", "•")):
        return _MASKED
    match = _ACCEPTED.fullmatch(key)
    if match is None or len(key) > _LONGEST:
        return _PREFIX_ONLY
    kind: KeyKind = "restricted" if match["kind"] == "rk" else "secret"
    hint = f"{match['prefix']}…"
    if len(match["rest"]) >= _SHORTEST_HINTED:
        hint += key[-_HINT_CHARACTERS:]
    return key, AcceptedKey(
        kind=kind,
        livemode=match["mode"] == "live",
        hint=hint,
        warning=FULL_ACCESS_WARNING if kind == "secret" else None,
    )


def _trimmed(pasted: str) -> str:
    """Without what comes along when a key is copied: space and quotation marks around it, a name before it, and
    characters nobody sees, breaks of a wrapped line among them."""
    seen = "".join(each for each in pasted.strip() if unicodedata.category(each) not in {"Cc", "Cf"})
    return _NAMED.sub("", seen.strip(_QUOTES + " "), count=1).strip().strip(_QUOTES).strip()
