"""What happens only in a company of full variety: everything that Stripe Billing can do to a price, rare or not.

Drawn beside the usual life and from the same chance, and never by the usual company, so that one stays as it is.
What Stripe leaves no trace of is avoided here as there: a tiered item changes at a renewal only, and an amount comes
off where all items of a subscription are billed together.
"""

from dataclasses import replace

from simulator.company import invoicing, items, subscriptions
from simulator.company.catalogue import CURRENCIES
from simulator.company.model import Coupon, Customer, Discount, Item, Plan, Subscription
from simulator.company.offers import Offer, seats
from simulator.company.periods import DAY, HOUR
from simulator.company.whims import Whims, proration_of
from simulator.company.world import World

_RARE_PLANS = (
    ("suite", "month"),
    ("suite", "year"),
    ("crew", "6 month"),
    ("crew", "4 week"),
    ("crew", "day"),
    ("bundle", "month"),
    ("bundle", "year"),
    ("decade", "3 year"),
    ("metro", "year"),
    ("metro", "3 month"),
    ("bulk", "month"),
    ("bulk", "week"),
)
_TIERED = ("scale", "volume", "bulk")
_TWINS = {"pro": "suite", "suite": "pro"}
_PERCENTS = ("THIRD", "EIGHTH", "FRIENDS20", "NONPROFIT50", "SPRING25", "WELCOME30")
_AMOUNTS = ("SIXTY", "LOYAL5", "LAUNCH10", "SORRY15")


def enriched(world: World, customer: Customer, offer: Offer) -> Offer:
    """Every fourth buys a rare plan instead, and some a quantity of nothing beside it."""
    chance, plans = customer.chance, world.catalogue
    if len(offer.wanted) > 2 or not chance.happens(0.25):
        return offer
    family, cadence = chance.pick(_RARE_PLANS)
    plan = plans.plan(family, customer.currency, cadence)
    wanted: list[tuple[Plan, int | None]] = [(plan, seats(plan, chance))]
    if cadence in {"month", "year"} and chance.happens(0.2):
        wanted.append((plans.plan("addon", customer.currency, cadence), 0))
    return replace(offer, wanted=wanted, terms=replace(offer.terms, flexible=False))


def stack_coupons(world: World, customer: Customer) -> None:
    """More discounts beside what was sold: on the customer, the subscription and an item, in any combination."""
    chance, sold = customer.chance, customer.subscriptions[-1]
    if customer.discount is None and chance.happens(0.12):
        subscriptions.give_discount(world, _coupon(world, sold, amounts=False), customer)
    while chance.happens(0.15):
        _another_coupon(world, sold)


def perhaps_move_abroad(customer: Customer) -> None:
    """Who comes back owing nothing may pay in another currency."""
    if customer.balance == 0 and customer.discount is None and customer.chance.happens(0.3):
        customer.currency = customer.chance.pick(CURRENCIES)


def plan_trial(world: World, subscription: Subscription) -> None:
    """Some trials end early, or are prolonged."""
    chance, span = subscription.customer.chance, subscription.next_renewal - world.now
    when = world.now + chance.between(HOUR, span - 2 * HOUR)
    if chance.happens(0.1):
        world.at(when, subscription.customer, subscriptions.move_trial_end, subscription, when)
    elif chance.happens(0.1):
        later = subscription.next_renewal + chance.between(1, 20) * DAY
        world.at(when, subscription.customer, subscriptions.move_trial_end, subscription, later)


def _together(subscription: Subscription) -> bool:
    """Whether all items are billed by the same invoice."""
    return len({item.plan.cadence for item in subscription.items}) == 1


def _coupon(world: World, subscription: Subscription, *, amounts: bool = True) -> Coupon:
    chance = subscription.customer.chance
    if amounts and _together(subscription) and chance.happens(0.4):
        return world.catalogue.coupons[f"{chance.pick(_AMOUNTS)}-{subscription.currency.upper()}"]
    return world.catalogue.coupons[chance.pick(_PERCENTS)]


def _another_coupon(world: World, subscription: Subscription) -> None:
    customer, chance = subscription.customer, subscription.customer.chance
    item = chance.pick(subscription.items) if chance.happens(0.4) else None
    if subscription.ended or len(subscription.discounts) > 3 or (item is not None and item.plan.metered):
        return
    subscriptions.give_discount(world, _coupon(world, subscription), customer, subscription=subscription, item=item)


def _coupon_taken_back(world: World, subscription: Subscription) -> None:
    inherited = (subscription.customer.discount,) if subscription.customer.discount else ()
    given: list[Discount] = [*subscription.discounts, *inherited]
    given += [discount for item in subscription.items for discount in item.discounts]
    if given:
        invoicing.drop_discount(world, subscription.customer.chance.pick(given))


def _swap_at_the_same_price(world: World, subscription: Subscription) -> None:
    item = subscription.items[0]
    plan = _sibling(world, item, _TWINS.get(item.plan.family, ""))
    if plan is not None:
        chance = subscription.customer.chance
        subscriptions.change(world, subscription, item, plan=plan, proration=proration_of(chance, item))


def _other_tiers(world: World, subscription: Subscription) -> None:
    """Tiers, or another number in them, from the next renewal on."""
    item, chance = subscription.items[0], subscription.customer.chance
    if item.plan.family in {*_TIERED, "pro", "starter"} and item.next_quantity is None:
        plan = _sibling(world, item, chance.pick(_TIERED))
        if plan is not None:
            items.put_off(item, plan, seats(plan, chance))


def _sibling(world: World, item: Item, family: str) -> Plan | None:
    return world.catalogue.find(family, item.plan.currency, item.plan.cadence)


def _add_on(world: World, subscription: Subscription) -> None:
    chance, first = subscription.customer.chance, subscription.items[0]
    plan = _sibling(world, first, chance.pick(("addon", "pro", "team")))
    if plan is not None and _together(subscription) and len(subscription.items) < 6:
        items.add(world, subscription, plan, chance.between(0, 3), proration_of(chance, first))


def _drop_item(world: World, subscription: Subscription) -> None:
    chance = subscription.customer.chance
    if len(subscription.items) > 1 and _together(subscription):
        item = chance.pick(subscription.items[1:])
        items.remove(world, subscription, item, proration_of(chance, item))


def _no_seats(world: World, subscription: Subscription) -> None:
    """Kept for another day, at a quantity of nothing."""
    item = subscription.items[0]
    if item.plan.per_seat and not item.plan.tiers and item.quantity:
        subscriptions.change(world, subscription, item, quantity=0, proration="none")


def _back_to_months(world: World, subscription: Subscription) -> None:
    item = subscription.items[0]
    if len(subscription.items) == 1 and item.plan.cadence == "year" and not item.plan.tiers:
        plan = world.catalogue.find(item.plan.family, subscription.currency, "month")
        if plan is not None:
            subscriptions.change(world, subscription, item, plan=plan)


def _leave_in_some_periods(world: World, subscription: Subscription) -> None:
    """A cancellation on a date beyond the period that runs."""
    span = subscription.next_renewal - subscription.items[0].start
    at = subscription.next_renewal + subscription.customer.chance.between(1, 2 * span)
    subscriptions.cancel_later(world, subscription, at)


WHIMS: Whims = (
    (0.03, _another_coupon),
    (0.03, _coupon_taken_back),
    (0.05, _swap_at_the_same_price),
    (0.02, _other_tiers),
    (0.03, _add_on),
    (0.08, _drop_item),
    (0.006, _no_seats),
    (0.02, _back_to_months),
    (0.006, _leave_in_some_periods),
)
