"""What a plan costs for one of its own intervals, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from simulator.company.model import Plan, Tier


@dataclass(frozen=True, slots=True)
class Part:
    """One priced part of an item: Stripe makes an invoice line of each."""

    label: str
    quantity: int
    unit_amount: Fraction
    amount: Fraction


def billed_units(plan: Plan, quantity: int) -> int:
    """`quantity` after `transform_quantity`."""
    if plan.divide_by is None:
        return quantity
    whole, rest = divmod(quantity, plan.divide_by)
    return whole + (1 if rest and plan.round_up else 0)


def interval_parts(plan: Plan, quantity: int) -> list[Part]:
    """What `quantity` of `plan` costs for one interval, in the parts an invoice shows."""
    if plan.tiers_mode == "graduated":
        return list(_graduated(plan.tiers, quantity))
    if plan.tiers_mode == "volume":
        return list(_volume(plan.tiers, quantity))
    units = billed_units(plan, quantity)
    unit_amount = plan.unit_amount or Fraction(0)
    return [Part("", units, unit_amount, unit_amount * units)]


def interval_amount(plan: Plan, quantity: int) -> Fraction:
    """What `quantity` of `plan` costs for one interval, in minor units."""
    return sum((part.amount for part in interval_parts(plan, quantity)), Fraction(0))


def _graduated(tiers: tuple[Tier, ...], quantity: int) -> Iterator[Part]:
    below = 0
    for place, tier in enumerate(tiers, 1):
        inside = quantity - below if tier.up_to is None else min(quantity, tier.up_to) - below
        if inside <= 0:
            return
        yield Part(f"Tier {place}", inside, Fraction(tier.unit_amount), Fraction(tier.unit_amount * inside))
        if tier.flat_amount:
            yield Part(f"Tier {place} flat fee", 1, Fraction(tier.flat_amount), Fraction(tier.flat_amount))
        below += inside


def _volume(tiers: tuple[Tier, ...], quantity: int) -> Iterator[Part]:
    tier = next(tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to)
    yield Part("Volume", quantity, Fraction(tier.unit_amount), Fraction(tier.unit_amount * quantity))
    if tier.flat_amount:
        yield Part("Flat fee", 1, Fraction(tier.flat_amount), Fraction(tier.flat_amount))


def half_up(amount: Fraction) -> int:
    """The nearest integer; a half goes away from zero."""
    sign = -1 if amount < 0 else 1
    return sign * int((abs(amount) * 2 + 1) // 2)
