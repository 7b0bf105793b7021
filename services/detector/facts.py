"""What is known of a subject: a set of facts in canonical form, whatever order they came in.

Everything here is merged so that order, batching and repeats do not matter: the newest version of what can change,
the first or the last version of what showed something, and flags that only ever rise. Nothing is ever subtracted.
Times are Unix seconds, `observed_at` Unix microseconds; amounts are minor units of the object's currency.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeVar

import msgspec

from schemas.catalogue import RAW_TOPICS
from services.detector.identity import CustomerSaid

Kind = Literal["customer", "subscription", "invoice", "charge", "payment_intent"]
Standing = Literal["counting", "lapsed", "other"]

TOPIC_OF: dict[Kind, str] = {
    "customer": RAW_TOPICS["customer"].name,
    "subscription": RAW_TOPICS["subscription"].name,
    "invoice": RAW_TOPICS["invoice"].name,
    "charge": RAW_TOPICS["charge"].name,
    "payment_intent": RAW_TOPICS["payment_intent"].name,
}


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One observation of an object: its version, when it was made, the record's `ce_id` and its place in the log."""

    version: int
    observed_at: int
    id: str
    partition: int
    offset: int


class InvoiceView(msgspec.Struct, frozen=True, array_like=True):
    """What one version of an invoice says."""

    seen: Seen
    status: str
    automatic: bool
    """Stripe collects it by itself; one that is sent can be overdue, never failed."""
    failing: bool
    """The contract's predicate of a failed payment."""
    attempts: int
    amount_due: int
    amount_remaining: int
    next_attempt_at: int | None
    created_at: int
    finalized_at: int | None
    closed_at: int | None
    """When it was paid, voided or written off, by Stripe."""
    off_stripe: bool
    """Paid outside of Stripe."""
    number: str | None


class Invoice(msgspec.Struct, frozen=True, array_like=True):
    """An invoice of a running subscription."""

    id: str
    subscription_id: str
    currency: str
    first: Seen
    latest: InvoiceView
    first_failing: Seen | None
    last_failing: InvoiceView | None
    cleared_at: int | None
    """When it was first observed open with nothing left to pay: Stripe keeps no time of a credit note."""
    intents: tuple[str, ...]
    charges: tuple[str, ...]
    """Ids it ever named: a read that did not ask for its payments does not unsay them."""


class Charge(msgspec.Struct, frozen=True, array_like=True):
    """An attempt to collect. It ends as succeeded or failed and never leaves either."""

    id: str
    created_at: int
    slow: bool
    """A bank debit: it was seen pending, or is of a kind that takes days."""
    failed: Seen | None
    succeeded: bool
    reason: str | None
    hard: bool
    intent: str | None
    invoice: str | None


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """What a payment intent says that its charges do not."""

    id: str
    invoice: str | None
    processing: bool
    problem: Seen | None
    """The last version that told why an attempt failed; Stripe clears it later, and it stays true of then."""
    reason: str | None


class Standings(msgspec.Struct, frozen=True, array_like=True):
    """What one version of a subscription says of its standing, and since when by Stripe if it says so."""

    seen: Seen
    status: str
    standing: Standing
    since: int | None
    counts_from: int
    """When it began to count toward MRR, if it ever did: its start, or the end of its trial."""
    trial_end: int | None
    resumed_at: int | None
    """The anchor of its billing, where that is later than the end of its trial: a paused subscription that is
    resumed gets a new one, and one whose interval changed does."""
    reason: str | None


class Subscription(msgspec.Struct, frozen=True, array_like=True):
    """A subscription's standings by version. All are kept: a late one may lie between any two."""

    id: str
    standings: tuple[Standings, ...]


class Customer(msgspec.Struct, frozen=True, array_like=True):
    """The customer itself. `deleted` is the first observation that it is gone."""

    deleted: Seen | None


Fact = Invoice | Charge | Intent | Subscription | Customer


class Observed(msgspec.Struct, frozen=True):
    """One record as a fact; `fact` is None where the object says nothing that any rule asks for."""

    workspace_id: str
    connection_id: str
    customer_id: str | None
    livemode: bool
    observed_at: int
    fact: Fact | None
    said: CustomerSaid | None = None
    """Of a customer: what it says of who it is."""


