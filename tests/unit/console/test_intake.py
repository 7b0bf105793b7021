"""What identify() and track() may send, and the records it becomes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import PRODUCT_IDENTIFY, PRODUCT_TRACK
from schemas.envelope import parse_envelope
from schemas.events.product import ProductMessage
from services.console.errors import Refused
from services.console.intake import (
    KINDS,
    MAX_MESSAGE_BYTES,
    Accepted,
    Kind,
    ProductRecord,
    decode_body,
    read_batch,
    read_single,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def single(kind: Kind, body: Mapping[str, Any], *, workspace_id: str = "ws_1") -> ProductRecord:
    numbers = count()
    accepted = read_single(
        kind,
        body,
        size=len(json.dumps(body)),
        workspace_id=workspace_id,
        now=NOW,
        new_id=lambda: f"generated-{next(numbers)}",
    )
    (record,) = accepted.records
    return record


def batch(body: Mapping[str, Any]) -> Accepted:
    return read_batch(body, workspace_id="ws_1", now=NOW, new_id=lambda: "generated")


def message(record: ProductRecord) -> ProductMessage:
    return ProductMessage.model_validate_json(record.value)


def refusal(kind: Kind, body: Mapping[str, Any]) -> Refused:
    with pytest.raises(Refused) as refused:
        single(kind, body)
    return refused.value


@pytest.mark.parametrize(
    ("kind", "extra", "topic"),
    [
        ("identify", {}, PRODUCT_IDENTIFY),
        ("group", {"groupId": "g"}, PRODUCT_IDENTIFY),
        ("alias", {"previousId": "anonymous"}, PRODUCT_IDENTIFY),
        ("track", {"event": "Exported"}, PRODUCT_TRACK),
        ("page", {"name": "Pricing"}, PRODUCT_TRACK),
        ("screen", {}, PRODUCT_TRACK),
    ],
)
def test_each_kind_goes_to_its_topic_under_its_user(kind: Kind, extra: dict[str, str], topic: object) -> None:
    record = single(kind, {"userId": "u1", "messageId": "m1", **extra})
    assert record.topic == topic
    assert record.subject == "ws_1/u1"
    assert record.key.startswith("ws_1/u1#m1@")
    assert message(record).type == kind


def test_a_retried_message_has_the_same_id() -> None:
    body = {"userId": "u1", "event": "Exported", "messageId": "m1"}
    assert single("track", body).envelope.id == single("track", body).envelope.id
    assert single("track", body).envelope.id != single("track", {**body, "messageId": "m2"}).envelope.id


def test_the_same_message_id_in_two_workspaces_is_two_messages() -> None:
    body = {"userId": "u1", "event": "Exported", "messageId": "m1"}
    mine, theirs = single("track", body), single("track", body, workspace_id="ws_2")
    assert mine.envelope.id != theirs.envelope.id
    assert mine.subject != theirs.subject


def test_a_message_without_an_id_is_given_one() -> None:
    assert message(single("track", {"userId": "u1", "event": "Exported"})).message_id == "generated-0"


def test_headers_are_cloudevents_of_the_product() -> None:
    record = single("track", {"anonymousId": "a1", "event": "Exported", "messageId": "m1"})
    envelope = parse_envelope(record.envelope.headers())
    assert (envelope.subject, envelope.workspace_id, envelope.connection_id) == ("ws_1/anon:a1", "ws_1", None)
    assert envelope.object_id == "m1"


def test_identify_takes_its_traits_beside_the_id_as_they_are() -> None:
    body = {
        "id": "u1",
        "name": "Ada",
        "email": "ada@example.com",
        "plan": "Team",
        "mrr": 49,
        "trial_ends": "2026-12-01",
    }
    identified = message(single("identify", body))
    assert identified.user_id == "u1"
    assert identified.traits == {key: value for key, value in body.items() if key != "id"}


def test_traits_that_are_named_twice_count_from_the_traits() -> None:
    assert message(single("identify", {"userId": "u", "plan": "A", "traits": {"plan": "B"}})).traits == {"plan": "B"}


@pytest.mark.parametrize(
    ("sent", "happened"),
    [
        ({}, NOW),
        ({"timestamp": "2026-11-24T11:00:00Z"}, NOW - timedelta(hours=1)),
        ({"timestamp": "2026-11-24T12:00:00+01:00"}, NOW - timedelta(hours=1)),
        ({"timestamp": "2026-11-24T11:00:00"}, NOW - timedelta(hours=1)),
        ({"timestamp": "2026-11-25T12:00:00Z"}, NOW),
        ({"timestamp": "2020-01-01T00:00:00Z", "sentAt": "2020-01-01T00:01:00Z"}, NOW - timedelta(minutes=1)),
    ],
)
def test_when_it_happened_is_the_senders_time_corrected_by_its_clock(sent: dict[str, str], happened: datetime) -> None:
    assert message(single("track", {"userId": "u", "event": "e", **sent})).timestamp == happened


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("identify", {}, "no_user"),
        ("identify", {"userId": ""}, "no_user"),
        ("identify", {"userId": ["u"]}, "bad_field"),
        ("identify", {"userId": True}, "bad_field"),
        ("identify", {"userId": "anon:x"}, "bad_field"),
        ("identify", {"userId": "a\nb"}, "bad_field"),
        ("identify", {"userId": "u" * 256}, "bad_field"),
        ("identify", {"userId": "u", "traits": "Ada"}, "bad_field"),
        ("track", {"userId": "u"}, "missing_field"),
        ("group", {"userId": "u"}, "missing_field"),
        ("alias", {"userId": "u"}, "missing_field"),
        ("track", {"userId": "u", "event": "e", "timestamp": "yesterday"}, "bad_time"),
        ("track", {"userId": "u", "event": "e", "timestamp": 1_700_000_000}, "bad_time"),
        ("track", {"userId": "u", "event": "e", "properties": {"text": "a\0b"}}, "nul_character"),
        ("track", {"userId": "u", "event": "e", "properties": {"x": "y" * MAX_MESSAGE_BYTES}}, "too_large"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(kind: Kind, body: dict[str, Any], code: str) -> None:
    assert refusal(kind, body).code == code


def test_a_message_without_an_end_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(40):
        nested = {"in": nested}
    assert refusal("track", {"userId": "u", "event": "e", "properties": nested}).code == "too_deep"
    with pytest.raises(Refused):
        decode_body(b'{"a":' * 20_000 + b"1" + b"}" * 20_000)


def test_a_number_is_taken_as_an_id() -> None:
    assert single("track", {"userId": 17, "event": "e"}).subject == "ws_1/17"


def test_one_bad_message_of_a_batch_does_not_lose_the_others() -> None:
    accepted = batch(
        {
            "batch": [
                {"type": "track", "userId": "u", "event": "one"},
                {"type": "track", "userId": "u"},
                {"type": "nonsense", "userId": "u"},
                "not a message",
                {"type": "identify", "userId": "u"},
            ]
        }
    )
    assert [message(record).type for record in accepted.records] == ["track", "identify"]
    assert [(each.index, each.refusal.code) for each in accepted.rejected] == [
        (1, "missing_field"),
        (2, "bad_type"),
        (3, "bad_message"),
    ]


def test_a_batch_without_a_good_message_is_refused() -> None:
    bodies: list[dict[str, Any]] = [{}, {"batch": []}, {"batch": "x"}, {"batch": [{"type": "track"}]}]
    for body in bodies:
        with pytest.raises(Refused):
            batch(body)


def test_what_a_batch_says_of_all_holds_for_each() -> None:
    accepted = batch(
        {
            "sentAt": "2020-01-01T00:01:00Z",
            "context": {"library": "x"},
            "batch": [{"type": "track", "userId": "u", "event": "e", "timestamp": "2020-01-01T00:00:00Z"}],
        }
    )
    (only,) = accepted.records
    assert message(only).timestamp == NOW - timedelta(minutes=1)
    assert message(only).context == {"library": "x"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(["userId", "anonymousId", "event", "traits", "properties", "timestamp", "name", "x"]), _json
    ),
)
def test_whatever_is_sent_is_a_record_or_a_refusal(kind: Kind, body: dict[str, Any]) -> None:
    try:
        record = single(kind, body)
    except Refused:
        return
    assert message(record).received_at == NOW
    assert parse_envelope(record.envelope.headers()).id == record.envelope.id


@given(st.binary(max_size=60))
def test_whatever_bytes_are_sent_are_an_object_or_a_refusal(body: bytes) -> None:
    try:
        decoded = decode_body(body)
    except Refused:
        return
    assert isinstance(decoded, dict)
