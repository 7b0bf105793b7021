"""What holds in the company's books at every instant. Tests ask for `violations` and expect none."""

from collections.abc import Iterable, Iterator
from typing import Any

from simulator.company.discounting import totals
from simulator.company.invoicing import owing
from simulator.company.model import Charge, Customer, Invoice, PaymentIntent, Subscription
from simulator.company.shelf import Shelf
from simulator.company.world import World

Claim = tuple[bool, str]

_INTENT_OF_CHARGE = {
    "succeeded": {"succeeded"},
    "pending": {"processing"},
    "failed": {"requires_payment_method", "requires_action", "canceled"},
}


def violations(world: World) -> list[str]:
    """Every claim that does not hold now, with the object it is about."""
    return [*_shelves(world), *broken_claims(world)]


def broken_claims(world: World) -> list[str]:
    """Those about single objects, whatever shelf they come from."""
    found: list[str] = []
    for kind, shelf, claims in (
        ("invoice", world.invoices, _invoice),
        ("intent", world.intents, _intent),
        ("charge", world.charges, _charge),
        ("subscription", world.subscriptions, _subscription),
        ("customer", world.customers, _customer),
    ):
        for thing in _all(shelf):
            found += [f"{kind} {thing.number}: {text}" for holds, text in claims(thing, world.now) if not holds]
    return found


def _all(shelf: Shelf[Any]) -> Iterator[Any]:
    return shelf.oldest(0, len(shelf))


def _shelves(world: World) -> Iterator[str]:
    shelves: Iterable[Shelf[Any]] = (world.subscriptions, world.invoices, world.charges, world.intents, world.disputes)
    for shelf in shelves:
        before = 0
        for thing in _all(shelf):
            if not before <= thing.created <= world.now:
                yield f"{type(thing).__name__} {thing.number}: not in order of creation"
            before = thing.created
            if thing not in list(shelf.newest(thing.seq, thing.seq + 1, frozenset({thing.status}))):
                yield f"{type(thing).__name__} {thing.number}: not found by its status"


def _invoice(bill: Invoice, now: int) -> Iterator[Claim]:
    yield bill.subtotal == sum(line.amount for line in bill.lines), "the subtotal is not the sum of its lines"
    yield bill.total == bill.subtotal - sum(a for _, a in bill.discount_amounts), "the total is not net of discounts"
    yield dict(bill.discount_amounts) == dict(totals(bill.lines)), "its discounts are not those of its lines"
    yield bill.amount_due == max(0, bill.total + bill.starting_balance), "the amount due is not total and balance"
    yield (bill.status == "paid") == (bill.paid_at is not None), "paid, or paid at a time, but not both"
    yield (bill.status == "void") == (bill.voided_at is not None), "void, or voided at a time, but not both"
    yield (bill.status == "uncollectible") == (bill.uncollectible_at is not None), "uncollectible without its time"
    yield (bill.status == "draft") <= (bill.finalized_at is None), "a finalized draft"
    yield (bill.status in {"open", "paid"}) <= (bill.finalized_at is not None), "never finalized"
    yield bill.status != "paid" or bill.amount_remaining == 0, "paid and something remains"
    yield bill.status == "paid" or bill.amount_paid == 0, "not paid and something was paid"
    yield bill.attempted or bill.attempt_count == 0, "attempts without an attempt"
    planned = bill.next_payment_attempt
    yield planned is None or (planned >= now and bill.auto_advance), "an attempt is planned that cannot come"
    yield planned is None or bill.status in {"draft", "open"}, "closed and still to be attempted"
    yield from _collection(bill)


def _collection(bill: Invoice) -> Iterator[Claim]:
    intent = bill.intent
    if intent is None:
        yield bill.status != "open" and (bill.status != "paid" or bill.amount_due == 0), "money moves without an intent"
        return
    yield intent.amount == bill.amount_due, "the intent is of another amount"
    paid = bill.status == "paid"
    yield (paid and not bill.out_of_band) == (intent.status == "succeeded"), "paid without a succeeded intent"
    yield bill.status != "void" or intent.status == "canceled", "void and its intent is alive"
    yield not bill.out_of_band or intent.status == "canceled", "paid elsewhere and its intent is alive"
    charges = [charge for charge in bill.customer.charges if charge.intent is intent]
    succeeded = [charge for charge in charges if charge.status == "succeeded"]
    yield len(succeeded) == (1 if intent.status == "succeeded" else 0), "not exactly one charge paid it"
    failed = sum(charge.status == "failed" for charge in charges)
    yield failed <= bill.failures, "a failed charge that nobody noticed"


def _intent(intent: PaymentIntent, _now: int) -> Iterator[Claim]:
    charge = intent.latest_charge
    if charge is None:
        yield intent.status in {"requires_payment_method", "requires_action", "canceled"}, "it moved without a charge"
    elif intent.error is None or intent.error.charged:
        yield intent.status in _INTENT_OF_CHARGE[charge.status], "it disagrees with its latest charge"
    yield (intent.status == "canceled") == (intent.canceled_at is not None), "canceled without a time"


def _charge(charge: Charge, _now: int) -> Iterator[Claim]:
    yield (charge.status == "failed") == (charge.decline is not None), "failed without a reason, or the reverse"
    yield charge.amount == charge.intent.amount > 0, "of another amount than its intent"
    yield charge.amount_refunded <= charge.amount, "more given back than taken"
    yield charge.dispute is None or charge.status == "succeeded", "disputed and never paid"
    yield charge.customer is charge.intent.customer, "of another customer than its intent"


def _subscription(sold: Subscription, now: int) -> Iterator[Claim]:
    mine = [bill for bill in sold.customer.invoices if bill.subscription is sold]
    owed = any(owing(bill, now) for bill in mine)
    yield bool(mine) and sold.latest_invoice is mine[-1], "its latest invoice is not the last one"
    yield sold.ended == (sold.ended_at is not None), "ended without a time, or the reverse"
    yield sold.status != "canceled" or sold.canceled_at is not None, "canceled without a time"
    yield sold.status != "active" or not owed, "active and owes"
    yield sold.status not in {"past_due", "unpaid"} or owed, "past due and owes nothing"
    yield sold.status != "trialing" or (sold.trial_end or 0) > now, "its trial is over"
    yield sold.status != "incomplete" or mine[0].status == "open", "incomplete and not waiting for a payment"
    yield sold.status != "incomplete_expired" or mine[0].status == "void", "expired and its invoice is not void"
    running = sold.status in {"active", "past_due", "unpaid", "trialing"}
    yield not running or all(item.start <= now < item.end for item in sold.items), "now is in none of its periods"
    yield sold.cancel_at is None or sold.ended or sold.cancel_at > now, "its scheduled end has passed"
    yield not sold.cancel_at_period_end or sold.ended or sold.cancel_at == sold.next_renewal, "it ends another day"
    yield sold.ended or sold.customer.deleted_at is None, "it outlives its customer"


def _customer(who: Customer, now: int) -> Iterator[Claim]:
    yield who.balance <= 0, "the company owes less than nothing"
    yield who.delinquent == any(owing(bill, now) for bill in who.invoices), "delinquent without a reason"
    yield all(thing.customer is who for thing in who.subscriptions), "has another's subscription"
