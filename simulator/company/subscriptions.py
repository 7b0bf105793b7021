"""Subscriptions: begun, renewed, changed, paused and ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from simulator.company import invoicing
from simulator.company.model import (
    CollectionMethod,
    Coupon,
    Customer,
    Discount,
    Invoice,
    Item,
    Line,
    MissingMethod,
    Pause,
    PauseBehaviour,
    Plan,
    Subscription,
    numbered,
)
from simulator.company.periods import DAY, shift
from simulator.company.world import World

Proration = Literal["none", "create_prorations", "always_invoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a subscription is sold."""

    trial_days: int = 0
    missing_method: MissingMethod = "create_invoice"
    collection_method: CollectionMethod = "charge_automatically"
    days_until_due: int | None = None
    coupon: Coupon | None = None
    item_coupon: Coupon | None = None
    flexible: bool = False


def begin(
    world: World, customer: Customer, wanted: Sequence[tuple[Plan, int | None]], terms: Terms | None = None
) -> Subscription:
    """Sell the plans and their quantities: a trial, or a first invoice that is collected at once."""
    terms = terms or Terms()
    subscription = Subscription(
        number=numbered(customer.number, len(customer.subscriptions)),
        customer=customer,
        created=world.now,
        status="incomplete",
        items=[],
        currency=wanted[0][0].currency,
        collection_method=terms.collection_method,
        days_until_due=terms.days_until_due,
        anchor=world.now,
        missing_method=terms.missing_method,
        flexible=terms.flexible,
    )
    customer.subscriptions.append(subscription)
    world.subscriptions.add(subscription, subscription.status)
    for plan, quantity in wanted:
        add_item(world, subscription, plan, quantity)
    if terms.coupon is not None:
        give_discount(world, terms.coupon, customer, subscription=subscription)
    if terms.item_coupon is not None:
        give_discount(world, terms.item_coupon, customer, subscription=subscription, item=subscription.items[0])
    if terms.trial_days:
        _begin_trial(world, subscription, terms.trial_days)
    else:
        _first_invoice(world, subscription)
    world.life.created(subscription)
    return subscription


def add_item(world: World, subscription: Subscription, plan: Plan, quantity: int | None) -> Item:
    """Another plan on the subscription, from now on."""
    customer = subscription.customer
    item = Item(
        number=numbered(customer.number, customer.items),
        plan=plan,
        quantity=None if plan.metered else quantity,
        created=world.now,
        anchor=world.now,
        start=world.now,
        end=shift(world.now, plan.interval, plan.interval_count),
        cycles=1,
    )
    customer.items += 1
    subscription.items.append(item)
    return item


def _begin_trial(world: World, subscription: Subscription, days: int) -> None:
    subscription.trial_start = world.now
    subscription.trial_end = subscription.anchor = world.now + days * DAY
    for item in subscription.items:
        item.end, item.cycles = subscription.trial_end, 0
    world.set_subscription_status(subscription, "trialing")
    lines = invoicing.trial_lines(subscription.items)
    invoicing.finalize(world, invoicing.make(world, subscription, "subscription_create", lines))
    _schedule(world, subscription)


def _first_invoice(world: World, subscription: Subscription) -> None:
    lines = list(invoicing.period_lines(world, subscription, subscription.items))
    invoice = invoicing.make(world, subscription, "subscription_create", lines)
    invoicing.finalize(world, invoice)
    waits_for_bank = invoice.intent is not None and invoice.intent.status == "processing"
    if invoice.status == "paid" or waits_for_bank or subscription.collection_method == "send_invoice":
        activate(world, subscription)
    else:
        world.at(world.now + world.rules.incomplete_seconds, subscription.customer, _expire, subscription)
    _schedule(world, subscription)


def activate(world: World, subscription: Subscription) -> None:
    if subscription.status != "active":
        world.set_subscription_status(subscription, "active")
        subscription.was_active = True
        world.life.period_started(subscription)


def _expire(world: World, subscription: Subscription) -> None:
    """Nobody paid the first invoice in time."""
    if subscription.status != "incomplete":
        return
    subscription.ended_at = world.now
    world.set_subscription_status(subscription, "incomplete_expired")
    for invoice in invoices_of(subscription):
        if invoice.status == "open":
            invoicing.void(world, invoice)
    world.witness.lapsed(subscription, world.now)
    world.life.ended(subscription)


def invoices_of(subscription: Subscription) -> list[Invoice]:
    return [invoice for invoice in subscription.customer.invoices if invoice.subscription is subscription]