class Facts(msgspec.Struct, frozen=True):
    """All that is known of a subject."""

    workspace_id: str = ""
    connection_id: str = ""
    customer_id: str | None = None
    livemode: bool = False
    first_seen: int | None = None
    """The earliest observation of anything of the subject, Unix microseconds."""
    deleted: Seen | None = None
    invoices: dict[str, Invoice] = {}
    charges: dict[str, Charge] = {}
    intents: dict[str, Intent] = {}
    subscriptions: dict[str, Subscription] = {}


def merge(facts: Facts, observed: Observed) -> Facts:
    """The facts with one more. Commutative and idempotent."""
    known = msgspec.structs.replace(
        facts,
        workspace_id=observed.workspace_id,
        connection_id=observed.connection_id,
        customer_id=observed.customer_id or facts.customer_id,
        livemode=observed.livemode,
        first_seen=_least(facts.first_seen, observed.observed_at),
    )
    match observed.fact:
        case Invoice() as fact:
            return msgspec.structs.replace(known, invoices=_with(facts.invoices, fact, _merge_invoices))
        case Charge() as fact:
            return msgspec.structs.replace(known, charges=_with(facts.charges, fact, _merge_charges))
        case Intent() as fact:
            return msgspec.structs.replace(known, intents=_with(facts.intents, fact, _merge_intents))
        case Subscription() as fact:
            return msgspec.structs.replace(known, subscriptions=_with(facts.subscriptions, fact, _merge_standings))
        case Customer(deleted=deleted):
            return msgspec.structs.replace(known, deleted=_first(facts.deleted, deleted))
        case None:
            return known


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


def _with(known: Mapping[str, T], fact: T, merged: Callable[[T, T], T]) -> dict[str, T]:
    before = known.get(fact.id)
    return {**known, fact.id: fact if before is None else merged(before, fact)}


def _merge_invoices(a: Invoice, b: Invoice) -> Invoice:
    newer = b if _newer(a.latest.seen, b.latest.seen) is b.latest.seen else a
    return msgspec.structs.replace(
        newer,
        first=_earlier(a.first, b.first),
        first_failing=_first(a.first_failing, b.first_failing),
        last_failing=_last_view(a.last_failing, b.last_failing),
        cleared_at=_least(a.cleared_at, b.cleared_at),
        intents=_union(a.intents, b.intents),
        charges=_union(a.charges, b.charges),
    )


def _merge_charges(a: Charge, b: Charge) -> Charge:
    failed = _first(a.failed, b.failed)
    told = a if failed is a.failed else b
    return msgspec.structs.replace(
        told,
        slow=a.slow or b.slow,
        failed=failed,
        succeeded=a.succeeded or b.succeeded,
        intent=a.intent or b.intent,
        invoice=a.invoice or b.invoice,
    )


def _merge_intents(a: Intent, b: Intent) -> Intent:
    problem = _last(a.problem, b.problem)
    told = a if problem is a.problem else b
    return msgspec.structs.replace(
        told, invoice=a.invoice or b.invoice, processing=a.processing or b.processing, problem=problem
    )


def _merge_standings(a: Subscription, b: Subscription) -> Subscription:
    by_version = {standing.seen.version: standing for standing in a.standings}
    for standing in b.standings:
        known = by_version.get(standing.seen.version)
        if known is None or _earlier(known.seen, standing.seen) is standing.seen:
            by_version[standing.seen.version] = standing
    return Subscription(id=a.id, standings=tuple(by_version[version] for version in sorted(by_version)))


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return a if a == b else tuple(sorted({*a, *b}))


def _first(a: Seen | None, b: Seen | None) -> Seen | None:
    if a is None or b is None:
        return b if a is None else a
    return _earlier(a, b)


def _earlier(a: Seen, b: Seen) -> Seen:
    """The earlier observation; of one that was published twice, the place it had first."""
    return b if (b.version, b.offset) < (a.version, a.offset) else a


def _last(a: Seen | None, b: Seen | None) -> Seen | None:
    if a is None or b is None:
        return b if a is None else a
    return _newer(a, b)


def _newer(a: Seen, b: Seen) -> Seen:
    return b if (b.version, -b.offset) > (a.version, -a.offset) else a


def _last_view(a: InvoiceView | None, b: InvoiceView | None) -> InvoiceView | None:
    if a is None or b is None:
        return b if a is None else a
    return b if _newer(a.seen, b.seen) is b.seen else a
