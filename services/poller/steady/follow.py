"""When an object is read again by itself, without waiting for a list to show it. Pure.

Bank debits settle days after their charge was created; an invoice is tried again at a known instant; a subscription
or its trial ends at a known one. Instants are Unix seconds of Stripe's clock.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from services.poller.kinds import Kind
from services.poller.publishing.changes import Changed
from services.poller.reading.pages import Facts, ReadObject

ATTEMPT_TAKES = 600
PENDING_CHARGE_EVERY = 4 * 3600
DISPUTE_EVERY = 24 * 3600
PUT_OFF = 3600
ENDED_SUBSCRIPTIONS = frozenset({"canceled", "incomplete_expired"})
OPEN_DISPUTES = frozenset({"warning_needs_response", "warning_under_review", "needs_response", "under_review"})


def due_at(kind: Kind, facts: Facts, *, seen_at: int) -> int | None:
    """When to read the object alone again; None: never. What is already past is put off by an hour."""
    at = _scheduled(kind, facts, seen_at)
    return None if at is None else max(at, seen_at + PUT_OFF) if at <= seen_at else at


def next_due(found: ReadObject, *, seen_at: int) -> int | None:
    """When an object that was just read alone is read alone again; None: never."""
    return None if found.deleted else due_at(found.kind, found.facts, seen_at=seen_at)


def _scheduled(kind: Kind, facts: Facts, seen_at: int) -> int | None:
    if kind == "invoice" and facts.status in {"draft", "open"} and facts.next_attempt is not None:
        return facts.next_attempt + ATTEMPT_TAKES
    if kind == "charge" and facts.status == "pending":
        return seen_at + PENDING_CHARGE_EVERY
    if kind == "subscription" and facts.status not in ENDED_SUBSCRIPTIONS:
        trial = facts.trial_end + ATTEMPT_TAKES if facts.trial_end is not None and facts.status == "trialing" else None
        return min((at for at in (facts.ends_at, trial) if at is not None), default=None)
    if kind == "dispute" and facts.status in OPEN_DISPUTES:
        return seen_at + DISPUTE_EVERY
    return None


FINISHED_INVOICES = frozenset({"paid", "void", "uncollectible"})


def settled_intents(changed: Iterable[Changed]) -> dict[str, Changed]:
    """Payment intents of charges that newly succeeded or failed, and the charge: their invoices are worth a look.

    Of several charges of one intent the one that succeeded counts, whichever order they come in.
    """
    found: dict[str, Changed] = {}
    for row in changed:
        if row.known.kind == "charge" and row.facts.status in {"succeeded", "failed"}:
            for intent in row.facts.payment_intents:
                if intent not in found or row.facts.status == "succeeded":
                    found[intent] = row
    return found


def unmatched_customers(
    settled: Mapping[str, Changed], invoices: Mapping[str, str]
) -> list[tuple[str, Literal["open"] | None]]:
    """Customers of charges whose payment intent is on no known invoice, those of failed ones first, each with the
    status in which the invoice is to be looked for: one that could not be paid is open, however old it is.

    `settled` as `settled_intents` gives it, `invoices` those that are known, by payment intent.
    """
    found: dict[str, Literal["open"] | None] = {}
    unmatched = [row for intent, row in settled.items() if intent not in invoices]
    for row in sorted(unmatched, key=lambda row: row.facts.status != "failed"):
        customer = row.known.subject.partition("/")[2]
        if customer.startswith("cus_"):
            found[customer] = "open" if row.facts.status == "failed" else None
    return sorted(found.items(), key=lambda item: item[1] is None)


def subscriptions_to_look_at(changed: Iterable[Changed]) -> list[str]:
    """Subscriptions that an invoice says something new of: it failed, left the open set, or bills a change of plan.

    A renewal that was paid as it should be says nothing: its subscription stays as it was.
    """
    return [
        row.facts.subscription
        for row in changed
        if row.known.kind == "invoice" and row.facts.subscription is not None and _concerns_subscription(row)
    ]


def _concerns_subscription(row: Changed) -> bool:
    return _failing(row) or (_finished(row) and row.was == "open") or (row.was is None and row.facts.bills_a_change)


def charges_to_look_at(changed: Iterable[Changed]) -> list[str]:
    """Charges whose dispute is new or changed: no list shows that they are disputed."""
    return [row.facts.charge for row in changed if row.known.kind == "dispute" and row.facts.charge is not None]


def intents_to_look_at(changed: Iterable[Changed], *, since: int) -> list[str]:
    """Payment intents of invoices that are open or were finished: where no charge was made, no list shows them.

    An invoice that was finished when it was first seen counts if it was created since then (Unix seconds of Stripe's
    clock): what is older is history.
    """
    return [
        intent
        for row in changed
        if row.known.kind == "invoice" and (row.facts.status == "open" or (_finished(row) and _is_news(row, since)))
        for intent in row.facts.payment_intents
    ]


def _failing(row: Changed) -> bool:
    return row.facts.status == "open" and row.facts.attempted


def _finished(row: Changed) -> bool:
    return row.facts.status in FINISHED_INVOICES and row.was != row.facts.status


def _is_news(row: Changed, since: int) -> bool:
    return row.was is not None or (row.facts.created or 0) >= since


def new_transactions(changed: tuple[Changed, ...]) -> tuple[int, ...]:
    """Creation instants of charges that newly succeeded: Stripe's allowance counts them."""
    return tuple(
        row.facts.created
        for row in changed
        if row.known.kind == "charge"
        and row.facts.status == "succeeded"
        and row.was != "succeeded"
        and row.facts.created is not None
    )
