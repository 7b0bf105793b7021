"""Stripe keys: which kinds may be used, as far as their text tells. Pure; a key is never part of a message."""

import re
from dataclasses import dataclass

_USABLE = re.compile(r"^(rk|sk)_(live|test)_[A-Za-z0-9_]+$")
_SANDBOX = re.compile(r"^rkcs_test_[A-Za-z0-9_]+$")
_REFUSED = (
    ("pk_", "This is a publishable key: it cannot read anything."),
    ("whsec_", "This is a webhook signing secret, not an API key."),
    ("sk_org_", "This is an organization key; connect each account with a restricted key of its own."),
)


@dataclass(frozen=True, slots=True)
class KeyKind:
    """A key that may be used: whether it is restricted, and its mode."""

    restricted: bool
    livemode: bool


def kind_of_key(key: str) -> KeyKind | None:
    """What a key is, None where it may not be used; its length is never checked."""
    if _SANDBOX.match(key):
        return KeyKind(restricted=True, livemode=False)
    found = _USABLE.match(key)
    if found is None or key.startswith("sk_org_"):
        return None
    return KeyKind(restricted=found[1] == "rk", livemode=found[2] == "live")


def why_refused(key: str) -> str:
    """Why a key may not be used, in a sentence."""
    for prefix, reason in _REFUSED:
        if key.startswith(prefix):
            return reason
    return "This is not a Stripe key: a restricted key starts with rk_live_ or rk_test_."
