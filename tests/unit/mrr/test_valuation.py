"""What a subscription is worth a month: every rule of the definition."""

from fractions import Fraction
from typing import Any

import pytest

from services.mrr.policy import BAREMETRICS, PROFITWELL, STRIPE, Policy
from tests.unit.mrr.build import DAY, START, discount, item, mrr, price, subscription, tiered, worth

GRADUATED = [(5, 1000, 0), (20, 800, 500), (None, 600, 0)]
VOLUME = [(10, 900, 0), (50, 700, 0), (None, 500, 2000)]


@pytest.mark.parametrize(
    ("interval", "count", "expected"),
    [
        ("month", 1, Fraction(1200)),
        ("month", 3, Fraction(400)),
        ("year", 1, Fraction(100)),
        ("year", 2, Fraction(50)),
        ("week", 1, Fraction(5200)),
        ("week", 2, Fraction(2600)),
        ("day", 1, Fraction(36500)),
        ("day", 10, Fraction(3650)),
    ],
)
def test_an_interval_becomes_a_month(interval: str, count: int, expected: Fraction) -> None:
    assert mrr(subscription(item(price(1200, interval, count)))) == expected


def test_a_quantity_multiplies() -> None:
    assert mrr(subscription(item(price(1000), 7))) == 7000


def test_a_quantity_of_nothing_is_worth_nothing() -> None:
    assert mrr(subscription(item(price(1000), 0))) == 0


def test_a_licensed_item_without_a_quantity_is_one() -> None:
    assert mrr(subscription(item(price(1000), None))) == 1000


@pytest.mark.parametrize(("quantity", "packs"), [(1, 1), (10, 1), (11, 2), (20, 2)])
def test_a_quantity_is_divided_into_packs_and_rounded_up(quantity: int, packs: int) -> None:
    of = price(2500, transform_quantity={"divide_by": 10, "round": "up"})
    assert mrr(subscription(item(of, quantity))) == 2500 * packs


@pytest.mark.parametrize(("quantity", "packs"), [(1, 0), (10, 1), (19, 1)])
def test_a_quantity_is_divided_into_packs_and_rounded_down(quantity: int, packs: int) -> None:
    of = price(2500, transform_quantity={"divide_by": 10, "round": "down"})
    assert mrr(subscription(item(of, quantity))) == 2500 * packs


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(1, 1000), (5, 5000), (6, 5000 + 800 + 500), (20, 5000 + 12_000 + 500), (30, 5000 + 12_000 + 500 + 6000)],
)
def test_graduated_tiers_charge_each_band_and_the_flat_amounts_of_those_reached(quantity: int, expected: int) -> None:
    assert mrr(subscription(item(tiered("graduated", *GRADUATED), quantity))) == expected


@pytest.mark.parametrize(("quantity", "expected"), [(1, 900), (10, 9000), (11, 7700), (50, 35_000), (51, 27_500)])
def test_volume_tiers_charge_the_whole_quantity_at_the_band_reached(quantity: int, expected: int) -> None:
    assert mrr(subscription(item(tiered("volume", *VOLUME), quantity))) == expected


def test_a_yearly_tiered_price_is_divided_by_twelve() -> None:
    of = tiered("volume", *VOLUME) | {"recurring": {"interval": "year", "interval_count": 1}}
    assert mrr(subscription(item(of, 10))) == Fraction(9000, 12)


def test_a_fraction_of_a_minor_unit_counts_exactly() -> None:
    assert mrr(subscription(item(price("12.5"), 3))) == Fraction(75, 2)
    assert mrr(subscription(item(price("0.000000000001"), 1))) == Fraction(1, 10**12)


def test_a_metered_item_is_worth_nothing_beforehand() -> None:
    assert mrr(subscription(item(price(1000, usage_type="metered"), None), item(price(500), name="si_2"))) == 500


def test_a_one_off_price_is_worth_nothing_a_month() -> None:
    assert mrr(subscription(item(price(1000, recurring=None, type="one_time")))) == 0


def test_items_with_different_intervals_count_each_with_its_own() -> None:
    both = subscription(item(price(1200, "year")), item(price(500), name="si_2"))
    assert mrr(both) == 100 + 500


def test_a_percentage_comes_off() -> None:
    assert mrr(subscription(discounts=[discount(percent=20)])) == 800


def test_a_percentage_with_decimals_is_exact() -> None:
    assert mrr(subscription(discounts=[discount(percent=33.33)])) == 1000 - Fraction(3333, 10)


def test_several_percentages_compound() -> None:
    both = [discount("di_1", percent=20), discount("di_2", percent=50)]
    assert mrr(subscription(discounts=both)) == 400


def test_percentages_come_off_before_amounts() -> None:
    both = [discount("di_1", amount=200), discount("di_2", percent=50)]
    assert mrr(subscription(discounts=both)) == 300


def test_an_items_own_discount_comes_off_before_the_subscriptions() -> None:
    cheap = item(price(1000), discounts=[discount("di_1", amount=200)])
    assert mrr(subscription(cheap, discounts=[discount("di_2", percent=50)])) == 400


def test_an_items_own_discount_leaves_the_other_items_alone() -> None:
    cheap = item(price(1000), discounts=[discount(percent=50)])
    assert mrr(subscription(cheap, item(price(300), name="si_2"))) == 800


def test_an_amount_off_is_shared_over_the_items_by_their_worth() -> None:
    both = subscription(item(price(3000)), item(price(1000), name="si_2"), discounts=[discount(amount=400)])
    assert [one.exact for one in worth(both).items] == [2700, 900]


def test_an_amount_off_a_yearly_plan_comes_off_once_a_year() -> None:
    assert mrr(subscription(item(price(12_000, "year")), discounts=[discount(amount=1200)])) == 900


