"""The one transaction, on a real PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest

from bench.counting import GROUP, MIGRATIONS, counting_processor
from pipeline.apply import Applier
from pipeline.dead_letters import DeadLetterLimit
from pipeline.errors import DeadLetterFlood, Gap, PassingFault
from pipeline.offsets import Position, store_positions
from pipeline.records import LogPartition, Record
from pipeline.session import Session
from runtime.database import Connection, Database
from runtime.migrations import migrate
from tests.fixtures.records import EPOCH, record

PLACE = LogPartition("counting.one.v1", 0)
MakeApplier = Callable[[], Applier]


@pytest.fixture
def database(database_url: str) -> Database:
    migrate(database_url, [MIGRATIONS])
    return Database(url=database_url, schema=GROUP, application="test")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect(autocommit=True) as connection:
        places = [PLACE, LogPartition("counting.two.v1", 0), LogPartition(f"{GROUP}.retry.v1", 0)]
        store_positions(connection, {place: Position(UUID(int=1), 0, None) for place in places})
        yield connection


@pytest.fixture
def make(database: Database, connection: Connection) -> Iterator[MakeApplier]:
    sessions: list[Session] = []

    def make() -> Applier:
        sessions.append(Session(database))
        limit = DeadLetterLimit(count=5, window=timedelta(minutes=1))
        return Applier(counting_processor(), sessions[-1], now=lambda: EPOCH, dead_letter_limit=limit)

    yield make
    for session in sessions:
        session.close()


def _batch(first: int, count: int, *, subject: str = "con/a", topic: str = PLACE.topic) -> list[Record]:
    return [record(first + n, subject=subject, topic=topic) for n in range(count)]


def _count(connection: Connection, subject: str = "con/a") -> int:
    row = connection.execute("SELECT records FROM counts WHERE subject = %s", (subject,)).fetchone()
    return int(row[0]) if row else 0


def _one(connection: Connection, statement: str) -> object:
    row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def test_a_replayed_batch_is_applied_once(make: MakeApplier, connection: Connection) -> None:
    applier = make()
    assert applier.apply(_batch(0, 5)).records == 5
    assert applier.apply(_batch(0, 7)).records == 2
    assert _count(connection) == 7
    assert _one(connection, f"SELECT last_ce_id FROM offsets WHERE topic = '{PLACE.topic}'") == record(6).id


def test_of_two_workers_that_hold_one_partition_only_one_applies(make: MakeApplier, connection: Connection) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda applier: applier.apply(_batch(0, 50)).records, [make() for _ in range(4)]))
    assert sorted(applied) == [0, 0, 0, 50]
    assert _count(connection) == 50


def test_a_gap_writes_nothing_until_it_is_entered_as_erased(make: MakeApplier, connection: Connection) -> None:
    applier = make()
    with pytest.raises(Gap):
        applier.apply([*_batch(0, 2), *_batch(4, 2)])
    assert _count(connection) == 0
    connection.execute(f"INSERT INTO {GROUP}_io.erased_offsets VALUES (%s, 0, 2, 3)", (PLACE.topic,))
    assert applier.apply([*_batch(0, 2), *_batch(4, 2)]).next_offset == 6
    assert _count(connection) == 4


def test_a_poisoned_record_goes_to_the_dead_letters_and_the_others_count(
    make: MakeApplier, connection: Connection
) -> None:
    poison = [record(1, value=b"\x00"), record(2, value=b'{"m": 1}'), record(3, value=b"null")]
    make().apply([record(0), *poison, record(4)])
    assert _count(connection) == 2
    letters = connection.execute(f'SELECT "offset", reason FROM {GROUP}_io.dead_letters ORDER BY 1').fetchall()
    assert [offset for offset, _ in letters] == [1, 2, 3]
    assert "missing required field" in letters[1][1]
    outbox = connection.execute(f"SELECT topic, key, value FROM {GROUP}_io.outbox ORDER BY id").fetchall()
    assert outbox[0] == (f"{GROUP}.dlq.v1", f"{PLACE.topic}/0/1".encode(), b"\x00")


def test_too_many_dead_letters_stop_the_service_and_write_nothing(make: MakeApplier, connection: Connection) -> None:
    applier = make()
    with pytest.raises(DeadLetterFlood, match="more than 5 dead letters"):
        applier.apply([record(n, value=b"") for n in range(6)])
    assert _one(connection, f"SELECT count(*) FROM {GROUP}_io.outbox") == 0
    assert applier.apply(_batch(0, 1)).records == 1


def test_a_tombstone_moves_the_offset_and_says_nothing(make: MakeApplier, connection: Connection) -> None:
    applied = make().apply([record(0), record(1, value=None)])
    assert applied.next_offset == 2
    assert _count(connection) == 1
    assert _one(connection, f"SELECT count(*) FROM {GROUP}_io.dead_letters") == 0


def test_every_tenth_record_is_an_event_in_the_outbox_however_it_was_batched(
    make: MakeApplier, connection: Connection
) -> None:
    applier = make()
    for first, count in ((0, 7), (7, 5), (12, 25)):
        applier.apply(_batch(first, count))
    assert _one(connection, f"SELECT count(*) FROM {GROUP}_io.outbox") == 3


def test_a_fault_of_the_core_leaves_nothing_behind(make: MakeApplier, connection: Connection) -> None:
    connection.execute("ALTER TABLE counts ADD CHECK (records < 3)")
    applier = make()
    with pytest.raises(Exception, match="counts_records_check"):
        applier.apply(_batch(0, 5))
    assert _one(connection, "SELECT sum(next_offset) FROM offsets") == 0
    assert _one(connection, "SELECT count(*) FROM locks") == 0


def test_a_connection_that_is_cut_is_a_passing_fault_and_the_next_try_counts_once(
    make: MakeApplier, connection: Connection
) -> None:
    applier = make()
    applier.apply(_batch(0, 1))
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'test' AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(PassingFault, match="PostgreSQL"):
        applier.apply(_batch(0, 3))
    assert applier.apply(_batch(0, 3)).records == 2
    assert _count(connection) == 3


def test_transactions_that_share_subjects_do_not_wait_for_each_other_for_ever(
    make: MakeApplier, connection: Connection
) -> None:
    subjects = [f"con/{n}" for n in range(40)]

    def run(topic: str, order: list[str]) -> None:
        applier = make()
        for first in range(0, 400, 40):
            batch = [record(first + n, subject=subject, topic=topic) for n, subject in enumerate(order)]
            assert applier.apply(batch).records == 40

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, "counting.one.v1", subjects)
        two = pool.submit(run, "counting.two.v1", subjects[::-1])
        one.result()
        two.result()
    assert {_count(connection, subject) for subject in subjects} == {20}


def test_kinds_of_rows_are_locked_until_the_end(make: MakeApplier, database: Database, connection: Connection) -> None:
    applier = make()
    with applier.session.transaction() as conn:
        tx = applier.open(conn, 0)
        tx.lock("person", ["b", "a", "a"])
        free = connection.execute("SELECT id FROM locks WHERE kind = 'person' FOR UPDATE SKIP LOCKED").fetchall()
        assert free == []
    assert connection.execute("SELECT id FROM locks WHERE kind = 'person' ORDER BY id").fetchall() == [("a",), ("b",)]
