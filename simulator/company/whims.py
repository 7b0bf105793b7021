"""What customers do of their own accord while a subscription runs, drawn once for each period of it."""

from collections.abc import Callable, Sequence

from simulator.company import customers, subscriptions
from simulator.company.chance import Chance
from simulator.company.habits import new_method
from simulator.company.model import Item, PauseBehaviour, Subscription
from simulator.company.periods import DAY, HOUR
from simulator.company.subscriptions import Proration
from simulator.company.world import World

_LADDER = ("starter", "pro", "business")
_FEEDBACK = ("too_expensive", "missing_features", "switched_service", "unused", "customer_service", None)
_PRORATIONS: tuple[tuple[float, Proration], ...] = ((2, "none"), (5, "create_prorations"), (3, "always_invoice"))
_PAUSES: tuple[tuple[float, PauseBehaviour], ...] = ((3, "void"), (3, "mark_uncollectible"), (2, "keep_as_draft"))


Whims = Sequence[tuple[float, Callable[[World, Subscription], None]]]
"""What may happen, each with its probability in a month."""


def plan_period(world: World, subscription: Subscription, also: Whims = ()) -> None:
    """Draw what is going to happen in the period that begins: the usual whims, then those of `also`."""
    span = subscription.next_renewal - world.now
    if span < 2 * DAY or is_free(subscription):
        return
    customer, chance, months = subscription.customer, subscription.customer.chance, min(12.0, span / (30 * DAY))
    for monthly, whim in (*_WHIMS, *also):
        if chance.happens(monthly * months):
            when = world.now + chance.between(HOUR, span - 2 * HOUR)
            world.at(when, customer, _if_calm, whim, subscription)


def plan_trial(world: World, subscription: Subscription) -> None:
    """Draw what happens in a trial: leaving before it ends, or leaving a card."""
    customer, chance = subscription.customer, subscription.customer.chance
    span = subscription.next_renewal - world.now
    when = world.now + chance.between(HOUR, span - 2 * HOUR)
    if chance.happens(0.04):
        world.at(when, customer, subscriptions.cancel_now, subscription)
    elif chance.happens(0.22):
        world.at(when, customer, _cancel_later, subscription)
    if customer.method is None and chance.happens(0.4):
        world.at(world.now + chance.between(HOUR, span - 2 * HOUR), customer, _leave_card, subscription)


def is_free(subscription: Subscription) -> bool:
    return all(item.plan.family == "free" for item in subscription.items)


def _if_calm(world: World, whim: Callable[[World, Subscription], None], subscription: Subscription) -> None:
    """People do these things while all is well: active, paid for, not paused and not leaving."""
    calm = subscription.status == "active" and subscription.pause is None and subscription.cancel_at is None
    if calm and subscription.customer.deleted_at is None and subscription.next_renewal > world.now + HOUR:
        whim(world, subscription)


def _seats(world: World, subscription: Subscription) -> None:
    chance = subscription.customer.chance
    items = [item for item in subscription.items if item.plan.per_seat]
    if not items:
        return
    item = chance.pick(items)
    before = item.quantity or 1
    after = max(1, round(before * (0.6 + chance.unit()) + chance.pick((-1, 1))))
    if item.plan.tiers:
        item.next_quantity = after
    elif after != before:
        subscriptions.change(world, subscription, item, quantity=after, proration=proration_of(chance, item))


def _switch_plan(world: World, subscription: Subscription) -> None:
    chance, item = subscription.customer.chance, subscription.items[0]
    if item.plan.family not in _LADDER:
        return
    place = _LADDER.index(item.plan.family)
    family = _LADDER[place + 1 if place == 0 or (place == 1 and chance.happens(0.65)) else place - 1]
    plan = world.catalogue.find(family, subscription.currency, item.plan.cadence)
    if plan is not None:
        subscriptions.change(world, subscription, item, plan=plan, proration=proration_of(chance, item))


def _go_yearly(world: World, subscription: Subscription) -> None:
    """The commitment discount: a year at the price of ten months."""
    item = subscription.items[0]
    if len(subscription.items) == 1 and item.plan.cadence == "month":
        plan = world.catalogue.find(item.plan.family, subscription.currency, "year")
        if plan is not None:
            subscriptions.change(world, subscription, item, plan=plan)


def proration_of(chance: Chance, item: Item) -> Proration:
    """The money of a long or of a mixed period is settled at once, as companies do."""
    return "always_invoice" if item.plan.interval == "year" else chance.weighted(_PRORATIONS)


def _cancel_later(world: World, subscription: Subscription) -> None:
    if subscription.status not in {"active", "trialing"} or subscription.cancel_at is not None:
        return
    chance = subscription.customer.chance
    subscriptions.cancel_later(world, subscription, feedback=chance.pick(_FEEDBACK))
    left = subscription.next_renewal - world.now
    if chance.happens(0.2) and left > 2 * HOUR:
        world.at(world.now + chance.between(HOUR, left - HOUR), subscription.customer, subscriptions.keep, subscription)


def _cancel_on_date(world: World, subscription: Subscription) -> None:
    left = subscription.next_renewal - world.now
    if left > 2 * DAY:
        at = world.now + subscription.customer.chance.between(DAY, left - HOUR)
        subscriptions.cancel_later(world, subscription, at)


def _cancel_now(world: World, subscription: Subscription) -> None:
    subscriptions.cancel_now(world, subscription)


def _pause(world: World, subscription: Subscription) -> None:
    chance = subscription.customer.chance
    resumes_at = world.now + chance.between(8, 40) * DAY
    stated = chance.happens(0.7)
    behaviour = chance.weighted(_PAUSES)
    subscriptions.pause_collection(world, subscription, behaviour, resumes_at if stated else None)
    if not stated:
        world.at(resumes_at, subscription.customer, subscriptions.resume_collection, subscription)


def _coupon(world: World, subscription: Subscription) -> None:
    discounted = subscription.discounts or subscription.customer.discount or subscription.items[0].discounts
    if not discounted and not subscription.flexible:
        coupon = subscription.customer.chance.pick(("FRIENDS20", "SPRING25", f"LOYAL5-{subscription.currency.upper()}"))
        subscriptions.give_discount(
            world, world.catalogue.coupons[coupon], subscription.customer, subscription=subscription
        )


def _email(world: World, subscription: Subscription) -> None:
    customer = subscription.customer
    if customer.email is not None:
        local, _, domain = customer.email.partition("@")
        customers.change_email(world, customer, f"billing+{local.lower()}@{domain}")


def _new_card(world: World, subscription: Subscription) -> None:
    customers.replace_method(subscription.customer, new_method(subscription.customer, "good", world.now))


def _leave_card(world: World, subscription: Subscription) -> None:
    if subscription.customer.method is None:
        _new_card(world, subscription)


def _delete(world: World, subscription: Subscription) -> None:
    customers.delete(world, subscription.customer)


_WHIMS: Whims = (
    (0.16, _seats),
    (0.045, _switch_plan),
    (0.008, _go_yearly),
    (0.030, _cancel_later),
    (0.004, _cancel_on_date),
    (0.007, _cancel_now),
    (0.009, _pause),
    (0.007, _coupon),
    (0.007, _email),
    (0.010, _new_card),
    (0.001, _delete),
)
