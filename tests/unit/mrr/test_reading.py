"""Stripe's objects as terms: the shapes of every version, and what breaks Stripe's own promises."""

from typing import Any

import msgspec
import pytest

from pipeline.errors import BadRecord
from services.mrr.errors import Unreadable
from services.mrr.processor import decode
from services.mrr.reading import read_customer, read_invoice, read_subscription
from services.mrr.terms import Discount, Line, SubscriptionTerms
from tests.unit.mrr.build import DAY, START, customer, discount, invoice, item, line, price, subscription, tiered
from tests.unit.mrr.feed import raw_record
from tests.unit.mrr.story import SUBJECT, Story


def _plan(**more: Any) -> dict[str, Any]:
    return {"id": "price_1", "amount": 1000, "currency": "usd", "interval": "month", "interval_count": 1, **more}


def test_a_plan_of_an_older_shape_is_read_like_a_price() -> None:
    old = subscription({"id": "si_1", "plan": _plan(usage_type="licensed", product="prod_1"), "quantity": 1})
    new = subscription(item(price(1000), created=0))
    assert read_subscription(old) == read_subscription(new)


def test_a_subscription_of_the_oldest_shape_has_its_plan_itself() -> None:
    old = subscription(plan=_plan(), quantity=3)
    old["items"] = {"object": "list", "data": [], "has_more": False}
    terms = read_subscription(old)
    assert [(one.quantity, one.price.unit) for one in terms.items] == [(3, 1000)]


def test_a_coupon_inside_a_source_is_read_where_it_was_expanded() -> None:
    new = discount(percent=20)
    new["source"] = {"type": "coupon", "coupon": new.pop("coupon")}
    assert read_subscription(subscription(discounts=[new])).discounts[0].percent == 20


def test_a_coupon_that_is_only_an_id_leaves_the_discount_unreadable_and_named() -> None:
    hidden = {"id": "di_1", "source": {"type": "coupon", "coupon": "abc"}, "start": START, "end": None}
    found = read_subscription(subscription(discounts=[hidden])).discounts
    assert found == (Discount(id="di_1", start=START),)
    assert not found[0].readable


def test_a_discount_with_an_end_is_a_repeating_one_even_if_its_coupon_cannot_be_read() -> None:
    hidden = {"id": "di_1", "source": {"type": "coupon", "coupon": "abc"}, "start": START, "end": START + DAY}
    assert read_subscription(subscription(discounts=[hidden])).discounts[0].duration == "repeating"


def test_discounts_that_were_not_asked_for_are_unknown_and_not_absent() -> None:
    assert read_subscription(subscription(discounts=["di_1"])).discounts == (Discount(id="di_1"),)


def test_the_order_in_which_stripe_lists_things_does_not_matter() -> None:
    one, two = item(name="si_1"), item(name="si_2")
    assert read_subscription(subscription(one, two)) == read_subscription(subscription(two, one))


def test_what_does_not_bear_on_mrr_makes_no_other_terms() -> None:
    renewed = subscription(latest_invoice="in_2", metadata={"a": "b"}, current_period_start=START + DAY)
    assert read_subscription(renewed) == read_subscription(subscription())


def test_a_decimal_amount_stands_before_the_rounded_one() -> None:
    assert read_subscription(subscription(item(price("12.5")))).items[0].price.unit == "12.5"
    assert read_subscription(subscription(item(price("12.50")))).items[0].price.unit == "12.5"
    assert read_subscription(subscription(item(price("12.000")))).items[0].price.unit == 12


