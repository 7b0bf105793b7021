"""From Stripe's objects to rows: every column, in any version of the API, whatever odd values come."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from pipeline.errors import BadRecord
from pipeline.records import Record
from services.mirror.columns import Value
from services.mirror.observation import Observation, newest, observe
from services.mirror.readers import TABLES
from simulator.company.life import Growth
from simulator.founding import Company, found
from simulator.render.view import Shape
from tests.accounts import CONNECTION, WORKSPACE, Observer, objects

NOW = 1_790_000_000
SHAPES = (Shape.ACACIA, Shape.BASIL, Shape.DAHLIA)
TOLD_OTHERWISE = {
    "invoice": {"charge_id", "payment_intent_id", "paid_out_of_band"},
    "charge": {"invoice_id"},
    "subscription": {"current_period_start", "current_period_end", "discounts"},
    "customer": set[str](),
}
"""Columns that not every version can fill: before basil a subscription had one period whatever its items' are."""
ODD: tuple[object, ...] = (None, [], {}, "text", 10**30, -1.5, True, ["a"], {"data": [1]})


@cache
def company(seed: int = 3) -> Company:
    return found(seed=seed, now=NOW, growth=Growth(customers=200))


@cache
def records(shape: Shape = Shape.BASIL) -> list[Record]:
    return Observer(company(), shape=shape).look()


def row_of(observation: Observation) -> dict[str, Value]:
    assert observation.content is not None
    return dict(zip(observation.table.columns, observation.content, strict=True))


def one(kind: str, **fields: Any) -> dict[str, Value]:
    return TABLES[kind].read({"id": "x_1", "object": kind, **fields}, "cus_1")


@pytest.mark.parametrize("kind", TABLES)
def test_a_row_has_the_columns_of_its_table_in_their_order(kind: str) -> None:
    assert list(one(kind)) == list(TABLES[kind].columns)
    for _, obj in objects(company(), kind):
        assert list(TABLES[kind].read(obj, "cus_1")) == list(TABLES[kind].columns)


@pytest.mark.parametrize("kind", TABLES)
def test_a_value_is_of_its_columns_type_or_none_whatever_stripe_sends(kind: str) -> None:
    types = {"text": str, "bigint": int, "boolean": bool, "timestamptz": int, "jsonb": str}
    sample = dict(next(obj for seed in (3, 4) for _, obj in objects(company(seed), kind)))
    for odd in ODD:
        strange = dict.fromkeys(sample, odd) | {"id": sample["id"]}
        for name, value in TABLES[kind].read(strange, "cus_1").items():
            assert value is None or type(value) is types[TABLES[kind].columns[name]]
            assert not isinstance(value, int) or abs(value) < 2**63


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["customer", "subscription", "invoice", "charge"])
def test_the_rows_of_an_account_are_the_same_in_every_version_of_the_api(kind: str, shape: Shape) -> None:
    topic = f"stripe.{kind}.raw.v1"
    rows = [observe(record) for record in records(shape) if record.topic == topic]
    pinned = [observe(record) for record in records() if record.topic == topic]
    for row, same in zip(rows, pinned, strict=True):
        if row.content is not None:
            ours, theirs = row_of(row), row_of(same)
            assert {k: v for k, v in ours.items() if k not in TOLD_OTHERWISE[kind]} == {
                k: v for k, v in theirs.items() if k not in TOLD_OTHERWISE[kind]
            }


