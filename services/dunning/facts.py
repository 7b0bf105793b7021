"""What is known of a customer (or a user without Stripe): a set of facts in canonical form, whatever their order.

Merging is commutative and idempotent: of what can change the newest version counts, of what showed something first
the earliest, and what became of an email only ever goes forward. Times are aware UTC datetimes, amounts minor units
of the object's currency.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

import msgspec

MailState = Literal["due", "unknown", "failed", "captured", "sent"]
MAIL_ORDER: tuple[MailState, ...] = ("due", "unknown", "failed", "captured", "sent")
"""How far a mail has come, as the log tells: a later one in this order stands, whichever record is read first."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One observation of an object: its version, when it was made, the record's `ce_id` and its place in the log."""

    version: int
    at: datetime
    id: str
    topic: str
    partition: int
    offset: int
    backfilled: bool
    """Whether it was part of what was found when the account was connected."""


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
    amount_paid: int
    amount_remaining: int
    credited: int
    """Credit notes against what was due: they lessen it, and are no money."""
    due_at: datetime | None
    next_attempt_at: datetime | None
    attempted_at: datetime
    """When the first attempt was due: its finalization, or its creation while that is unknown."""
    closed_at: datetime | None
    number: str | None
    pay_url: str | None
    email: str | None


class Invoice(msgspec.Struct, frozen=True, array_like=True):
    """An invoice of a running subscription."""

    id: str
    subscription_id: str
    currency: str
    first: InvoiceView
    latest: InvoiceView
    first_failing: InvoiceView | None
    cleared: Seen | None
    """When it was first seen open with nothing left to pay: Stripe keeps no time of a credit note."""
    intents: tuple[str, ...]
    charges: tuple[str, ...]
    """Ids that it ever named: a read that did not ask for its payments does not unsay them."""


class Charge(msgspec.Struct, frozen=True, array_like=True):
    """An attempt to collect."""

    id: str
    seen: Seen
    created_at: datetime
    status: str
    slow: bool
    """A bank debit: it was seen pending, or is of a kind that takes days."""
    reason: str | None
    hard: bool
    intent: str | None
    invoice: str | None


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """A payment intent as last seen; `reason` is why its last attempt failed."""

    id: str
    seen: Seen
    invoice: str | None
    status: str
    processing: bool
    """It was seen on its way once."""
    reason: str | None


class Subscription(msgspec.Struct, frozen=True, array_like=True):
    """A subscription as last seen."""

    id: str
    seen: Seen
    status: str
    ended_at: datetime | None
    canceling: bool
    """It is set to end: cancel_at_period_end or cancel_at."""


class Customer(msgspec.Struct, frozen=True, array_like=True):
    """The customer as last seen, and whether it is gone: of a deleted one Stripe says nothing else."""

    id: str
    seen: Seen
    gone: Seen | None
    empty: bool
    """Nothing but its deletion was seen."""
    email: str | None
    name: str | None
    locales: tuple[str, ...]
    country: str | None


class Dispute(msgspec.Struct, frozen=True, array_like=True):
    """A dispute as last seen."""

    id: str
    seen: Seen
    open: bool


class Mail(msgspec.Struct, frozen=True, array_like=True):
    """One email as the log tells of it. `attempt` is empty, or the decision that asked for it to be sent again."""

    episode_id: str
    step: int
    attempt: str
    state: MailState
    at: datetime
    recipient: str | None

    @property
    def id(self) -> str:
        return mail_key(self.episode_id, self.step, self.attempt)


class Refresh(msgspec.Struct, frozen=True, array_like=True):
    """The newest answer to a request for a fresh read. `read_at` is machine time."""

    request_id: str
    read_at: datetime
    outcome: str
    reason: str | None
    versions: dict[str, int]


class Nothing(msgspec.Struct, frozen=True, array_like=True):
    """An object that says nothing dunning asks for; that it was seen still counts for a fresh read."""

    id: str
    seen: Seen


Fact = Invoice | Charge | Intent | Subscription | Customer | Dispute | Mail | Refresh | Nothing | None


class Observed(msgspec.Struct, frozen=True):
    """One record as a fact, and whom it is about."""

    workspace_id: str
    connection_id: str | None
    customer_id: str | None
    user_id: str | None
    livemode: bool | None
    """None where the record does not say: only Stripe's objects do."""
    fact: Fact


class Facts(msgspec.Struct, frozen=True):
    """All that is known of a subject."""

    workspace_id: str = ""
    connection_id: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    livemode: bool = True
    """False as soon as one object says that it is of test mode."""
    customer: Customer | None = None
    invoices: dict[str, Invoice] = {}
    charges: dict[str, Charge] = {}
    intents: dict[str, Intent] = {}
    subscriptions: dict[str, Subscription] = {}
    disputes: dict[str, Dispute] = {}
    mails: dict[str, Mail] = {}
    refresh: Refresh | None = None
    versions: dict[str, int] = {}
    """The newest version seen of each of Stripe's objects."""


def web_link(text: str | None) -> str | None:
    """A link that may stand in an email: nothing but http(s)."""
    return text if text and text.lower().startswith(("https://", "http://")) else None


def mail_key(episode_id: str, step: int, attempt: str = "") -> str:
    """What makes an email one: its episode, its step and, where a person asked for it again, that decision."""
    return f"{episode_id}/{step}/{attempt}" if attempt else f"{episode_id}/{step}"