def test_tiers_are_read_in_their_order_and_the_open_one_last() -> None:
    tiers = read_subscription(subscription(item(tiered("graduated", (None, 5, 0), (10, 9, 1))))).items[0].price.tiers
    assert tiers is not None
    assert [tier.up_to for tier in tiers] == [10, None]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (subscription(item(price(1000, "fortnight"))), "unknown interval 'fortnight'"),
        (subscription(item(price(1000, "month", 0))), "every 0 intervals"),
        (subscription(item(price(recurring={"interval": "month", "interval_count": "often"}))), "not a number"),
        (subscription(item(price(recurring={"interval": "month", "interval_count": 1.5}))), "not a whole number"),
        (subscription(item(price(recurring={"interval": "month", "interval_count": True}))), "not a number"),
        (subscription(item(price(recurring={"interval": "month", "interval_count": [3]}))), "not a number"),
        (subscription(item(price(transform_quantity={"divide_by": "dozen"}))), "not a number"),
        (subscription(item(quantity=-3)), "is negative: -3"),
        (subscription(item(quantity="many")), "not a number"),
        (subscription(item(quantity=1.5)), "not a whole number"),
        (subscription(item(quantity=True)), "not a number"),
        (subscription(currency="zzz"), "no currency"),
        (subscription(currency=None), "no currency"),
        (subscription(status=None), "no status"),
        (subscription(start_date=None, created=None), "neither when it started"),
        (subscription(item(price(2**63))), "beyond 64 bits"),
        (subscription(item(price("1e400"))), "no amount of anything"),
        (subscription(item(price("1e999999999"))), "no amount of anything"),
        (subscription(item(price("NaN"))), "no amount of anything"),
        (subscription(item(price("a lot"))), "not a number"),
        (subscription(item(price(-1))), "negative: -1"),
        (subscription(item(price(1000, transform_quantity={"divide_by": 0, "round": "up"}))), "divides its quantity"),
        (subscription({"id": "si_1", "quantity": 1}), "without an id or a price"),
        (subscription(discounts=[discount(percent=120)]), "120 per cent"),
        (subscription(discounts=[discount(amount=-5)]), "takes off -5"),
        (subscription(item(quantity=10**30)), "no count of anything"),
        (subscription(item(price(1000, "month", 10**30))), "no count of anything"),
        (subscription(item(tiered("volume", (10**30, 1, 0), (None, 1, 0)))), "no count of anything"),
        (subscription(item(price(transform_quantity={"divide_by": 10**30}))), "no count of anything"),
        (subscription(start_date=10**30), "no time"),
        (subscription(trial_end=2**62), "no time"),
        (subscription(discounts=[discount(percent=5, start=1e300)]), "no time"),
        (subscription(discounts=[discount(percent=5, applies_to={"products": 3})]), "no list of products"),
        (subscription(default_tax_rates=[{"id": "txr_1", "inclusive": True, "percentage": "x"}]), "not a number"),
        (subscription(default_tax_rates=[{"id": "txr_1", "inclusive": True, "percentage": -100}]), "txr_1 is -100"),
    ],
)
def test_what_breaks_stripes_own_promises_is_refused_with_the_reason(broken: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_subscription(broken)


@pytest.mark.parametrize("three", [3, "3", 3.0])
def test_a_whole_number_is_a_count_however_it_is_written(three: object) -> None:
    quarterly = price(recurring={"interval": "month", "interval_count": three})
    packed = price(transform_quantity={"divide_by": three, "round": "up"})
    bands = tiered("volume") | {"tiers": [{"up_to": three, "unit_amount": 9}, {"up_to": "inf", "unit_amount": 5}]}
    read = [read_subscription(subscription(item(of))).items[0].price for of in (quarterly, packed, bands)]
    tiers = read[2].tiers
    assert (read[0].count, read[1].divide_by, [tier.up_to for tier in tiers or ()]) == (3, 3, [3, None])


def test_a_subscription_without_items_is_refused_with_the_reason() -> None:
    empty = subscription()
    empty["items"]["data"] = []
    with pytest.raises(Unreadable, match="sub_1 has no items"):
        read_subscription(empty)


@pytest.mark.parametrize(
    "broken",
    [
        invoice(line(1000, start=2**62)),
        invoice(line(1000), status_transitions={"paid_at": 10**30}),
        invoice(line(1000, discount_amounts=[{"amount": 10**30, "discount": "di_1"}])),
        invoice(line(2**62), line(2**62), line(2**62)),
    ],
)
def test_an_invoice_that_no_table_could_hold_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_invoice(broken)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'{"id": 3}', b"\xff\xfe", b'{"id": "sub_1"}'])
def test_bytes_that_are_no_subscription_are_a_bad_record(value: bytes) -> None:
    whole = raw_record("subscription", subscription(), at=START, version=1)
    broken = type(whole)(
        whole.topic, whole.partition, whole.offset, whole.key, value, whole.headers, whole.timestamp_ms
    )
    with pytest.raises(BadRecord, match="sub_1 cannot be valued"):
        decode(broken)


