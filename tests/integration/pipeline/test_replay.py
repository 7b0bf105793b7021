"""A replay into a shadow gives the live tables, and tells nobody."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bench.counting import ALARM_AFTER, GROUP, MIGRATIONS, counting_processor
from pipeline.errors import PassingFault
from pipeline.log import LogReader
from pipeline.rebuild.hands import Work, replay_by_hands
from pipeline.records import LogPartition
from pipeline.replay import ReplayProgress, Target, replay
from pipeline.worker import inputs_of
from runtime.clock import RealClock
from runtime.database import Database
from runtime.kafka import Broker
from runtime.migrations import apply_folders
from tests.fixtures.counting import START, Counting, eventually, numbers


@pytest.fixture
def shadow(counting: Counting) -> Database:
    with psycopg.connect(counting.database) as connection:
        connection.execute(f"CREATE SCHEMA shadow AUTHORIZATION dropfix_{GROUP}")
    apply_folders(counting.database, MIGRATIONS, schema="shadow")
    return Database(url=counting.database, schema="shadow", application="test")


def _now() -> datetime:
    return datetime.now(UTC)


def _end_of(broker: Broker) -> Target:
    topics = inputs_of(counting_processor())
    places = [LogPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    log = LogReader(broker, client_id="test")
    try:
        return Target(offsets=log.ends(places), ran_to={})
    finally:
        log.close()


def test_a_shadow_brought_to_where_the_live_tables_are_equals_them(counting: Counting, shadow: Database) -> None:
    counting.say(numbers(1, 3000))
    counting.start("kafka-python")
    counting.settle()
    counting.set_clock(START + ALARM_AFTER + timedelta(days=1))
    eventually("every alarm has rung", lambda: counting.rows("SELECT count(*) FROM timers") == [(0,)])
    eventually("all is published", counting.published_all)
    events = counting.event_ids()
    with psycopg.connect(counting.database, options=f"-c search_path={GROUP}") as connection:
        target = Target.of_tables(connection)
    counting.say(numbers(2, 500))
    seen: list[ReplayProgress] = []
    done = replay(
        counting_processor(), shadow=shadow, broker=counting.broker, now=_now, target=target, progressed=seen.append
    )
    counting.close()
    assert done.records == done.total == 3000
    assert [progress.records for progress in seen] == sorted(progress.records for progress in seen)
    assert counting.rows("SELECT sum(next_offset) FROM shadow.offsets") == [(3000,)]
    assert counting.rows("SELECT count(*) FROM shadow.counts WHERE alarms = 1") == [(200,)]
    assert set(events) <= set(counting.event_ids())


def test_a_replay_by_several_processes_equals_an_independent_one(
    counting: Counting, shadow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rebuild.hands.WORTHWHILE", 0)
    counting.say(numbers(5, 2000))
    work = Work(counting_processor, shadow, counting.broker, RealClock().now)
    seen: list[ReplayProgress] = []
    done = replay_by_hands(work, _end_of(counting.broker), hands=2, progressed=seen.append)
    assert done.records == done.total == 2000
    assert [progress.records for progress in seen] == sorted(progress.records for progress in seen)
    rows = counting.rows("SELECT subject, records, total FROM shadow.counts")
    assert {subject: (records, total) for subject, records, total in rows} == counting.replayed().counts


def test_what_ends_one_process_of_a_replay_is_told_by_the_one_that_began_it(
    counting: Counting, shadow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rebuild.hands.WORTHWHILE", 0)
    monkeypatch.setenv("DROPFIX_FAILPOINTS", "before_commit=kill@3")
    counting.say(numbers(6, 2000))
    work = Work(counting_processor, shadow, counting.broker, RealClock().now)
    with pytest.raises(PassingFault, match="ended with code"):
        replay_by_hands(work, _end_of(counting.broker), hands=2, progressed=lambda _: None)
    monkeypatch.delenv("DROPFIX_FAILPOINTS")
    replay_by_hands(work, _end_of(counting.broker), hands=2, progressed=lambda _: None)
    rows = counting.rows("SELECT subject, records, total FROM shadow.counts")
    assert {subject: (records, total) for subject, records, total in rows} == counting.replayed().counts


def test_a_replay_to_the_end_equals_an_independent_one_and_going_on_adds_only_what_is_new(
    counting: Counting, shadow: Database
) -> None:
    counting.say(numbers(3, 2000))
    first = replay(counting_processor(), shadow=shadow, broker=counting.broker, now=_now)
    counting.say(numbers(4, 700))
    second = replay(counting_processor(), shadow=shadow, broker=counting.broker, now=_now)
    assert (first.records, second.records) == (2000, 700)
    rows = counting.rows("SELECT subject, records, total FROM shadow.counts")
    assert {subject: (records, total) for subject, records, total in rows} == counting.replayed().counts
    assert not counting.event_ids()
