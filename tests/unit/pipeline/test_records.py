"""Records, dead letters and outbox rows: what is in their headers and where they go."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letters import REASON, row_of_dead_letter, source_of
from pipeline.errors import BadRecord
from pipeline.outbox import decode_headers, encode_headers, row_of
from pipeline.processor import Message
from pipeline.records import LogPartition, Record
from pipeline.sources import RETRY_SECONDS, backoff
from pipeline.timers import was_read
from schemas.catalogue import CHURN_SIGNAL
from schemas.partition import partition_of
from tests.fixtures.records import at, record


def test_observed_at_is_the_observation_not_the_event_where_both_are_there() -> None:
    assert record(observed_at=at(5)).observed_at == at(5)
    assert record(observed_at=at(5), observedat="2026-01-01T00:00:07.000000Z").observed_at == at(7)


@pytest.mark.parametrize("headers", [(), (("ce_id", b""),), (("ce_id", b"\xff"),)])
def test_a_header_that_is_missing_or_no_text_is_a_bad_record(headers: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(BadRecord, match="ce_id"):
        _ = replace(record(), headers=headers).id


def test_a_time_that_is_none_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="RFC 3339"):
        _ = replace(record(), headers=(("ce_time", b"yesterday"),)).observed_at


def test_a_dead_letter_keeps_the_bytes_and_the_headers_and_says_why() -> None:
    poison = replace(record(7, partition=3), value=b"\x00not json")
    row = row_of_dead_letter(poison, "not JSON", group="mirror")
    assert (row.topic, row.partition, row.lane, row.key) == ("mirror.dlq.v1", 3, 3, b"counting.one.v1/3/7")
    assert row.value == poison.value
    assert dict(row.headers)[REASON] == b"not JSON"
    assert set(poison.headers) < set(row.headers)


@given(
    st.binary(max_size=20) | st.none(),
    st.binary(min_size=1, max_size=20),
    st.lists(st.tuples(st.text(max_size=8).filter(lambda n: not n.startswith("dlq_")), st.binary(max_size=9))),
)
def test_a_dead_letter_sent_back_is_the_record_it_was(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    origin = Record("counting.one.v1", 3, 7, key, value, tuple(headers), 123)
    row = row_of_dead_letter(origin, "why", group="mirror")
    sent_back = Record("mirror.retry.v1", row.partition, 0, row.key, row.value, row.headers, 456)
    assert source_of(sent_back) == origin


def test_a_retry_that_does_not_say_where_it_is_from_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="dlq_partition"):
        source_of(record())


def test_a_message_goes_to_the_partition_of_its_subject() -> None:
    message = Message(CHURN_SIGNAL, "con/cus", "con/cus#x@1", "id", "w", b"{}", at(0), "con", headers={"code": "x"})
    row = row_of(message, source="dropfix/detector")
    assert row.lane == row.partition == partition_of("con/cus", 8)
    headers = dict(row.headers)
    assert (headers["ce_id"], headers["ce_source"], headers["ce_code"]) == (b"id", b"dropfix/detector", b"x")
    assert headers["ce_connectionid"] == b"con"


def test_a_message_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="without a key"):
        row_of(Message(CHURN_SIGNAL, "con/cus", "", "id", "w", b"{}", at(0)), source="x")


@given(st.lists(st.tuples(st.text(), st.binary())))
def test_headers_come_out_of_the_outbox_as_they_went_in(headers: list[tuple[str, bytes]]) -> None:
    assert decode_headers(encode_headers(tuple(headers))) == tuple(headers)


def test_a_timer_waits_until_every_input_is_read_to_its_end() -> None:
    one, two = LogPartition("one", 0), LogPartition("two", 0)
    assert was_read({one: 5, two: 9}, {one: 5, two: 8})
    assert not was_read({one: 4, two: 9}, {one: 5, two: 8})
    assert not was_read({one: 5}, {one: 5, two: 1})
    assert was_read({one: 5}, {one: 5, two: 0})


def test_waiting_grows_and_has_an_end() -> None:
    assert [backoff(n) for n in (1, 2, 99)] == [RETRY_SECONDS[0], RETRY_SECONDS[1], RETRY_SECONDS[-1]]
