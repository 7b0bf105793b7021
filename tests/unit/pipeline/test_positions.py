"""Whether a log is still the one that the offsets belong to."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from pipeline.errors import LogReplaced, OffsetExpired
from pipeline.log import Bounds
from pipeline.offsets import Position
from pipeline.positions import Found, check_position
from pipeline.records import LogPartition
from schemas.catalogue import Topic
from tests.fixtures.records import record

ID, OTHER = UUID(int=1), UUID(int=2)
PLACE = LogPartition("counting.one.v1", 0)
FOR_EVER = Topic(name=PLACE.topic, about="", subject="subject", key="", model=None)
EXPIRING = replace(FOR_EVER, retention=timedelta(days=7))
BEFORE = record(9)
STORED = Position(topic_id=ID, next_offset=10, last_id=BEFORE.id)
FOUND = Found(topic_id=ID, bounds=Bounds(begin=0, end=20), before=BEFORE)


def test_the_stored_offset_holds_where_the_record_before_it_is_the_same() -> None:
    assert check_position(PLACE, FOR_EVER, STORED, FOUND) == STORED


def test_a_partition_that_was_never_read_begins_at_its_begin() -> None:
    assert check_position(PLACE, FOR_EVER, None, FOUND).next_offset == 0
    expired = replace(FOUND, bounds=Bounds(begin=5, end=20))
    assert check_position(PLACE, EXPIRING, None, expired).next_offset == 5


def test_a_topic_made_anew_stops() -> None:
    with pytest.raises(LogReplaced, match="made anew"):
        check_position(PLACE, FOR_EVER, STORED, replace(FOUND, topic_id=OTHER))


def test_a_log_that_ends_before_the_offset_stops() -> None:
    with pytest.raises(LogReplaced, match="ends at 9, before the stored offset 10"):
        check_position(PLACE, FOR_EVER, STORED, replace(FOUND, bounds=Bounds(begin=0, end=9), before=None))


def test_another_record_before_the_offset_stops() -> None:
    other = replace(BEFORE, headers=(("ce_id", b"another"),))
    with pytest.raises(LogReplaced, match="has the id another"):
        check_position(PLACE, FOR_EVER, STORED, replace(FOUND, before=other))


def test_a_record_before_that_was_erased_is_no_sign() -> None:
    assert check_position(PLACE, FOR_EVER, STORED, replace(FOUND, before=None)) == STORED
    assert check_position(PLACE, FOR_EVER, STORED, replace(FOUND, before=record(12))) == STORED


def test_an_expired_stretch_is_skipped_where_the_topic_expires() -> None:
    gone = replace(FOUND, bounds=Bounds(begin=15, end=20), before=None)
    assert check_position(PLACE, EXPIRING, STORED, gone) == Position(topic_id=ID, next_offset=15, last_id=None)


@pytest.mark.parametrize("stored", [None, STORED])
def test_an_expired_stretch_stops_where_the_topic_is_kept_for_ever(stored: Position | None) -> None:
    gone = replace(FOUND, bounds=Bounds(begin=15, end=20), before=None)
    with pytest.raises(OffsetExpired, match="kept for ever"):
        check_position(PLACE, FOR_EVER, stored, gone)
