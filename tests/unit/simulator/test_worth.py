"""What a subscription is worth a month, told by hand."""

from fractions import Fraction

import pytest

from simulator.company import subscriptions
from simulator.company.model import Coupon, Plan, Tier
from simulator.company.subscriptions import Terms
from tests.unit.simulator.story import Story, amount, percent, plan


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.mark.parametrize(
    ("wanted", "mrr"),
    [
        ([(plan(1900), 1)], 1900),
        ([(plan(1200), 7)], 8400),
        ([(plan(10_000, interval="year"), 1)], 833),
        ([(plan(100, interval="year"), 1), (plan(19_900, interval="year"), 1)], 1667),
        ([(plan(3000, count=3), 1)], 1000),
        ([(plan(600, interval="week"), 1)], 2600),
        ([(plan(1200, interval="week", count=2), 1)], 2600),
        ([(plan(1200, interval="day", count=10), 1)], 3650),
        ([(plan(Fraction(25, 2)), 3)], 38),
        ([(plan(2500, divide_by=10), 11)], 5000),
        ([(plan(None, tiers=(Tier(5, 1000), Tier(None, 600, 500))), 7)], 5000 + 1200 + 500),
        ([(plan(None, tiers=(Tier(5, 1000), Tier(None, 600, 500)), volume=True), 7)], 4200 + 500),
        ([(plan(1900), 1), (plan(100, metered=True), None)], 1900),
        ([(plan(0), 1)], 0),
    ],
)
def test_mrr_of_items(story: Story, wanted: list[tuple[Plan, int | None]], mrr: int) -> None:
    story.life.used = 40
    story.sell(*wanted)
    assert story.mrr() == ({"usd": mrr} if mrr else {})


@pytest.mark.parametrize(
    ("terms", "customer_coupon", "mrr"),
    [
        (Terms(coupon=percent(20)), None, 8000),
        (Terms(coupon=percent(100)), None, 0),
        (Terms(coupon=amount(500)), None, 9500),
        (Terms(coupon=amount(50_000)), None, 0),
        (Terms(coupon=percent(10), item_coupon=percent(50)), None, 4500),
        (Terms(coupon=percent(10), item_coupon=amount(1000)), None, 8100),
        (Terms(coupon=Coupon(3, "once", "once", percent_off=Fraction(30))), None, 10_000),
        (Terms(coupon=Coupon(4, "spring", "repeating", 3, percent_off=Fraction(30))), None, 10_000),
        (Terms(), percent(25), 7500),
        (Terms(coupon=percent(20)), percent(25), 8000),
    ],
)
def test_mrr_of_discounts(story: Story, terms: Terms, customer_coupon: Coupon | None, mrr: int) -> None:
    if customer_coupon is not None:
        story.world.act(lambda world: subscriptions.give_discount(world, customer_coupon, story.who))
    story.sell((plan(10_000), 1), terms=terms)
    assert story.mrr() == ({"usd": mrr} if mrr else {})


def test_an_amount_off_a_yearly_plan_comes_off_once_a_year(story: Story) -> None:
    story.sell((plan(120_000, interval="year"), 1), terms=Terms(coupon=amount(12_000)))
    assert story.mrr() == {"usd": 9000}
