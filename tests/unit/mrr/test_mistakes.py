"""Mistakes that others shipped, each as the test that would have caught it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.mrr.core import instant_of
from services.mrr.policy import PROFITWELL
from tests.unit.mrr.build import discount, invoice, item, line, mrr, price, subscription, tiered, worth
from tests.unit.mrr.story import SUBJECT, Story, day


def test_history_is_not_valued_at_todays_price_where_an_invoice_tells_the_price_of_then() -> None:
    told = Story().see(subscription(item(price(5000, id="price_new"))), 90, change="backfilled")
    for number, start in enumerate((0, 31, 59)):
        billed = line(1000, start=day(start), days=(31, 28, 31)[number], price="price_old")
        told.see(invoice(billed, name=f"in_{number}"), 90, change="backfilled")
    assert told.rows() == [(0, 0, 1000, "new"), (90, 1000, 5000, "expansion")]


def test_cents_are_not_converted_twice() -> None:
    assert mrr(subscription(item(price(1999)))) == 1999


def test_yen_are_not_cents() -> None:
    assert mrr(subscription(item(price(1999, currency="jpy")), currency="jpy")) == 1999


def test_dinars_of_three_decimals_are_counted_as_stripe_counts_them() -> None:
    yearly = subscription(item(price(12_000, "year", currency="kwd"), 2), currency="kwd")
    assert mrr(yearly) == 2000


@pytest.mark.parametrize(("interval", "count"), [("week", 2), ("year", 2), ("day", 10)])
def test_an_interval_count_is_not_ignored(interval: str, count: int) -> None:
    once, counted = (mrr(subscription(item(price(1000, interval, n)))) for n in (1, count))
    assert counted * count == once


def test_an_amount_off_a_yearly_plan_is_not_taken_every_month() -> None:
    assert mrr(subscription(item(price(12_000, "year")), discounts=[discount(amount=1200)])) == 900


def test_a_metered_item_without_a_quantity_is_not_one() -> None:
    assert mrr(subscription(item(price(1000, usage_type="metered"), None))) == 0


def test_a_tiered_price_without_an_amount_is_not_nothing() -> None:
    assert mrr(subscription(item(tiered("volume", (None, 700, 0)), 3))) == 2100


def test_a_tiered_price_whose_tiers_are_not_shown_is_unknown_and_not_silently_nothing() -> None:
    found = worth(subscription(item(tiered("volume"), 3)))
    assert found.basis == "unknown"
    assert "cannot be read" in found.items[0].steps[0]
    told = Story().see(subscription(item(tiered("volume"), 3)), 0, change="created")
    balances = told.ledger(until=1).balances(day(1) * 1_000_000)
    assert [(one.currency, one.mrr, one.basis, one.unvalued) for one in balances] == [("usd", 0, "unknown", 1)]


def test_not_only_the_singular_discount_is_read() -> None:
    assert mrr(subscription(discounts=[discount("di_1", percent=50), discount("di_2", percent=50)])) == 250


def test_the_singular_discount_of_older_shapes_is_read_and_not_twice() -> None:
    shown = discount("di_1", percent=50)
    assert mrr(subscription(discounts=["di_1"], discount=shown)) == 500


@pytest.mark.parametrize("coupon", [discount(amount=5000), discount(percent=100)])
def test_mrr_is_never_negative(coupon: dict[str, object]) -> None:
    told = Story().see(subscription(discounts=[coupon]), 0, change="created")
    assert told.rows() == []


def test_yesterdays_amount_does_not_meet_todays_interval() -> None:
    told = Story().see(subscription(item(price(12_000, "year", id="price_year"))), 40, change="backfilled")
    told.see(invoice(line(1500, price="price_month")), 40, change="backfilled")
    assert told.rows() == [(0, 0, 1500, "new"), (31, 1500, 1000, "contraction")]


def test_no_row_is_ever_in_the_future() -> None:
    months = discount(percent=20, duration="repeating", end=day(90))
    told = Story(PROFITWELL).see(subscription(discounts=[months]), 1, change="created")
    for until in (1, 30, 89):
        assert all(row[0] <= until for row in told.rows(until=until))
    assert instant_of(told.state().book.due or 0) == datetime.fromtimestamp(day(90), UTC)


def test_currencies_are_not_summed() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(item(price(700, currency="eur")), name="sub_2", currency="eur"), 0, change="created")
    assert told.play().customers() == {"cus_1": {"usd": 1000, "eur": 700}}


def test_plans_swapped_back_and_forth_leave_no_residue() -> None:
    """Thirds of a unit a month each way: rounded apart they would add up."""
    monthly, yearly = item(price(1000)), item(price(12_001, "year", id="price_2"), name="si_2")
    told = Story().see(subscription(monthly), 0, change="created")
    for number in range(1, 41):
        told.see(subscription(yearly if number % 2 else monthly), number)
    assert told.rows() == [(0, 0, 1000, "new")]
    for number in range(41, 81):
        told.see(subscription(item(price(10_000, "year"), 1 + number % 2)), number)
    assert told.play().customers() == {"cus_1": {"usd": 833}}
    assert sum(m.mrr_after - m.mrr_before for m in told.play().movements) == 833


def test_the_updates_of_a_subscription_are_not_capped() -> None:
    told = Story().see(subscription(), 0, change="created")
    for number in range(1, 201):
        told.see(subscription(item(quantity=1 + number)), number)
    assert len(told.rows()) == 201
    assert told.rows()[-1] == (200, 200_000, 201_000, "expansion")


def test_a_trial_that_ends_near_midnight_counts_at_that_instant() -> None:
    midnight = day(14) - 1
    trial = subscription(status="trialing", trial_end=midnight)
    told = Story().see(trial, 0, change="created").see(subscription(trial_end=midnight), 14.01)
    at = told.play().standing()[SUBJECT][0][1]
    assert at == datetime.fromtimestamp(day(14), UTC) - timedelta(seconds=1)


def test_more_than_ten_items_count_although_the_object_is_cut() -> None:
    shown = [item(price(100), name=f"si_{number:02}") for number in range(10)]
    long = subscription(*shown)
    long["items"]["has_more"] = True
    told = Story().see(long, 0, change="created")
    lines = [line(100, of=f"si_{number:02}") for number in range(10)]
    told.see(invoice(*lines, line(700, of="si_10"), line(50, of="si_11")), 0, change="created")
    assert told.rows()[-1][2] == 1000 + 700 + 50
    assert {movement.basis for movement in told.play().movements[-1:]} == {"invoice"}


def test_more_than_ten_items_count_although_the_invoice_is_cut_too() -> None:
    shown = [item(price(100), name=f"si_{number:02}") for number in range(10)]
    long = subscription(*shown)
    long["items"]["has_more"] = True
    bill = invoice(*[line(100, of=f"si_{number:02}") for number in range(10)], subtotal=1750)
    bill["lines"]["has_more"] = True
    told = Story().see(long, 0, change="created").see(bill, 0, change="created")
    assert told.rows()[-1][2] == 1750


def _eleven(*, hidden_tiers: str, of: int = 11) -> dict[str, Any]:
    """So many items of 100 of which the object carries ten, and the tiers of one of these are not shown."""
    hidden = tiered("graduated", id="price_tiers")
    sold = [item(price(100), name=f"si_{number:02}") for number in range(of)]
    sold = [one | {"price": hidden, "quantity": 7} if one["id"] == hidden_tiers else one for one in sold]
    long = subscription(*sold[:10])
    long["items"]["has_more"] = of > 10
    return long


def _cut_bill(subtotal: int) -> dict[str, Any]:
    """An invoice that shows the lines of nine plain items, and not those of the tiers."""
    bill = invoice(*[line(100, of=f"si_{number:02}") for number in range(10) if number != 3], subtotal=subtotal)
    bill["lines"]["has_more"] = True
    return bill


def test_tiers_that_no_invoice_shows_a_line_of_are_worth_what_the_invoice_bills_beside_the_others() -> None:
    told = Story().see(_eleven(hidden_tiers="si_03", of=10), 0, change="created").see(_cut_bill(900 + 555), 0)
    assert told.rows()[-1][2] == 900 + 555
    balance = told.ledger(until=1).balances(day(1) * 1_000_000)[0]
    assert (balance.mrr, balance.basis, balance.unvalued) == (1455, "invoice", 0)


def test_tiers_that_no_invoice_shows_stay_what_they_were_when_another_item_goes() -> None:
    told = Story().see(_eleven(hidden_tiers="si_03"), 0, change="created").see(_cut_bill(1000 + 555), 0)
    assert told.rows()[-1][2] == 1000 + 555
    assert told.ledger(until=1).balances(day(1) * 1_000_000)[0].unvalued == 0
    fewer = _eleven(hidden_tiers="si_03")
    members = [one for one in fewer["items"]["data"] if one["id"] != "si_00"]
    fewer["items"] = {"data": [*members, item(price(100), name="si_10")], "has_more": False}
    told.see(fewer, 9)
    assert told.rows()[-1] == (9, 1555, 1455, "contraction")


def test_parts_add_up_to_their_whole() -> None:
    """Two plans of 100.00 a year are 16.67 together, not 16.66."""
    both = subscription(item(price(10_000, "year")), item(price(10_000, "year"), name="si_2"))
    told = Story().see(both, 0, change="created")
    movement = told.play().movements[0]
    assert movement.mrr_after == 1667
    assert sorted(one["mrr"] for one in movement.detail["items"]) == [833, 834]