def _schedule(world: World, subscription: Subscription) -> None:
    due = subscription.next_renewal
    world.at(due, subscription.customer, _period_ends, subscription, due)


def _period_ends(world: World, subscription: Subscription, planned: int) -> None:
    if subscription.next_renewal != planned or subscription.status in {"paused", "incomplete"} or subscription.ended:
        return
    if subscription.cancel_at is not None and subscription.cancel_at <= world.now:
        end(world, subscription)
    elif subscription.status == "trialing":
        _trial_ends(world, subscription)
    else:
        _renew(world, subscription)


def _trial_ends(world: World, subscription: Subscription) -> None:
    automatic = subscription.collection_method == "charge_automatically"
    if automatic and subscription.customer.method is None and subscription.missing_method != "create_invoice":
        if subscription.missing_method == "cancel":
            subscription.canceled_at = world.now
            end(world, subscription)
        else:
            world.set_subscription_status(subscription, "paused")
            world.witness.lapsed(subscription, world.now)
            world.life.ended(subscription)
        return
    for item in subscription.items:
        restart(item, world.now)
    activate(world, subscription)
    _bill(world, subscription, subscription.items)
    _schedule(world, subscription)


def move_trial_end(world: World, subscription: Subscription, to: int) -> None:
    """A trial that is to end at `to` instead; one that should have ended already ends now."""
    if subscription.status != "trialing" or subscription.cancel_at is not None:
        return
    subscription.trial_end = subscription.anchor = max(to, world.now)
    for item in subscription.items:
        item.end = subscription.trial_end
    if subscription.trial_end == world.now:
        _trial_ends(world, subscription)
    else:
        _schedule(world, subscription)


def restart(item: Item, at: int) -> None:
    """Its first period begins at `at`."""
    item.anchor = item.start = at
    item.cycles = 1
    item.end = shift(at, item.plan.interval, item.plan.interval_count)


def _renew(world: World, subscription: Subscription) -> None:
    due = [item for item in subscription.items if item.end <= world.now]
    for item in due:
        item.start = item.end
        item.cycles += 1
        item.end = shift(item.anchor, item.plan.interval, item.plan.interval_count * item.cycles)
        _take_up(world, subscription, item)
    _bill(world, subscription, due)
    _schedule(world, subscription)
    world.life.period_started(subscription)


def renew_now(world: World, subscription: Subscription) -> None:
    """The next period of every item begins now instead of at its time."""
    subscription.anchor = world.now
    for item in subscription.items:
        restart(item, world.now)
        _take_up(world, subscription, item)
    if subscription.cancel_at_period_end:
        cancel_later(world, subscription, feedback=subscription.feedback)
    _bill(world, subscription, subscription.items)
    _schedule(world, subscription)
    world.life.period_started(subscription)


def _take_up(world: World, subscription: Subscription, item: Item) -> None:
    """What was put off to the end of the period."""
    if item.next_plan is None and item.next_quantity is None:
        return
    item.plan, item.next_plan = item.next_plan or item.plan, None
    item.quantity = item.quantity if item.next_quantity is None else item.next_quantity
    item.next_quantity = None
    world.changed(subscription.customer)


def _bill(world: World, subscription: Subscription, items: Iterable[Item]) -> None:
    """The invoice of a period that begins: a draft for an hour, or whatever the subscription's state makes of it."""
    lines = list(invoicing.period_lines(world, subscription, items))
    invoice = invoicing.make(world, subscription, "subscription_cycle", lines)
    pause = subscription.pause
    if subscription.status == "unpaid" or (pause is not None and pause.behaviour == "keep_as_draft"):
        invoicing.hold(invoice)
    elif pause is not None and pause.behaviour == "void":
        invoicing.void(world, invoice)
    elif pause is not None:
        invoicing.give_up(world, invoice, "subscription_paused")
    else:
        invoicing.draft(world, invoice)


def cancel_now(world: World, subscription: Subscription, reason: str = "cancellation_requested") -> None:
    """Canceled at once, unless it has ended."""
    if subscription.ended:
        return
    world.touch(subscription)
    subscription.canceled_at = world.now
    subscription.cancel_reason = reason
    end(world, subscription)


def end(world: World, subscription: Subscription) -> None:
    """Canceled, now; its invoices are no longer collected by themselves."""
    subscription.ended_at = world.now
    subscription.pause = None
    if subscription.canceled_at is None:
        world.touch(subscription)
        subscription.canceled_at = world.now
    world.set_subscription_status(subscription, "canceled")
    for invoice in invoices_of(subscription):
        if invoice.status in {"draft", "open"}:
            invoicing.hold(invoice)
    world.witness.lapsed(subscription, world.now)
    world.life.ended(subscription)


