"""What the Stripe card says of a connection: where it stands, what is missing, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from schemas.stripe.keys import FULL_ACCESS_WARNING, create_key_url
from services.console.model import Status, Watched

Tone = Literal["calm", "busy", "good", "bad"]
Phase = Literal["waiting", "no_poller", "validating", "refused", "first_minute", "syncing", "live", "stopped"]

ANSWER_WITHIN = timedelta(seconds=5)
"""How long a poller that runs may take to answer (machine time)."""
OVERDUE_AFTER = timedelta(minutes=15)
"""How late a poll may be before the card doubts that a poller runs (domain time)."""
LEFT_ALONE_AT_MOST = timedelta(minutes=75)
"""How long a poller that fails may say nothing new: an hour where Stripe asked to be left alone, and then a try."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One resource the key should read: its name in Stripe, and what does not work without it."""

    resource: str
    label: str
    gives: str
    without: str
    optional: bool = False


PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        "customers",
        "Customers",
        "Who they are, and how many",
        "Customers stay nameless: no names, e-mail addresses or total.",
    ),
    Permission(
        "subscriptions",
        "Subscriptions",
        "MRR, trials, cancellations",
        "No MRR, no trial dates, and nobody notices a lapsed subscription.",
    ),
    Permission(
        "invoices",
        "Invoices",
        "What is due, and what failed",
        "Failed payments cannot be told from paid ones, and discounts in MRR are estimated.",
    ),
    Permission(
        "charges",
        "Charges",
        "Why a payment failed",
        "A failed attempt is seen late, and without the bank’s reason.",
    ),
    Permission(
        "payment_intents",
        "Payment Intents",
        "Payments that wait for the customer",
        "A payment that waits for the customer’s bank to confirm it goes unnoticed.",
    ),
    Permission("disputes", "Disputes", "Chargebacks", "You get no warning when a customer disputes a charge.", True),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission and whether the key has it."""

    permission: Permission
    state: Literal["granted", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the first read. `total` is None where it is not known yet."""

    label: str
    done: int
    total: int | None

    @property
    def complete(self) -> bool:
        return self.total is not None and self.done >= self.total


@dataclass(frozen=True, slots=True)
class Card:
    """Everything the card shows. `headline` and `note` are for people; `safer_key_url` is where a restricted key is
    made, where the one in use is a secret key."""

    connection_id: str
    phase: Phase
    tone: Tone
    headline: str
    note: str
    remedy: str
    key_hint: str
    livemode: bool
    account: str | None
    warnings: tuple[str, ...]
    safer_key_url: str | None
    grants: tuple[Grant, ...]
    steps: tuple[Step, ...]
    percent: int | None
    status: Status | None

    @property
    def missing(self) -> list[Permission]:
        """What the key may not read and should."""
        return [permission for permission in _missing(self.grants) if not permission.optional]

    @property
    def offered(self) -> list[Permission]:
        """What the key may not read and need not."""
        return [permission for permission in _missing(self.grants) if permission.optional]

    @property
    def wants_key(self) -> bool:
        """Whether the way on is another key."""
        return self.phase in {"refused", "stopped"}


_HEADLINES: Mapping[Phase, tuple[Tone, str, str]] = {
    "waiting": ("busy", "Handing the key over", "The key is sealed. The poller is about to try it."),
    "no_poller": (
        "bad",
        "No poller is running",
        "The key is stored, sealed. It will be used as soon as a poller runs.",
    ),
    "validating": ("busy", "Checking the key", "One call to Stripe, then one for each permission."),
    "refused": ("bad", "This key cannot be used", ""),
    "first_minute": ("busy", "Reading your account", "Failed payments and lapsed subscriptions come first."),
    "syncing": ("busy", "Filling in the history", "Your figures are there. The last 90 days follow."),
    "live": ("good", "Connected", ""),
    "stopped": ("bad", "Reading has stopped", ""),
}
_TRIED_AGAIN = "It is tried again by itself; another key takes its place, or Disconnect removes it."
_FIGURES_STAND = "It is tried again by itself; until then the figures are those of the last poll."
_START_A_POLLER = "Start one with “dropfix service poller”, or look at its logs if it should be running."

