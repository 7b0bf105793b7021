"""Invoices: made, finalized, paid, voided, given up. Stripe's lifecycle: draft, open, then one of three ends."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

from simulator.company import payments
from simulator.company.discounting import discounted, totals
from simulator.company.model import (
    BillingReason,
    Charge,
    Discount,
    Invoice,
    Item,
    Line,
    Plan,
    Subscription,
    numbered,
)
from simulator.company.periods import DAY, shift
from simulator.company.pricing import half_up, interval_parts
from simulator.company.world import World


def period_lines(world: World, subscription: Subscription, items: Iterable[Item]) -> Iterator[Line]:
    """One full period of each item; a metered item is billed for the period that ended."""
    for item in items:
        if item.plan.metered:
            yield from _metered_line(world, subscription, item)
        else:
            yield from licensed_lines(item)


def licensed_lines(item: Item) -> Iterator[Line]:
    """One full period of an item that is not metered."""
    for part in interval_parts(item.plan, item.quantity or 0):
        label = f" ({part.label})" if part.label else ""
        text = f"{part.quantity} × {item.plan.name}{label} (at {_price_tag(part.unit_amount, item.plan)})"
        amount = half_up(part.amount)
        yield Line(item, item.plan, text, amount, part.quantity, part.unit_amount, item.start, item.end)


def _metered_line(world: World, subscription: Subscription, item: Item) -> Iterator[Line]:
    if item.cycles <= 1:
        return
    used = world.life.usage(subscription)
    unit = item.plan.unit_amount or Fraction(0)
    start = _start_before(subscription, item)
    text = f"{used} × {item.plan.name} (at {_price_tag(unit, item.plan)})"
    yield Line(item, item.plan, text, half_up(unit * used), used, unit, start, item.start)


def trial_lines(items: Iterable[Item]) -> Iterator[Line]:
    """A trial is billed as nothing."""
    for item in items:
        if not item.plan.metered:
            text = f"Trial period for {item.plan.name}"
            yield Line(item, item.plan, text, 0, item.quantity, Fraction(0), item.start, item.end)


def proration_lines(
    item: Item, old: tuple[Plan, int], new: tuple[Plan, int], at: int, *, moved: bool = False
) -> Iterator[Line]:
    """Credit for the rest of the period at the old price, and unless the period is `moved` its charge at the new."""
    share = Fraction(item.end - at, item.end - item.start)
    for (plan, quantity), sign, word in ((old, -1, "Unused"), (new, 1, "Remaining")):
        if sign > 0 and moved:
            return
        amount = sign * half_up(sum((p.amount for p in interval_parts(plan, quantity)), Fraction(0)) * share)
        text = f"{word} time on {quantity} × {plan.name}"
        yield Line(item, plan, text, amount, quantity, plan.unit_amount, at, item.end, proration=True)


def _price_tag(unit_amount: Fraction, plan: Plan) -> str:
    digits = {"jpy": 0, "kwd": 3}.get(plan.currency, 2)
    every = plan.interval if plan.interval_count == 1 else f"{plan.interval_count} {plan.interval}s"
    return f"{float(unit_amount) / 10**digits:.{digits}f} {plan.currency.upper()} / {every}"


def make(world: World, subscription: Subscription, reason: BillingReason, lines: Iterable[Line]) -> Invoice:
    """A draft of `lines` and whatever is pending on the subscription; its latest invoice from now on."""
    customer = subscription.customer
    every = discounted([*subscription.pending, *lines], subscription, world.now)
    subscription.pending = ()
    taken = totals(every)
    subtotal = sum(line.amount for line in every)
    invoice = Invoice(
        number=numbered(customer.number, len(customer.invoices)),
        customer=customer,
        subscription=subscription,
        created=world.now,
        reason=reason,
        lines=every,
        currency=subscription.currency,
        collection_method=subscription.collection_method,
        customer_name=customer.name,
        customer_email=customer.email,
        period_start=_period_before(subscription, reason, world.now),
        period_end=world.now,
        subtotal=subtotal,
        total=subtotal - sum(amount for _, amount in taken),
        discounts=tuple(discount for discount, _ in taken),
        discount_amounts=taken,
        starting_balance=customer.balance,
    )
    _preview(invoice)
    customer.invoices.append(invoice)
    world.invoices.add(invoice, "draft")
    subscription.latest_invoice = invoice
    _spend_once(world, subscription, invoice.discounts)
    return invoice


def _period_before(subscription: Subscription, reason: BillingReason, now: int) -> int:
    """An invoice's own period looks back: a renewal's is the period that ended, any other's is this instant."""
    renewed = [item for item in subscription.items if item.start == now]
    if reason != "subscription_cycle" or not renewed:
        return now
    return min(_start_before(subscription, item) for item in renewed)


def _start_before(subscription: Subscription, item: Item) -> int:
    if item.cycles <= 1:
        return subscription.created if subscription.trial_start is None else subscription.trial_start
    return shift(item.anchor, item.plan.interval, item.plan.interval_count * (item.cycles - 2))