def merge(facts: Facts, observed: Observed) -> Facts:
    """The facts with one more. Commutative and idempotent."""
    known = msgspec.structs.replace(
        facts,
        workspace_id=observed.workspace_id,
        connection_id=observed.connection_id or facts.connection_id,
        customer_id=observed.customer_id or facts.customer_id,
        user_id=observed.user_id or facts.user_id,
        livemode=facts.livemode and observed.livemode is not False,
        versions=_versions(facts.versions, observed.fact),
    )
    return msgspec.structs.replace(known, **_changes(facts, observed.fact))


def _changes(facts: Facts, observed: Fact) -> dict[str, Any]:
    """What becomes of the field that the fact belongs to."""
    changes: dict[str, Any] = {}
    match observed:
        case Invoice() as fact:
            changes["invoices"] = _with(facts.invoices, fact, _merge_invoices)
        case Charge() as fact:
            changes["charges"] = _with(facts.charges, fact, _merge_charges)
        case Intent() as fact:
            changes["intents"] = _with(facts.intents, fact, _merge_intents)
        case Subscription() as fact:
            changes["subscriptions"] = _with(facts.subscriptions, fact, _newest)
        case Dispute() as fact:
            changes["disputes"] = _with(facts.disputes, fact, _newest)
        case Customer() as fact:
            changes["customer"] = fact if facts.customer is None else _merge_customers(facts.customer, fact)
        case Mail() as fact:
            changes["mails"] = _with(facts.mails, fact, _merge_mails)
        case Refresh() as fact:
            changes["refresh"] = _newest_read(facts.refresh, fact)
    return changes


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


class _Versioned(_Identified, Protocol):
    @property
    def seen(self) -> Seen: ...


T = TypeVar("T", bound=_Identified)
V = TypeVar("V", bound=_Versioned)


def _with(known: Mapping[str, T], fact: T, merged: Callable[[T, T], T]) -> dict[str, T]:
    before = known.get(fact.id)
    return {**known, fact.id: fact if before is None else merged(before, fact)}


def _order(seen: Seen) -> tuple[int, int]:
    """By version; of one that was published twice, the place it had first comes last and so stands."""
    return seen.version, -seen.offset


def _newest(a: V, b: V) -> V:
    return b if _order(b.seen) > _order(a.seen) else a


def _first_view(a: InvoiceView | None, b: InvoiceView | None) -> InvoiceView | None:
    if a is None or b is None:
        return b if a is None else a
    return b if (b.seen.version, b.seen.offset) < (a.seen.version, a.seen.offset) else a


def _merge_invoices(a: Invoice, b: Invoice) -> Invoice:
    latest = b if _order(b.latest.seen) > _order(a.latest.seen) else a
    first = b if _first_view(a.first, b.first) is b.first else a
    cleared = (
        a.cleared if b.cleared is None else b.cleared if a.cleared is None else min(a.cleared, b.cleared, key=_age)
    )
    return msgspec.structs.replace(
        latest,
        first=first.first,
        first_failing=_first_view(a.first_failing, b.first_failing),
        cleared=cleared,
        intents=_union(a.intents, b.intents),
        charges=_union(a.charges, b.charges),
    )


def _age(seen: Seen) -> tuple[int, int]:
    return seen.version, seen.offset


def _merge_charges(a: Charge, b: Charge) -> Charge:
    return msgspec.structs.replace(
        _newest(a, b), slow=a.slow or b.slow, intent=_least(a.intent, b.intent), invoice=_least(a.invoice, b.invoice)
    )


def _merge_intents(a: Intent, b: Intent) -> Intent:
    return msgspec.structs.replace(
        _newest(a, b), processing=a.processing or b.processing, invoice=_least(a.invoice, b.invoice)
    )


def _merge_customers(a: Customer, b: Customer) -> Customer:
    """The newest that says anything; a deletion is never taken back."""
    told = a if b.empty else b if a.empty else _newest(a, b)
    gone = a.gone if b.gone is None else b.gone if a.gone is None else min(a.gone, b.gone, key=_age)
    return msgspec.structs.replace(told, gone=gone)


def _merge_mails(a: Mail, b: Mail) -> Mail:
    """The furthest state; of two that are as far, the earlier, then the one whose address comes first."""
    key = _progress(a), _progress(b)
    return b if key[1] > key[0] else a


def _progress(mail: Mail) -> tuple[int, float, str]:
    return MAIL_ORDER.index(mail.state), -mail.at.timestamp(), mail.recipient or ""


def _newest_read(a: Refresh | None, b: Refresh) -> Refresh:
    if a is None:
        return b
    return b if (b.read_at, b.request_id) > (a.read_at, a.request_id) else a


def _versions(known: dict[str, int], fact: Fact) -> dict[str, int]:
    if fact is None or isinstance(fact, Mail | Refresh):
        return known
    seen = fact.latest.seen if isinstance(fact, Invoice) else fact.seen
    return known if known.get(fact.id, -1) >= seen.version else {**known, fact.id: seen.version}


def _least(a: str | None, b: str | None) -> str | None:
    """What either says; it never changes, so which of two is of no matter, as long as it is always the same."""
    return b if a is None else a if b is None else min(a, b)


def _union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return a if a == b else tuple(sorted({*a, *b}))