_STEPS: tuple[tuple[str, str], ...] = (
    ("customers", "Customers"),
    ("failed_payments", "Failed payments, 30 days"),
    ("lapsed", "Lapsed subscriptions, 30 days"),
    ("subscriptions", "Subscriptions"),
    ("invoices", "Invoices, 90 days"),
    ("charges", "Charges, 90 days"),
    ("payment_intents", "Payment intents, 90 days"),
)


def card_of(watched: Watched, *, machine_now: datetime, now: datetime) -> Card:
    """The card of one connection; `now` is domain time, `machine_now` the machine's."""
    status = watched.status
    phase = _phase(watched, machine_now)
    tone, headline, note = _HEADLINES[phase]
    remedy = _START_A_POLLER if phase == "no_poller" else ""
    if status is not None:
        note, remedy = status.reason or note, status.remedy or remedy
        if phase == "validating" and status.reason:
            tone, headline = "bad", "The key could not be checked yet"
            remedy = f"{remedy} {_TRIED_AGAIN}".strip()
        if phase == "refused" and status.permissions:
            headline = "This key may not read anything yet"
        if phase == "live" and _failing(status, now):
            tone, headline = "bad", "Stripe cannot be read at the moment"
            remedy = f"{remedy} {_FIGURES_STAND}".strip()
        elif phase == "live" and status.next_poll_at and now - status.next_poll_at > OVERDUE_AFTER:
            tone, headline = "bad", "Polling has stopped"
            note, remedy = "A poll is overdue, so the figures may be old.", _START_A_POLLER
    return Card(
        connection_id=watched.connection.connection_id,
        phase=phase,
        tone=tone,
        headline=headline,
        note=note,
        remedy=remedy,
        key_hint=watched.connection.key_hint,
        livemode=watched.livemode,
        account=(status.account_name or status.account_id) if status else None,
        warnings=_warnings(watched),
        safer_key_url=create_key_url(test=not watched.livemode) if watched.connection.key_kind == "secret" else None,
        grants=_grants(status),
        steps=_steps(status) if phase in {"first_minute", "syncing"} else (),
        percent=_whole(status.progress.get("percent")) if status else None,
        status=status,
    )


def _failing(status: Status, now: datetime) -> bool:
    """Whether a poller that is there says that its last try failed."""
    told = status.updated_at
    return status.last_error is not None and told is not None and now - told <= LEFT_ALONE_AT_MOST


def _missing(grants: tuple[Grant, ...]) -> list[Permission]:
    return [grant.permission for grant in grants if grant.state == "missing"]


def _phase(watched: Watched, machine_now: datetime) -> Phase:
    if watched.status is None:
        waited = machine_now - watched.connection.submitted_at
        return "no_poller" if waited >= ANSWER_WITHIN else "waiting"
    match watched.status.state:
        case "validating" | "refused" | "first_minute" | "syncing" | "live" | "stopped" as phase:
            return phase
        case _:
            return "waiting"


def _warnings(watched: Watched) -> tuple[str, ...]:
    told = [f"“{permission.label}: Read”" for permission in _missing(_grants(watched.status))]
    said = tuple(
        warning
        for warning in (watched.status.warnings if watched.status else ())
        if not any(name in warning for name in told)  # the list of missing permissions says these
    )
    if watched.connection.key_kind == "secret" and not any("secret key" in warning for warning in said):
        return FULL_ACCESS_WARNING, *said
    return said


def _grants(status: Status | None) -> tuple[Grant, ...]:
    known = status.permissions if status else {}
    return tuple(Grant(permission, _grant(known, permission.resource)) for permission in PERMISSIONS)


def _grant(known: Mapping[str, str], resource: str) -> Literal["granted", "missing", "unknown"]:
    match known.get(resource, known.get(resource.removesuffix("s"))):
        case "granted" | "missing" as state:
            return state
        case _:
            return "unknown"


def _steps(status: Status | None) -> tuple[Step, ...]:
    progress = status.progress if status else {}
    found = ((label, progress.get(name)) for name, label in _STEPS)
    return tuple(_step(label, counts) for label, counts in found if isinstance(counts, Mapping))


def _step(label: str, counts: Mapping[str, Any]) -> Step:
    return Step(label, _whole(counts.get("done")) or 0, _whole(counts.get("total")))


def _whole(number: object) -> int | None:
    return int(number) if isinstance(number, int | float) else None