def test_an_amount_off_comes_off_as_often_as_there_is_an_invoice() -> None:
    both = subscription(item(price(12_000, "year")), item(price(500), name="si_2"), discounts=[discount(amount=100)])
    assert mrr(both) == 1000 + 500 - 100


def test_an_amount_off_never_takes_more_than_there_is() -> None:
    assert mrr(subscription(discounts=[discount(amount=5000)])) == 0


def test_an_amount_off_in_another_currency_comes_off_nothing() -> None:
    assert mrr(subscription(), inherited=[discount(amount=500, currency="eur")]) == 1000


def test_an_amount_off_is_taken_in_the_subscriptions_currency_where_the_coupon_has_it() -> None:
    coupon = discount(amount=500, currency="eur", currency_options={"usd": {"amount_off": 300}})
    assert mrr(subscription(discounts=[coupon])) == 700


def test_everything_off_is_nothing() -> None:
    assert mrr(subscription(discounts=[discount(percent=100)])) == 0


def test_a_discount_restricted_to_a_product_leaves_the_others_alone() -> None:
    only = discount(percent=50, applies_to={"products": ["prod_2"]})
    other = item(price(1000, product="prod_2"), name="si_2")
    assert mrr(subscription(item(price(1000)), other, discounts=[only])) == 1500


@pytest.mark.parametrize(
    ("duration", "policy", "expected"),
    [
        ("forever", STRIPE, 800),
        ("repeating", STRIPE, 1000),
        ("once", STRIPE, 1000),
        ("forever", PROFITWELL, 800),
        ("repeating", PROFITWELL, 800),
        ("once", BAREMETRICS, 800),
    ],
)
def test_a_policy_says_which_durations_count(duration: str, policy: Policy, expected: int) -> None:
    assert mrr(subscription(discounts=[discount(percent=20, duration=duration)]), policy) == expected


def test_a_discount_holds_from_its_start_to_its_end() -> None:
    later = discount(percent=20, start=START + DAY, end=START + 2 * DAY, duration="repeating")
    values = [mrr(subscription(discounts=[later]), PROFITWELL, at=START + day * DAY) for day in range(3)]
    assert values == [1000, 800, 1000]


def test_a_customers_discount_is_inherited_by_a_subscription_that_has_none() -> None:
    assert mrr(subscription(), inherited=[discount(percent=50)]) == 500


def test_a_customers_discount_and_the_subscriptions_own_never_both_come_off() -> None:
    own = subscription(discounts=[discount("di_own", percent=10)])
    assert mrr(own, inherited=[discount("di_customer", percent=50)]) == 900


def test_a_tax_beside_the_price_is_no_part_of_it() -> None:
    rates = [{"percentage": 20.0, "inclusive": False}]
    assert mrr(subscription(item(price(1200), tax_rates=rates))) == 1200


@pytest.mark.parametrize("place", ["item", "subscription"])
def test_a_tax_inside_the_price_is_taken_out(place: str) -> None:
    rates: list[dict[str, Any]] = [{"percentage": 20.0, "inclusive": True}]
    of = price(1200, tax_behavior="inclusive")
    where = (
        subscription(item(of, tax_rates=rates)) if place == "item" else subscription(item(of), default_tax_rates=rates)
    )
    assert mrr(where) == 1000


@pytest.mark.parametrize("behaviour", [{}, {"tax_behavior": "unspecified"}], ids=["older", "unspecified"])
def test_a_tax_rate_says_itself_that_it_is_inside_the_price(behaviour: dict[str, Any]) -> None:
    rates = [{"percentage": 20.0, "inclusive": True}]
    assert mrr(subscription(item(price(1200, **behaviour)), default_tax_rates=rates)) == 1000
    assert mrr(subscription(item(price(1200, **behaviour), tax_rates=rates))) == 1000


def test_an_items_own_tax_rates_stand_instead_of_the_subscriptions() -> None:
    own = item(price(1100, tax_behavior="inclusive"), tax_rates=[{"percentage": 10, "inclusive": True}])
    assert mrr(subscription(own, default_tax_rates=[{"percentage": 20, "inclusive": True}])) == 1000


def test_a_price_in_several_currencies_counts_in_the_subscriptions() -> None:
    of = price(1000, currency_options={"eur": {"unit_amount": 900, "unit_amount_decimal": "900"}})
    assert mrr(subscription(item(of), currency="eur")) == 900


def test_a_price_whose_amount_in_the_subscriptions_currency_is_not_shown_is_unknown_and_says_so() -> None:
    found = worth(subscription(item(price(1000)), currency="eur"))
    assert found.exact == 0
    assert found.basis == "unknown"
    assert "cannot be read" in found.items[0].steps[0]


def test_an_amount_that_no_table_could_hold_is_not_counted_and_says_so() -> None:
    found = worth(subscription(item(price(2**62), 4)))
    assert found.exact == 0
    assert found.basis == "unknown"
    assert found.items[0].steps[-1] == "too large for any table: not counted"


def test_the_steps_say_how_a_number_came_about() -> None:
    of = price(12_000, "year", transform_quantity={"divide_by": 10, "round": "up"}, tax_behavior="inclusive")
    what = item(of, 11, tax_rates=[{"percentage": 20, "inclusive": True}])
    found = worth(subscription(what, discounts=[discount(percent=10), discount("di_2", amount=1200)]))
    assert found.items[0].steps == [
        "12000 × 11 in packs of 10: 24000",
        "× 1/12 (every 1 year)",
        "− 10 % (discount di_1)",
        "− 100 a month (discount di_2: 1200 an invoice)",
        "inclusive tax of 20 % taken out",
    ]
