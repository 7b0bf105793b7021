"""Items that come and go while a subscription runs."""

from simulator.company import invoicing, subscriptions
from simulator.company.model import Item, Plan, Subscription
from simulator.company.subscriptions import Proration
from simulator.company.world import World


def add(
    world: World, subscription: Subscription, plan: Plan, quantity: int, proration: Proration = "create_prorations"
) -> Item:
    """Another plan of the interval of the first, in step with it; the rest of the period is charged."""
    first = subscription.items[0]
    item = subscriptions.add_item(world, subscription, plan, quantity)
    item.anchor, item.start, item.end, item.cycles = first.anchor, first.start, first.end, first.cycles
    _prorate(world, subscription, item, (0, quantity), proration)
    world.changed(subscription.customer)
    return item


def remove(world: World, subscription: Subscription, item: Item, proration: Proration = "create_prorations") -> None:
    """One item less; the rest of the period is credited."""
    subscription.items.remove(item)
    _prorate(world, subscription, item, (item.quantity or 0, 0), proration)
    world.changed(subscription.customer)


def put_off(item: Item, plan: Plan, quantity: int | None = None) -> None:
    """Another plan of the same interval, and quantity, from the next renewal on."""
    item.next_plan, item.next_quantity = plan, quantity


def _prorate(
    world: World, subscription: Subscription, item: Item, quantities: tuple[int, int], proration: Proration
) -> None:
    if proration == "none" or subscription.status == "trialing" or item.plan.metered:
        return
    before, after = quantities
    lines = invoicing.proration_lines(item, (item.plan, before), (item.plan, after), world.now)
    kept = [line for line in lines if line.quantity]
    subscriptions.settle(world, subscription, kept, at_once=proration == "always_invoice")
