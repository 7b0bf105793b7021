"""Money: payment intents, charges, refunds and disputes.

What an attempt's end means for the invoice and its subscription is not decided here but at the world's `desk`.
"""

from typing import Literal

from simulator.company.model import (
    Charge,
    ChargeStatus,
    Decline,
    Dispute,
    DisputeStatus,
    IntentStatus,
    Invoice,
    PaymentIntent,
    PaymentMethod,
    Refund,
    numbered,
)
from simulator.company.periods import DAY
from simulator.company.world import World

NO_METHOD = Decline(
    failure_code="payment_intent_payment_attempt_failed",
    reason="no_payment_method",
    message="The customer has no payment method on file.",
    hard=True,
    charged=False,
)


def open_intent(world: World, invoice: Invoice) -> PaymentIntent:
    """The invoice's one payment intent: made when it is finalized, used by every attempt."""
    customer = invoice.customer
    intent = PaymentIntent(
        number=numbered(customer.number, len(customer.intents)),
        customer=customer,
        invoice=invoice,
        created=world.now,
        amount=invoice.amount_due,
        currency=invoice.currency,
    )
    customer.intents.append(intent)
    world.intents.add(intent, intent.status)
    invoice.intent = intent
    return intent


def automatic_attempt(world: World, invoice: Invoice) -> None:
    """The first attempt on an invoice, or a retry by schedule."""
    invoice.attempt_count += 1
    invoice.attempted = True
    invoice.next_payment_attempt = None
    attempt(world, invoice)


def collect(world: World, invoice: Invoice) -> None:
    """The customer pays now, from the hosted page: the count of attempts sees it only when it is the first. An invoice
    that was paid, voided or given up meanwhile stays as it is."""
    if invoice.status != "open":
        return
    invoice.attempt_count = max(1, invoice.attempt_count)
    invoice.attempted = True
    attempt(world, invoice)


def attempt(world: World, invoice: Invoice) -> None:
    """Try to collect now from the customer's payment method."""
    intent, method = invoice.intent, invoice.customer.method
    if intent is None or invoice.status != "open" or intent.status == "processing":
        return
    outcome = NO_METHOD if method is None else _outcome(world, invoice)
    if method is None or (isinstance(outcome, Decline) and not outcome.charged):
        intent.method = method
        _declined(world, intent, NO_METHOD if not isinstance(outcome, Decline) else outcome, world.now)
        return
    charge = _charge(world, intent, method)
    if isinstance(outcome, int):
        _set_intent(world, intent, "processing")
        world.at(world.now + outcome, charge.customer, _debit_settles, charge)
    else:
        _conclude(world, charge, outcome)


def _outcome(world: World, invoice: Invoice) -> Decline | int | None:
    ordered = world.ordered.get(invoice.customer.number)
    return ordered.pop(0) if ordered else world.life.outcome(invoice)


def _charge(world: World, intent: PaymentIntent, method: PaymentMethod) -> Charge:
    customer = intent.customer
    charge = Charge(
        number=numbered(customer.number, len(customer.charges)),
        customer=customer,
        intent=intent,
        created=world.now,
        amount=intent.amount,
        currency=intent.currency,
        method=method,
        status="pending",
        billing_name=customer.name,
        billing_email=customer.email,
        exp_month=method.exp_month,
        exp_year=method.exp_year,
    )
    customer.charges.append(charge)
    world.charges.add(charge, charge.status)
    intent.latest_charge = charge
    intent.method = method
    return charge


def _debit_settles(world: World, charge: Charge) -> None:
    if charge.status == "pending":
        ordered = world.ordered_ends.get(charge.customer.number)
        _conclude(world, charge, ordered.pop(0) if ordered else world.life.debit_outcome(charge))


def settle(world: World, charge: Charge, decline: Decline | None) -> None:
    """The bank's answer to a pending charge: None is the money."""
    if charge.status == "pending":
        _conclude(world, charge, decline)


def _conclude(world: World, charge: Charge, decline: Decline | None) -> None:
    charge.settled_at = world.now
    charge.decline = decline
    if decline is not None:
        _set_charge(world, charge, "failed")
        _declined(world, charge.intent, decline, charge.created)
        return
    _set_charge(world, charge, "succeeded")
    charge.intent.error = None
    _set_intent(world, charge.intent, "succeeded")
    world.desk.charge_succeeded(charge)


def _declined(world: World, intent: PaymentIntent, decline: Decline, attempted_at: int) -> None:
    intent.error = decline
    asks_customer = decline.failure_code == "authentication_required" and not decline.charged
    _set_intent(world, intent, "requires_action" if asks_customer else "requires_payment_method")
    world.desk.attempt_failed(intent.invoice, decline, attempted_at)


def cancel_intent(
    world: World, intent: PaymentIntent, reason: Literal["abandoned", "void_invoice", "failed_invoice"]
) -> None:
    """Nothing more is collected by it, unless it has succeeded."""
    if intent.status in {"succeeded", "canceled"}:
        return
    intent.canceled_at = world.now
    intent.cancellation_reason = reason
    _set_intent(world, intent, "canceled")


def refund(world: World, charge: Charge, amount: int) -> None:
    """Give back part or all of what is left of a succeeded charge."""
    amount = min(amount, charge.amount - charge.amount_refunded)
    if charge.status != "succeeded" or amount <= 0 or charge.dispute is not None:
        return
    world.touch(charge)
    customer = charge.customer
    charge.refunds = (*charge.refunds, Refund(numbered(customer.number, customer.refunds), world.now, amount))
    customer.refunds += 1


def dispute(world: World, charge: Charge, reason: str, *, inquiry: bool = False) -> Dispute | None:
    """The cardholder disputes the charge; an inquiry is only a question and takes no money yet."""
    if charge.status != "succeeded" or charge.refunds or charge.dispute is not None:
        return None
    customer = charge.customer
    world.touch(charge)
    case = Dispute(
        number=numbered(customer.number, len(customer.disputes)),
        customer=customer,
        charge=charge,
        created=world.now,
        amount=charge.amount,
        currency=charge.currency,
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
        due_by=world.now + 10 * DAY,
    )
    charge.dispute = case
    customer.disputes.append(case)
    world.disputes.add(case, case.status)
    return case


def set_dispute(world: World, case: Dispute, status: DisputeStatus) -> None:
    world.disputes.moved(case, case.status, status)
    case.status = status
    if status in {"under_review", "warning_under_review"}:
        case.submitted = True


def _set_intent(world: World, intent: PaymentIntent, status: IntentStatus) -> None:
    if intent.status != status:
        world.touch(intent)
        world.intents.moved(intent, intent.status, status)
        intent.status = status


def _set_charge(world: World, charge: Charge, status: ChargeStatus) -> None:
    world.touch(charge)
    world.charges.moved(charge, charge.status, status)
    charge.status = status
