"""A fresh read of one customer, as it was asked for: what is to be read, and what is answered. Pure.

Whoever asks needs the customer's open invoices, the invoices named that are open no longer, its subscriptions, and
whether it still exists. Ages and `read_at` go by the machine's time: freshness is real time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from schemas.subjects import stripe_subject
from services.poller.budget import Spent
from services.poller.kinds import OBJECTS, Kind
from services.poller.publishing.changes import Known, Seen
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.queries import Query

Read = Literal["unchanged", "changed", "deleted"]

TOO_OLD = timedelta(hours=1)
"""A request that nobody got to for so long is not read any more: who made it has long asked again."""
PATIENCE = timedelta(seconds=30)
"""How long a request waits for a connection that is to be tried again then."""
LEAST_READS = 2
"""What a fresh read costs at least: two lists."""
NEEDED: tuple[Kind, ...] = ("subscription", "invoice")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is not answered yet. `requested_at` is domain time, `asked_at` the machine's."""

    request_id: str
    workspace_id: str
    connection_id: str
    customer_id: str
    invoice_ids: tuple[str, ...]
    requested_at: datetime
    asked_at: datetime
    reason: str

    @property
    def subject(self) -> str:
        return stripe_subject(self.connection_id, self.customer_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one request. `versions` are those that the read left in the log, by object."""

    asked: Asked
    read_at: datetime
    outcome: Read | Literal["unreadable"]
    reason: str | None = None
    versions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One read that answers every request about a customer that is there when it begins."""

    customer_id: str
    invoice_ids: tuple[str, ...]
    requests: tuple[Asked, ...]

    @property
    def subject(self) -> str:
        return self.requests[0].subject

    def answers(self, *, read_at: datetime, outcome: Read, versions: dict[str, int]) -> tuple[Answer, ...]:
        return tuple(Answer(asked, read_at, outcome, None, versions) for asked in self.requests)


def by_customer(asked: Iterable[Asked]) -> tuple[Wanted, ...]:
    """The reads that answer these, in the order in which their customers were first asked about."""
    found: dict[str, list[Asked]] = {}
    for one in asked:
        found.setdefault(one.customer_id, []).append(one)
    return tuple(
        Wanted(customer_id, tuple(dict.fromkeys(i for one in requests for i in one.invoice_ids)), tuple(requests))
        for customer_id, requests in found.items()
    )


def unreadable(asked: Iterable[Asked], reason: str, *, read_at: datetime) -> tuple[Answer, ...]:
    """The same refusal to all of these."""
    return tuple(Answer(one, read_at, "unreadable", reason) for one in asked)


def why_not_read(phase: str | None, said: str | None, *, age: timedelta) -> str:
    """Why a request is not read at all: `phase` of its connection (None: there is none in that workspace), what the
    connection's card says, and how old the request is."""
    if age > TOO_OLD:
        return f"the request was {int(age.total_seconds() // 60)} minutes old when it could be looked at"
    match phase:
        case None | "ended":
            return "there is no such connection, or it was disconnected"
        case "validating" | "first_minute":
            return "the account is still being read for the first time"
        case "stopped":
            return f"the connection is stopped: {said or 'it needs another key'}"
        case _:
            return f"Stripe cannot be read at the moment: {said or 'it is tried again soon'}"


def missing_permission(found: Capabilities) -> str | None:
    """Why a key that lacks a permission cannot answer; None where it can."""
    missing = [OBJECTS[kind].permission for kind in NEEDED if not found.can_read(kind)]
    return f"the key lacks the permission “{missing[0]}: Read”" if missing else None


def used_up(spent: Spent | None) -> str:
    """Why nothing is read once the day's fresh reads are used up; `spent` as the meter says it of all single things."""
    if spent is None or not spent.of_window:
        return "today's reads of single things are used up; more are allowed tomorrow"
    return (
        "today's fresh reads are used up: a few are allowed again tomorrow, and as many as usual from"
        f" {spent.until:%-d %B}, since the reads of 30 days are spent until then"
    )


def lists_of(customer_id: str, found: Capabilities) -> tuple[Query, ...]:
    """The customer's subscriptions, whatever their status, and then its open invoices: these are what money hangs on,
    so they are the fresher ones."""
    return (
        found.query("subscription", filters={"customer": customer_id, "status": "all"}),
        found.query("invoice", filters={"customer": customer_id, "status": "open"}),
    )


def still_to_read(wanted: Wanted, seen: Iterable[Seen], found: Capabilities) -> tuple[tuple[Kind, str], ...]:
    """What the lists lacked: invoices that were named, and the customer where no subscription brought it along."""
    ids = {one.object.id for one in seen}
    customer: list[tuple[Kind, str]] = [("customer", wanted.customer_id)] if found.can_read("customer") else []
    invoices: list[tuple[Kind, str]] = [("invoice", invoice_id) for invoice_id in wanted.invoice_ids]
    return tuple((kind, object_id) for kind, object_id in customer + invoices if object_id not in ids)


def is_gone(customer_id: str, seen: Iterable[Seen]) -> bool:
    """Whether the read showed that the customer was deleted."""
    return any(one.object.id == customer_id and one.object.deleted for one in seen)


def conclude(wanted: Wanted, known: dict[str, Known], *, gone: bool, since: int) -> tuple[Read, dict[str, int]]:
    """(outcome, versions) of a read that began at version `since`; `known` are the objects it read, as they stand.

    Only what is on the customer's own subject counts: who asked waits until these versions arrive there.
    """
    versions = {object_id: one.version for object_id, one in known.items() if one.subject == wanted.subject}
    if gone:
        return "deleted", versions
    return "changed" if any(version >= since for version in versions.values()) else "unchanged", versions