def test_a_version_that_no_table_could_hold_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="larger than a version can be"):
        decode(raw_record("subscription", subscription(), at=START, version=2**63))


def test_the_rest_of_a_customer_goes_on_after_a_bad_record() -> None:
    told = Story().see(subscription(), 0, change="created")
    bad = raw_record("subscription", subscription(item(quantity=-1), name="sub_2"), at=START, version=9)
    with pytest.raises(BadRecord):
        decode(bad)
    told.see(subscription(item(quantity=2)), 1)
    assert told.play().customers() == {"cus_1": {"usd": 2000}}
    assert list(told.play().states) == [SUBJECT]


def test_a_deleted_customer_says_nothing() -> None:
    assert read_customer({"id": "cus_1", "object": "customer", "deleted": True}) is None


def test_a_customer_without_a_discount_says_that_it_has_none() -> None:
    found = read_customer(customer())
    assert found is not None
    assert found.discount is None


def test_an_invoice_of_no_subscription_says_nothing() -> None:
    alone = invoice(line(1000))
    alone["parent"] = None
    alone["lines"]["data"][0]["parent"] = {"type": "invoice_item_details"}
    assert read_invoice(alone) is None


def test_an_invoices_whole_periods_are_read_without_prorations_trials_and_usage() -> None:
    lines = [
        line(5000, of="si_1", start=START),
        line(1300, of="si_1", start=START),
        line(-700, of="si_1", start=START - DAY, proration=True),
        line(0, of="si_2", start=START),
        line(450, of="si_3", start=START - 31 * DAY),
    ]
    found = read_invoice(invoice(*lines))
    assert found is not None
    assert [(one.item, one.amount) for one in found.lines] == [("si_1", 6300)]


def test_an_invoice_of_the_older_shape_is_read_like_one_of_the_newer() -> None:
    old: dict[str, Any] = {"amount": 1000, "type": "subscription", "subscription": "sub_1", "subscription_item": "si_1"}
    old |= {"price": {"id": "price_1"}, "proration": False, "period": {"start": START, "end": START + 31 * DAY}}
    old |= {"tax_amounts": [{"amount": 100, "inclusive": True}]}
    old |= {"discount_amounts": [{"amount": 50, "discount": "di_1"}]}
    bill = invoice(old, subscription="sub_1")
    del bill["parent"]
    new = line(1000, taxes=[{"amount": 100, "tax_behavior": "inclusive"}], discount_amounts=old["discount_amounts"])
    assert read_invoice(bill) == read_invoice(invoice(new))
    found = read_invoice(bill)
    assert found is not None
    assert found.lines == (Line("si_1", "price_1", START, START + 31 * DAY, 1000, 100, (("di_1", 50),)),)


def test_the_terms_are_small() -> None:
    """A year's subscription of one item is a few hundred bytes, not the six thousand that Stripe sends."""
    terms = read_subscription(subscription(discounts=[discount(percent=20)]))
    stored = msgspec.msgpack.encode(terms)
    assert len(stored) < 300
    assert msgspec.msgpack.decode(stored, type=SubscriptionTerms) == terms