def cancel_later(world: World, subscription: Subscription, at: int | None = None, feedback: str | None = None) -> None:
    """Scheduled: at the end of the period, or at a date inside it."""
    if subscription.ended:
        return
    world.touch(subscription)
    subscription.cancel_at_period_end = at is None
    subscription.cancel_at = subscription.next_renewal if at is None else at
    subscription.canceled_at = world.now
    subscription.cancel_reason = "cancellation_requested"
    subscription.feedback = feedback
    world.at(subscription.cancel_at, subscription.customer, _scheduled_end, subscription, subscription.cancel_at)


def _scheduled_end(world: World, subscription: Subscription, planned: int) -> None:
    if not subscription.ended and subscription.cancel_at == planned:
        end(world, subscription)


def keep(world: World, subscription: Subscription) -> None:
    """The scheduled cancellation is taken back."""
    if subscription.ended or subscription.cancel_at is None:
        return
    world.touch(subscription)
    subscription.cancel_at_period_end = False
    subscription.cancel_at = subscription.canceled_at = None
    subscription.cancel_reason = subscription.feedback = None


def pause_collection(
    world: World, subscription: Subscription, behaviour: PauseBehaviour, resumes_at: int | None
) -> None:
    """Its invoices are not collected until `resumes_at`, or until somebody resumes it."""
    subscription.pause = Pause(behaviour, resumes_at)
    world.changed(subscription.customer)
    if resumes_at is not None:
        world.at(resumes_at, subscription.customer, resume_collection, subscription, resumes_at)


def resume_collection(world: World, subscription: Subscription, planned: int | None = None) -> None:
    """No longer paused; with `planned`, only if the pause was to end then."""
    pause = subscription.pause
    if pause is not None and planned in {None, pause.resumes_at}:
        subscription.pause = None
        world.changed(subscription.customer)


def resume_paused(world: World, subscription: Subscription) -> None:
    """A subscription that paused at its trial's end for want of a payment method goes on, and is billed at once."""
    if subscription.status != "paused":
        return
    for item in subscription.items:
        restart(item, world.now)
    subscription.anchor = world.now
    activate(world, subscription)
    lines = list(invoicing.period_lines(world, subscription, subscription.items))
    invoicing.finalize(world, invoicing.make(world, subscription, "subscription_update", lines))
    _schedule(world, subscription)


def change(
    world: World,
    subscription: Subscription,
    item: Item,
    *,
    plan: Plan | None = None,
    quantity: int | None = None,
    proration: Proration = "create_prorations",
) -> None:
    """Another plan or quantity from now on. Another billing interval begins a new period and is billed at once."""
    old = (item.plan, item.quantity or 0)
    new = (plan or item.plan, item.quantity or 0 if quantity is None else quantity)
    moved = (old[0].interval, old[0].interval_count) != (new[0].interval, new[0].interval_count)
    lines: list[Line] = []
    if proration != "none" and subscription.status != "trialing":
        lines = list(invoicing.proration_lines(item, old, new, world.now, moved=moved))
    item.plan = new[0]
    item.quantity = None if new[0].metered else new[1]
    world.changed(subscription.customer)
    if moved:
        restart(item, world.now)
        subscription.anchor = world.now
        lines += invoicing.period_lines(world, subscription, [item])
        _schedule(world, subscription)
    settle(world, subscription, lines, at_once=moved or proration == "always_invoice")


def settle(world: World, subscription: Subscription, lines: Sequence[Line], *, at_once: bool) -> None:
    """Bill prorations now, or leave them to the next invoice."""
    if at_once and lines:
        invoicing.finalize(world, invoicing.make(world, subscription, "subscription_update", lines))
    else:
        subscription.pending += tuple(lines)


def give_discount(
    world: World,
    coupon: Coupon,
    customer: Customer,
    *,
    subscription: Subscription | None = None,
    item: Item | None = None,
) -> Discount:
    """Put a coupon on an item, a subscription, or the customer (whose subscriptions inherit it)."""
    end_at = None if coupon.months is None else shift(world.now, "month", coupon.months)
    number = numbered(customer.number, customer.discounts)
    discount = Discount(number, coupon, customer, world.now, end_at, subscription, item)
    customer.discounts += 1
    if item is not None:
        item.discounts = (*item.discounts, discount)
    elif subscription is not None:
        subscription.discounts = (*subscription.discounts, discount)
    else:
        customer.discount = discount
    if end_at is not None:
        world.at(end_at, customer, invoicing.drop_discount, discount)
    world.changed(customer)
    return discount