def _preview(invoice: Invoice) -> None:
    """What would be due: the total less the customer's credit, or more by their debt."""
    invoice.amount_due = max(0, invoice.total + invoice.starting_balance)


def _spend_once(world: World, subscription: Subscription, discounts: Iterable[Discount]) -> None:
    for discount in discounts:
        if discount.coupon.duration == "once":
            drop_discount(world, discount)


def drop_discount(world: World, discount: Discount) -> None:
    """Take a discount off whatever carries it."""
    subscription, item, customer = discount.subscription, discount.item, discount.customer
    if item is not None:
        item.discounts = tuple(other for other in item.discounts if other is not discount)
    elif subscription is not None:
        subscription.discounts = tuple(other for other in subscription.discounts if other is not discount)
    elif customer.discount is discount:
        customer.discount = None
    world.changed(customer)


def draft(world: World, invoice: Invoice) -> None:
    """Leave it a draft for about an hour, as renewals are."""
    invoice.finalizes_at = world.now + world.rules.draft_seconds
    if invoice.collection_method == "charge_automatically":
        invoice.next_payment_attempt = invoice.finalizes_at
    world.at(invoice.finalizes_at, invoice.customer, _finalize_draft, invoice)


def hold(invoice: Invoice) -> None:
    """No automatic step any more."""
    invoice.auto_advance = False
    invoice.finalizes_at = None
    invoice.next_payment_attempt = None


def _finalize_draft(world: World, invoice: Invoice) -> None:
    if invoice.status == "draft" and invoice.auto_advance:
        finalize(world, invoice)


def finalize(world: World, invoice: Invoice) -> None:
    """Open it, apply the customer's balance, and collect: at once, or by sending it."""
    customer = invoice.customer
    invoice.finalizes_at = None
    invoice.finalized_at = world.now
    customer.numbered_invoices += 1
    invoice.label = f"{customer.number + 0xA0000:05X}-{customer.numbered_invoices:04d}"
    invoice.starting_balance = customer.balance
    _preview(invoice)
    invoice.ending_balance = customer.balance = min(0, invoice.total + customer.balance)
    world.set_invoice_status(invoice, "open")
    if invoice.amount_due == 0:
        invoice.attempted = True
        paid(world, invoice, charge=None)
    elif invoice.collection_method == "send_invoice":
        _send(world, invoice)
    else:
        payments.open_intent(world, invoice)
        payments.automatic_attempt(world, invoice)


def _send(world: World, invoice: Invoice) -> None:
    invoice.due_date = world.now + (invoice.subscription.days_until_due or 30) * DAY
    payments.open_intent(world, invoice)
    world.at(invoice.due_date, invoice.customer, _overdue, invoice)
    world.life.invoice_opened(invoice)


def _overdue(world: World, invoice: Invoice) -> None:
    if invoice.status == "open":
        invoice.customer.delinquent = True
        if invoice.subscription.status == "active":
            world.set_subscription_status(invoice.subscription, "past_due")


def paid(world: World, invoice: Invoice, *, charge: Charge | None, out_of_band: bool = False) -> None:
    """Paid by `charge`, or with nothing due, or `out_of_band` (money that Stripe never saw)."""
    invoice.amount_paid = invoice.amount_due
    invoice.paid_at = world.now
    invoice.out_of_band = out_of_band
    if charge is None and invoice.intent is not None:
        payments.cancel_intent(world, invoice.intent, "abandoned")
    _close(world, invoice, "paid")


def void(world: World, invoice: Invoice) -> None:
    invoice.voided_at = world.now
    if invoice.intent is not None:
        payments.cancel_intent(world, invoice.intent, "void_invoice")
    _close(world, invoice, "void")


def give_up(world: World, invoice: Invoice, reason: str = "payment_not_received") -> None:
    """Mark it uncollectible."""
    invoice.uncollectible_at = world.now
    invoice.uncollectible_reason = reason
    _close(world, invoice, "uncollectible")


def _close(world: World, invoice: Invoice, how: Literal["paid", "void", "uncollectible"]) -> None:
    hold(invoice)
    world.set_invoice_status(invoice, how)
    world.witness.settled(invoice, how, world.now)
    _recover(world, invoice.subscription)


def _recover(world: World, subscription: Subscription) -> None:
    """A subscription is in good standing again once none of its invoices is failing or overdue."""
    customer = subscription.customer
    mine = [invoice for invoice in customer.invoices if invoice.subscription is subscription]
    owed = any(owing(invoice, world.now) for invoice in mine)
    customer.delinquent = any(owing(invoice, world.now) for invoice in customer.invoices)
    if subscription.status in {"past_due", "unpaid"} and not owed:
        world.set_subscription_status(subscription, "active")


def owing(invoice: Invoice, at: int) -> bool:
    """Failing, or sent and past its due date."""
    overdue = invoice.status == "open" and invoice.due_date is not None and at >= invoice.due_date
    return overdue or invoice.failing


def payable(invoice: Invoice) -> bool:
    """Open, and no bank is being waited for."""
    waiting = invoice.intent is not None and invoice.intent.status == "processing"
    return invoice.status == "open" and not waiting