def test_a_subscription_has_its_trial_its_period_and_its_plan() -> None:
    row = one(
        "subscription",
        status="trialing",
        trial_start=100,
        trial_end=200,
        items={
            "data": [
                {
                    "id": "si_1",
                    "quantity": 3,
                    "current_period_start": 100,
                    "current_period_end": 200,
                    "price": {
                        "id": "price_1",
                        "product": "prod_1",
                        "unit_amount": 1900,
                        "currency": "usd",
                        "recurring": {"interval": "month", "interval_count": 1},
                    },
                },
                {"id": "si_2", "current_period_start": 90, "current_period_end": 300, "price": {"id": "price_2"}},
            ]
        },
        discounts=["di_unread", {"id": "di_1", "coupon": {"id": "FRIENDS20"}}],
    )
    assert (row["trial_start"], row["trial_end"]) == (100, 200)
    assert (row["current_period_start"], row["current_period_end"]) == (90, 300)
    assert (row["price_id"], row["product_id"], row["quantity"], row["unit_amount"]) == ("price_1", "prod_1", 3, 1900)
    assert (row["billing_interval"], row["interval_count"], row["item_count"]) == ("month", 1, 2)
    assert [item["item_id"] for item in json.loads(str(row["items"]))] == ["si_1", "si_2"]
    assert json.loads(str(row["discounts"])) == [
        {"discount_id": "di_1", "coupon_id": "FRIENDS20"},
        {"discount_id": "di_unread", "coupon_id": None},
    ]


def test_a_charge_says_why_it_failed_and_on_which_card() -> None:
    row = one(
        "charge",
        status="failed",
        failure_code="card_declined",
        outcome={"reason": "insufficient_funds", "type": "issuer_declined", "advice_code": "try_again_later"},
        payment_method_details={"type": "card", "card": {"brand": "visa", "last4": "4242", "exp_year": 2030}},
    )
    assert (row["failure_code"], row["decline_code"]) == ("card_declined", "insufficient_funds")
    assert (row["card_brand"], row["card_last4"], row["card_exp_year"]) == ("visa", "4242", 2030)


def test_a_disputes_customer_is_the_owner_of_its_subject() -> None:
    assert one("dispute")["customer_id"] == "cus_1"
    assert TABLES["dispute"].read({"id": "du_1"}, "du_1")["customer_id"] is None


def test_an_observation_says_whose_it_is_and_where_it_lies() -> None:
    record = records()[0]
    observation = observe(record)
    assert (observation.workspace_id, observation.connection_id) == (WORKSPACE, CONNECTION)
    assert (observation.topic, observation.partition, observation.offset) == (
        record.topic,
        record.partition,
        record.offset,
    )
    assert observation.livemode is False


def changed(record: Record, **headers: bytes | None) -> Record:
    kept = tuple(pair for pair in record.headers if pair[0] not in headers)
    return replace(record, headers=(*kept, *((name, value) for name, value in headers.items() if value is not None)))


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'{"object": "customer"}', b'{"id": ""}', b"\xff"])
def test_a_value_that_is_no_object_with_an_id_is_a_bad_record(value: bytes) -> None:
    with pytest.raises(BadRecord, match="the customer cannot be read"):
        observe(replace(records()[0], value=value))


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_partitionkey": None},
        {"ce_workspaceid": None},
        {"ce_objectversion": b"-1"},
        {"ce_objectversion": b"9" * 20},
        {"ce_observedat": b"soon"},
        {"ce_workspaceid": b"\xff"},
    ],
)
def test_a_header_that_is_missing_or_malformed_is_named(headers: dict[str, bytes | None]) -> None:
    with pytest.raises(BadRecord, match=next(iter(headers))):
        observe(changed(records()[0], **headers))


def test_characters_that_no_table_can_hold_are_left_out() -> None:
    value = json.dumps({"id": "cus_1", "name": "A\0B", "metadata": {"k\0": "\0v"}}).encode()
    row = row_of(observe(replace(records()[0], value=value)))
    assert (row["name"], row["metadata"]) == ("AB", '{"k":"v"}')


def test_of_a_batch_the_newest_content_and_a_later_deletion_of_each_object_remain() -> None:
    first = observe(records()[0])
    second = replace(first, version=first.version + 1)
    gone = replace(first, version=first.version + 2, content=None)
    other = observe(records()[1])
    assert newest([second, first, other]) == [second, other]
    assert newest([gone, first, second, other]) == [second, other, gone]


def test_a_deleted_customer_is_a_row_without_content() -> None:
    value = b'{"id": "cus_1", "object": "customer", "deleted": true}'
    assert observe(changed(replace(records()[0], value=value), ce_change=b"deleted")).deleted
