"""Items beyond those that Stripe lists in a subscription, before any invoice tells of them."""

from typing import Any

import pytest

from tests.unit.mrr.build import START, discount, invoice, item, line, price, subscription
from tests.unit.mrr.story import Story, day


@pytest.mark.parametrize("change", ["created", "backfilled"])
def test_items_that_are_not_carried_and_that_no_invoice_tells_of_are_shown_as_unknown(change: Any) -> None:
    long = subscription(*(item(price(120_000, "year", id=f"p{n:02}"), name=f"si_{n:02}") for n in range(10)))
    long["items"]["has_more"] = True
    told = Story().see(long, 200, change=change)
    (balance,) = told.ledger(201).balances(day(201) * 1_000_000)
    assert (balance.mrr, balance.basis, balance.unvalued) == (100_000, "unknown", 1)
    movement = told.play(201).movements[-1]
    assert movement.basis == "unknown", "a row that leaves something out claims no exactness"
    hidden = next(one for one in movement.detail["items"] if one["item"] == "*")
    assert (hidden["mrr"], hidden["basis"]) == (0, "unknown")
    assert "more items than" in hidden["steps"][-1]


def test_an_item_that_is_not_carried_leaves_an_amount_off_a_yearly_plan_once_a_year() -> None:
    long = subscription(item(price(120_000, "year")), discounts=[discount(amount=12_000)], start_date=START)
    long["items"]["has_more"] = True
    assert Story().see(long, 0, change="created").rows() == [(0, 0, 9000, "new")]


def test_an_invoice_that_bills_the_whole_tells_of_the_items_that_are_not_carried() -> None:
    long = subscription(item(price(1000)))
    long["items"]["has_more"] = True
    bill = invoice(line(1000), line(10, of="si_2"), subtotal=3000)
    bill["lines"]["has_more"] = True
    told = Story().see(long, 0, change="created").see(bill, 1)
    assert told.play(2).customers() == {"cus_1": {"usd": 3000}}
    (balance,) = told.ledger(2).balances(day(2) * 1_000_000)
    assert (balance.basis, balance.unvalued) == ("invoice", 0)
