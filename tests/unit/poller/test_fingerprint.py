"""What counts as a change of an object, and what does not."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.poller.publishing.fingerprint import fingerprint
from tests.unit.poller import builders as make

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(each, order) for each in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    order.shuffle(names)
    return {name: shuffled(value[name], order) for name in names}


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_is_no_change(content: dict[str, Any], order: random.Random) -> None:
    assert fingerprint("charge", content) == fingerprint("charge", shuffled(content, order))


@given(
    st.dictionaries(st.sampled_from(["amount", "status", "metadata"]), VALUES, min_size=1),
    st.sampled_from(["amount", "status", "metadata"]),
    VALUES,
)
def test_another_value_is_a_change(content: dict[str, Any], name: str, value: Any) -> None:
    changed = {**content, name: value}
    same = name in content and repr(content[name]) == repr(value)
    assert (fingerprint("charge", content) == fingerprint("charge", changed)) is same


def test_links_that_differ_at_every_read_are_no_change() -> None:
    again = make.invoice(hosted_invoice_url="https://other", invoice_pdf=None)
    assert fingerprint("invoice", make.invoice()) == fingerprint("invoice", again)
    assert fingerprint("charge", make.charge()) == fingerprint("charge", make.charge(receipt_url="https://other"))


def test_a_link_is_left_out_only_of_the_kind_that_has_it() -> None:
    assert fingerprint("customer", {"receipt_url": "a"}) != fingerprint("customer", {"receipt_url": "b"})


def test_an_expanded_neighbour_counts_as_its_id() -> None:
    expanded = make.subscription(customer=make.customer(), latest_invoice=make.invoice())
    assert fingerprint("subscription", expanded) == fingerprint("subscription", make.subscription())
    changed = make.subscription(customer=make.customer(email="new@b.example"))
    assert fingerprint("subscription", changed) == fingerprint("subscription", make.subscription())
    assert fingerprint("subscription", make.subscription(customer="cus_2")) != fingerprint("subscription", expanded)


def test_what_belongs_to_the_object_counts_in_full() -> None:
    discounted = make.subscription(discounts=[{"id": "di_1", "coupon": {"percent_off": 20}}])
    dearer = make.subscription(discounts=[{"id": "di_1", "coupon": {"percent_off": 10}}])
    assert fingerprint("subscription", discounted) != fingerprint("subscription", dearer)
    paid = make.invoice(payments={"data": [{"status": "paid", "payment": {"payment_intent": "pi_1"}}]})
    assert fingerprint("invoice", make.invoice()) != fingerprint("invoice", paid)
