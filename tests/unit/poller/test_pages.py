"""From an answer's bytes to objects, each with exactly the bytes that Stripe sent for it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.poller.errors import UnreadableAnswer
from services.poller.kinds import Kind
from services.poller.reading.capabilities import WANTED
from services.poller.reading.pages import Page, looks_like, read_object, read_page
from services.poller.reading.queries import Query
from tests.unit.poller import builders as make

WIDE = Query("subscription", expand=WANTED["subscription"]).expand_in_list


def page(kind: Kind, *objects: Any, expand: frozenset[str] = frozenset(), **fields: Any) -> Page:
    body = make.encode({"object": "list", "data": list(objects), "has_more": False, "url": "/v1/x", **fields})
    return read_page(body, kind, expand)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(-9, 9)), max_size=5))
def test_an_object_keeps_its_bytes_whatever_stands_around_it(contents: list[dict[str, Any]]) -> None:
    objects = [{**content, "id": f"ch_{index}", "object": "charge"} for index, content in enumerate(contents)]
    slices = [json.dumps(each, indent=3, ensure_ascii=False).encode() for each in objects]
    body = b'{"has_more" : false,\n "data": [' + b" ,\n".join(slices) + b"]}"
    assert [found.raw for found in read_page(body, "charge", frozenset()).listed] == slices


def test_a_page_says_where_it_goes_on() -> None:
    found = page("charge", make.charge(2), make.charge(1), has_more=True, next_page="p2", total_count=7)
    assert (found.has_more, found.next_page, found.total_count) == (True, "p2", 7)
    assert found.oldest is not None
    assert found.oldest.id == "ch_1"


def test_neighbours_that_were_read_whole_are_objects_too() -> None:
    content = make.subscription(customer=make.customer(), latest_invoice=make.invoice())
    found = page("subscription", content, expand=WIDE)
    assert [(each.kind, each.id, each.whole) for each in found.neighbours] == [
        ("customer", "cus_1", True),
        ("invoice", "in_1", True),
    ]
    assert [json.loads(each.raw) for each in found.neighbours] == [content["customer"], content["latest_invoice"]]
    assert found.neighbours[1].expanded == {"payments"}


def test_an_invoice_whose_payments_were_not_asked_for_is_not_whole() -> None:
    content = make.subscription(latest_invoice=make.invoice())
    found = page("subscription", content, expand=frozenset({"data.latest_invoice"}))
    assert [each.whole for each in found.neighbours] == [False]
    assert [each.whole for each in found.listed] == [False]


def test_a_neighbour_that_nobody_asked_for_is_left_in_its_parent() -> None:
    assert page("charge", make.charge(customer=make.customer())).neighbours == ()


def test_a_neighbour_of_several_objects_is_read_once() -> None:
    both = [make.subscription(number, customer=make.customer()) for number in (1, 2)]
    assert len(page("subscription", *both, expand=WIDE).neighbours) == 1


def test_a_deleted_customer_is_whole_and_says_so() -> None:
    found = page(
        "subscription", make.subscription(customer={"id": "cus_1", "object": "customer", "deleted": True}), expand=WIDE
    )
    assert [(each.deleted, each.whole) for each in found.neighbours] == [(True, True)]


def test_the_customer_is_found_expanded_or_not() -> None:
    assert make.read("charge", make.charge()).customer == "cus_1"
    assert make.read("charge", make.charge(customer=make.customer(7))).customer == "cus_7"
    assert make.read("customer", make.customer(3)).customer == "cus_3"
    assert make.read("charge", make.charge(customer=None)).customer is None


def test_facts_are_read_from_older_shapes_too() -> None:
    acacia = {"id": "in_1", "subscription": "sub_9", "payment_intent": "pi_9", "status": "open", "attempted": True}
    facts = make.read("invoice", acacia).facts
    assert (facts.subscription, facts.payment_intents) == ("sub_9", ("pi_9",))
    older = make.read("subscription", {"id": "sub_1", "current_period_start": 5, "status": "active"}).facts
    assert older.period_start == 5


def test_an_object_with_next_to_no_fields_is_read() -> None:
    found = make.read("charge", {"id": "ch_1"})
    assert (found.facts.created, found.facts.status, found.customer) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b"<xml/>", "XML"),
        (b'{"data": [{"id": "ch_1"', "in the middle"),
        (b'{"hello": 1}', "another shape"),
        (b'{"data": {"id": 1}}', "another shape"),
    ],
)
def test_an_answer_that_is_no_list_is_named_and_not_quoted(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableAnswer, match=says):
        read_page(body, "charge", frozenset())
    assert says.partition(" ")[2] in looks_like(body) or says in looks_like(body)


def test_an_object_without_an_id_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="no id"):
        read_object(b'{"object": "charge"}', "charge", frozenset())
