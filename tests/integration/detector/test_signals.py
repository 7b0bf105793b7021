"""The detector as a process (Faust), through a real Kafka into a real PostgreSQL and back onto a topic."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline.records import Record
from schemas.catalogue import CHURN_SIGNAL, dead_letter_topic
from services.detector.processor import INPUTS
from services.detector.schema import MIGRATIONS
from simulator.company.life import Growth
from simulator.founding import Company, found
from tests.accounts import CONNECTION, WORKSPACE, Observer
from tests.integration.consumers import Consumer
from tests.unit.detector.watching import Watch, truth_of

NOW = 1_790_000_000
DAY = 86_400
CODES = ("payment_failed", "subscription_lapsed")
UNPAID = 2 * DAY
"""Stripe keeps no time of a subscription that became unpaid after retries without a charge."""

Standing = dict[str, tuple[str, str, str, datetime, datetime | None, str]]


@pytest.fixture
def detector(kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    places = (kafka_bootstrap, topic_prefix, database_url, tmp_path)
    consumer = Consumer(MIGRATIONS, INPUTS, *places, outputs=(CHURN_SIGNAL,))
    consumer.prepare(now=datetime.fromtimestamp(NOW + 60 * DAY, UTC))
    yield consumer
    consumer.close()


@pytest.fixture
def company() -> Company:
    return found(seed=9, now=NOW, growth=Growth(customers=200))


def live(company: Company, observer: Observer, *, days: int) -> list[Record]:
    """What changes of an account while it is watched."""
    records = []
    for _ in range(days * 2):
        company.world.advance(company.world.now + DAY // 2)
        records += observer.look()
    return records


def standing(detector: Consumer) -> Standing:
    """By id, the signals that stand, as analysts see them."""
    rows = detector.rows(
        "SELECT signal_id, customer_id, code, state, opened_at, resolved_at, sentence FROM analytics.signals"
        " WHERE state <> 'withdrawn' AND workspace_id = %s AND connection_id = %s",
        WORKSPACE,
        CONNECTION,
    )
    return {signal_id: tuple(rest) for signal_id, *rest in rows}


def replayed(records: list[Record]) -> Standing:
    """The same by the pure core, without anything around it, reading one topic after the other."""
    watch = Watch()
    watch.feed(sorted(records, key=lambda record: (record.topic, record.partition, record.offset)))
    watch.pass_time(NOW + 60 * DAY)
    return {
        signal.signal_id: (
            subject.partition("/")[2],
            signal.finding.code,
            signal.state,
            datetime.fromtimestamp(signal.finding.opened_at, UTC),
            None if signal.finding.resolved_at is None else datetime.fromtimestamp(signal.finding.resolved_at, UTC),
            signal.finding.sentence,
        )
        for subject, state in watch.states.items()
        for signal in state.signals.values()
        if signal.state != "withdrawn"
    }


def events(detector: Consumer) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in detector.published(CHURN_SIGNAL)]


def test_a_backfilled_account_has_the_signals_of_the_truth_one_for_one_by_customer(
    detector: Consumer, company: Company
) -> None:
    records = Observer(company).look()
    detector.produce(records)
    detector.start()
    detector.settle()
    assert standing(detector) == replayed(records)
    for code in CODES:
        after, truth = truth_of(company, code)
        opened = [row for row in standing(detector).values() if row[1] == code and row[3].timestamp() > after]
        assert len(truth) > 3
        assert sorted(row[0] for row in opened) == sorted(one["customer"] for ones in truth.values() for one in ones)
        for customer, _, _, opened_at, resolved_at, _ in opened:
            near = min(truth[customer], key=lambda one: abs(one["opened_at"] - opened_at.timestamp()))
            assert abs(near["opened_at"] - opened_at.timestamp()) <= (UNPAID if code == "subscription_lapsed" else 0)
            assert near["resolved_at"] == (resolved_at.timestamp() if resolved_at else None)
    assert detector.stop() == 0


def test_what_it_published_adds_up_to_what_stands(detector: Consumer, company: Company) -> None:
    observer = Observer(company)
    detector.produce([*observer.look(), *live(company, observer, days=5)])
    detector.start()
    detector.settle()
    lives: dict[str, list[str]] = {}
    for event in events(detector):
        lives.setdefault(event["signal_id"], []).append(event["state"])
    assert all(steps[0] == "opened" for steps in lives.values())
    last = {"opened": "open", "updated": None, "resolved": "resolved", "withdrawn": "withdrawn"}
    states = dict(detector.rows("SELECT signal_id, state FROM analytics.signals"))
    assert states.keys() == lives.keys()
    assert all(last[steps[-1]] in {None, states[name]} for name, steps in lives.items())
    keys = [record.key for record in detector.published(CHURN_SIGNAL)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("failpoint", ["before_commit=kill@5", "after_commit=kill@5", "relay_after_send=kill@2"])
def test_a_kill_in_the_middle_ends_with_the_same_signals_as_an_independent_replay(
    detector: Consumer, company: Company, failpoint: str
) -> None:
    observer = Observer(company)
    records = [*observer.look(), *live(company, observer, days=5)]
    detector.produce(records)
    detector.start(failpoints=failpoint)
    assert detector.wait_for_end() == -9
    detector.start()
    detector.settle()
    assert standing(detector) == replayed(records)
    ids = {dict(record.headers)["ce_id"] for record in detector.published(CHURN_SIGNAL)}
    assert len(ids) == sum(revision for (revision,) in detector.rows("SELECT revision FROM signals"))


def test_a_repeated_log_changes_nothing(detector: Consumer, company: Company) -> None:
    records = Observer(company).look()
    detector.produce(records)
    detector.start()
    detector.settle()
    before = detector.rows("SELECT signal_id, revision, recorded_at FROM signals ORDER BY 1")
    detector.produce(records)
    detector.settle()
    assert detector.rows("SELECT signal_id, revision, recorded_at FROM signals ORDER BY 1") == before


def test_a_poisoned_record_of_every_topic_goes_to_the_dead_letters_and_the_rest_moves_on(
    detector: Consumer, company: Company
) -> None:
    records = Observer(company).look()
    poisoned = [
        replace(
            next((record for record in records if record.topic == topic.name), records[0]),
            topic=topic.name,
            value=b"{poison",
            key=b"poison",
        )
        for topic in INPUTS
    ]
    detector.produce([*poisoned, *records])
    detector.start()
    detector.settle()
    letters = detector.published(dead_letter_topic("detector"))
    assert sorted(dict(letter.headers)["dlq_topic"].decode() for letter in letters) == sorted(t.name for t in INPUTS)
    assert {name: row[:5] for name, row in standing(detector).items()} == {
        name: row[:5] for name, row in replayed(records).items()
    }


def test_a_signal_names_the_records_that_speak_for_it(detector: Consumer, company: Company) -> None:
    records = Observer(company).look()
    detector.produce(records)
    detector.start()
    detector.settle()
    by_place = {(record.topic, record.partition, record.offset): record for record in records}
    rows = detector.rows("SELECT customer_id, evidence, source_topic, source_partition, source_offset FROM signals")
    assert rows
    for customer_id, evidence, *source in rows:
        assert by_place[tuple(source)].subject == f"{CONNECTION}/{customer_id}"
        assert evidence
        for one in evidence:
            at = one["source"]
            record = by_place[at["topic"], at["partition"], at["offset"]]
            assert json.loads(record.value or b"")["id"] == one["object_id"]
            assert record.subject == f"{CONNECTION}/{customer_id}"


def test_every_column_of_the_analysts_view_says_what_it_is(detector: Consumer) -> None:
    assert detector.rows("SELECT obj_description('analytics.signals'::regclass)") != [(None,)]
    assert (
        detector.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'analytics.signals'::regclass AND attnum > 0"
            " AND col_description(attrelid, attnum) IS NULL"
        )
        == []
    )


def test_the_detectors_role_cannot_touch_another_schema(detector: Consumer) -> None:
    with psycopg.connect(detector.database) as connection:
        connection.execute("SET ROLE dropfix_detector")
        connection.execute("SELECT count(*) FROM detector.signals")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine (id int)")
