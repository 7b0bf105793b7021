"""What people decided, on the real servers: a disconnect resolves signals, a threshold counts from its time on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.records import Record
from schemas.catalogue import CHURN_SIGNAL, IDENTITY_MATCH
from services.detector.processor import INPUTS
from services.detector.schema import MIGRATIONS
from simulator.company.life import Growth
from simulator.founding import found
from tests.accounts import CONNECTION, WORKSPACE, Observer
from tests.decided import decision_record
from tests.integration.consumers import Consumer

NOW = 1_790_000_000
SEEN = datetime.fromtimestamp(NOW, UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def detector(kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    places = (kafka_bootstrap, topic_prefix, database_url, tmp_path)
    consumer = Consumer(MIGRATIONS, INPUTS, *places, outputs=(CHURN_SIGNAL, IDENTITY_MATCH))
    consumer.prepare(now=SEEN + timedelta(hours=1))
    yield consumer
    consumer.close()


def account(*, connection: str = CONNECTION, workspace: str = WORKSPACE) -> list[Record]:
    company = found(seed=9, now=NOW, growth=Growth(customers=150))
    return Observer(company, connection_id=connection, workspace_id=workspace).look()


def counts(detector: Consumer, connection: str = CONNECTION) -> dict[tuple[str, str | None], int]:
    """How many signals are in which state, by resolution where it is `disconnected`."""
    rows = detector.rows(
        "SELECT state, CASE WHEN resolution = 'disconnected' THEN resolution END, count(*) FROM signals"
        " WHERE connection_id = %s AND state <> 'withdrawn' GROUP BY 1, 2",
        connection,
    )
    return {(state, resolution): count for state, resolution, count in rows}


def ended(connection: str = CONNECTION, *, workspace: str = WORKSPACE, at: datetime = SEEN + MINUTE) -> Record:
    return decision_record("connection.ended", {}, at=at, workspace=workspace, connection=connection)


def threshold(days: int, *, at: datetime) -> Record:
    return decision_record("signals.thresholds", {"history_days": days}, at=at, workspace=WORKSPACE)


def test_a_disconnect_resolves_what_is_open_and_leaves_other_companies_alone(detector: Consumer) -> None:
    theirs = account(connection="con_b", workspace="ws_b")
    detector.produce([*account(), *theirs])
    detector.start()
    detector.settle()
    before = counts(detector)
    assert before[("open", None)] > 3
    detector.produce([ended(), ended("con_b", workspace=WORKSPACE)])
    detector.settle()
    after = counts(detector)
    assert after == {("resolved", None): before[("resolved", None)], ("resolved", "disconnected"): before["open", None]}
    assert counts(detector, "con_b") == before
    resolved = detector.rows("SELECT DISTINCT resolved_at FROM signals WHERE resolution = 'disconnected'")
    assert resolved == [(SEEN + MINUTE,)]


@pytest.mark.parametrize("late", [True, False], ids=["after the facts", "before them"])
def test_a_threshold_gives_the_same_signals_whenever_it_is_read(detector: Consumer, late: bool) -> None:
    decided = [threshold(85, at=SEEN - MINUTE), threshold(1, at=SEEN + MINUTE)]
    if late:
        detector.produce(account())
        detector.start()
        detector.settle()
        few = sum(counts(detector).values())
        detector.produce(decided)
        detector.settle()
        assert sum(counts(detector).values()) > few
    else:
        detector.produce([*decided, *account()])
        detector.start()
        detector.settle()
    oldest = detector.rows("SELECT min(opened_at) FROM signals WHERE state <> 'withdrawn'")[0][0]
    assert SEEN - timedelta(days=85) <= oldest < SEEN - timedelta(days=31)
    assert detector.rows("SELECT count(*) FROM signals WHERE state = 'withdrawn'") == [(0,)]


def test_decisions_are_read_before_anything_else_at_a_start(detector: Consumer) -> None:
    detector.produce([*account(), threshold(85, at=SEEN - MINUTE)])
    detector.start()
    detector.settle()
    by_cause = "SELECT source_topic IS NULL, count(*) FROM signals WHERE opened_at < %s GROUP BY 1"
    ((woken, count),) = detector.rows(by_cause, SEEN - timedelta(days=31))
    assert (woken, count > 3) == (False, True), "opened by its record, not once more by a timer"


def test_a_decision_that_is_none_is_a_dead_letter(detector: Consumer) -> None:
    wrong = decision_record("signals.thresholds", {"history_days": "many"}, at=SEEN, workspace=WORKSPACE)
    detector.produce([wrong, *account()])
    detector.start()
    detector.settle()
    ((reason,),) = detector.rows("SELECT reason FROM detector_io.dead_letters")
    assert "history_days" in reason
    assert counts(detector)[("open", None)] > 3
