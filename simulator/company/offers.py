"""What a customer buys: plans, quantities, trial, coupon and how they pay."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.company.catalogue import RARE, Catalogue
from simulator.company.chance import Chance
from simulator.company.model import Coupon, Customer, MissingMethod, Plan
from simulator.company.subscriptions import Terms
from simulator.company.world import World

Wanted = list[tuple[Plan, int | None]]

_FAMILIES = (
    (28.0, "starter"),
    (26.0, "pro"),
    (12.0, "business"),
    (14.0, "team"),
    (3.0, "storage"),
    (4.0, "pack"),
    (5.0, "scale"),
    (4.0, "volume"),
    (4.0, "free"),
)
_CADENCES = (
    (73.0, "month"),
    (16.0, "year"),
    (4.0, "3 month"),
    (3.0, "week"),
    (2.0, "2 week"),
    (1.0, "10 day"),
    (1.0, "2 year"),
)
_MISSING: tuple[tuple[float, MissingMethod], ...] = ((4, "cancel"), (3, "pause"), (3, "create_invoice"))
_COUPONS = (
    (4.0, "FRIENDS20"),
    (1.5, "NONPROFIT50"),
    (0.5, "PARTNER100"),
    (3.0, "SPRING25"),
    (3.0, "WELCOME30"),
    (3.0, "LOYAL5"),
    (2.0, "LAUNCH10"),
    (2.0, "SORRY15"),
)
_MOST_SEATS = {
    "team": 40, "storage": 400, "pack": 95, "scale": 60, "volume": 120,
    "crew": 40, "bundle": 95, "metro": 300, "bulk": 200,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    wanted: Wanted
    terms: Terms
    customer_coupon: Coupon | None = None


def choose(world: World, customer: Customer, *, trials: float) -> Offer:
    """What a new customer buys; `trials` is the share of those who try first."""
    chance, plans = customer.chance, world.catalogue
    family = chance.weighted(_FAMILIES)
    if family == "free":
        return Offer([(plans.plan("free", customer.currency, "month"), 1)], Terms())
    if chance.happens(0.003):
        return Offer(_everything(plans, chance, customer.currency), Terms())
    cadence = chance.weighted(_CADENCES)
    plan = plans.find(family, customer.currency, cadence) or plans.plan(family, customer.currency, "month")
    wanted: Wanted = [(plan, seats(plan, chance))]
    flexible = _extras(plans, chance, wanted)
    coupon = None if flexible or not chance.happens(0.16) else _coupon(plans, chance, customer.currency)
    holder = chance.weighted(((6.0, "subscription"), (2.0, "item"), (3.0, "customer"))) if coupon else None
    terms = Terms(
        trial_days=_trial_days(customer, trials),
        missing_method=chance.weighted(_MISSING),
        coupon=coupon if holder == "subscription" else None,
        item_coupon=coupon if holder == "item" else None,
        flexible=flexible,
    )
    if family in {"business", "team"} and customer.method is not None and chance.happens(0.12):
        terms = Terms(collection_method="send_invoice", days_until_due=chance.pick((7, 14, 30)), coupon=terms.coupon)
    return Offer(wanted, terms, coupon if holder == "customer" else None)


def again(world: World, customer: Customer) -> Offer:
    """A plain further subscription: a second product, or a customer who comes back."""
    chance, plans = customer.chance, world.catalogue
    plan = plans.plan(chance.pick(("starter", "pro", "team")), customer.currency, chance.pick(("month", "year")))
    return Offer([(plan, seats(plan, chance))], Terms())


def seats(plan: Plan, chance: Chance) -> int:
    most = _MOST_SEATS.get(plan.family, 1)
    return 1 if most == 1 else max(1, int(most * chance.unit() ** 2))


def _trial_days(customer: Customer, trials: float) -> int:
    """Who has no payment method can only try."""
    if customer.method is not None and not customer.chance.happens(trials):
        return 0
    return customer.chance.weighted(((3.0, 7), (6.0, 14), (1.0, 30)))


def _extras(plans: Catalogue, chance: Chance, wanted: Wanted) -> bool:
    """Perhaps add-ons; True when their billing intervals differ from the first plan's."""
    plan = wanted[0][0]
    if plan.interval not in {"month", "year"} or plan.interval_count != 1:
        return False
    if plan.interval == "month" and chance.happens(0.05):
        wanted.append((plans.plan("usage", plan.currency, "month"), None))
    mixed = chance.happens(0.015)
    if mixed or chance.happens(0.08):
        cadence = {"month": "year", "year": "month"}[plan.interval] if mixed else plan.interval
        wanted.append((plans.plan("addon", plan.currency, cadence), chance.between(1, 3)))
    return mixed


def _everything(plans: Catalogue, chance: Chance, currency: str) -> Wanted:
    """Every monthly plan at once: more items than an object carries inline."""
    monthly: Sequence[Plan] = [
        plan
        for (family, code, cadence), plan in plans.plans.items()
        if code == currency and cadence == "month" and family not in RARE
    ]
    return [(plan, None if plan.metered else seats(plan, chance)) for plan in monthly]


def _coupon(plans: Catalogue, chance: Chance, currency: str) -> Coupon:
    name = chance.weighted(_COUPONS)
    return plans.coupons.get(name) or plans.coupons[f"{name}-{currency.upper()}"]
