"""A scripted company with one customer, whose story a test tells."""

from fractions import Fraction
from typing import Any

from simulator.company import subscriptions
from simulator.company.invariants import violations
from simulator.company.model import Coupon, Plan, Subscription, Tier
from simulator.company.periods import Interval
from simulator.company.script import ScriptedLife, customer
from simulator.company.subscriptions import Terms
from simulator.company.world import World
from simulator.founding import Company, scripted
from simulator.truth.report import report

START = 1_788_220_800  # 2026-09-01T00:00:00Z


def plan(
    amount: int | Fraction | None,
    *,
    interval: Interval = "month",
    count: int = 1,
    currency: str = "usd",
    tiers: tuple[Tier, ...] = (),
    volume: bool = False,
    metered: bool = False,
    divide_by: int | None = None,
) -> Plan:
    return Plan(
        number=0,
        product=0,
        family="test",
        name="Test",
        nickname=None,
        currency=currency,
        interval=interval,
        interval_count=count,
        unit_amount=None if amount is None else Fraction(amount),
        tiers=tiers,
        tiers_mode=None if not tiers else "volume" if volume else "graduated",
        metered=metered,
        divide_by=divide_by,
    )


def percent(off: int) -> Coupon:
    return Coupon(1, "percent", "forever", percent_off=Fraction(off))


def amount(off: int) -> Coupon:
    return Coupon(2, "amount", "forever", amount_off=off, currency="usd")


class Story:
    """A scripted company with one customer."""

    def __init__(self) -> None:
        self.company: Company
        self.life: ScriptedLife
        self.company, self.life = scripted(now=START)
        self.world: World = self.company.world
        self.who = customer(self.world)

    def sell(self, *wanted: tuple[Plan, int | None], terms: Terms | None = None) -> Subscription:
        sold: list[Subscription] = []
        self.world.act(lambda world: sold.append(subscriptions.begin(world, self.who, list(wanted), terms)))
        return sold[0]

    def mrr(self) -> dict[str, int]:
        return self.company.record.mrr_at(self.world.now)

    def wait(self, seconds: int) -> None:
        self.world.advance(self.world.now + seconds)
        assert violations(self.world) == []

    def truth(self, days: int = 30) -> dict[str, Any]:
        return report(self.world, self.company.record, self.company.ids, days=days)
