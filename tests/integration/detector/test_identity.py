"""Who is whom through a real Kafka into a real PostgreSQL, and what mrr makes of the same topic."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import pytest

from pipeline.apply import Applier
from pipeline.errors import PassingFault
from pipeline.offsets import Position, store_positions
from pipeline.records import Arrived, LogPartition, Record
from pipeline.session import Session
from pipeline.transaction import Transaction
from runtime.database import Connection, Database
from runtime.migrations import migrate
from schemas.catalogue import CHURN_SIGNAL, IDENTITY_MATCH, PRODUCT_IDENTIFY, dead_letter_topic
from services.detector.facts import Observed
from services.detector.identity import CustomerSaid, HandSaid, UserSaid
from services.detector.identity_store import apply_said
from services.detector.processor import INPUTS, decode_user, detector
from services.detector.schema import MIGRATIONS
from services.mrr.processor import INPUTS as MRR_INPUTS
from services.mrr.schema import MIGRATIONS as MRR
from tests.crowd import at, crowd, customer, tracked, user
from tests.decided import decision_record
from tests.fixtures.counting import eventually
from tests.integration.consumers import Consumer
from tests.unit.detector.people import Directory

NOW = datetime(2026, 9, 1, tzinfo=UTC)
Standing = set[tuple[Any, ...]]


def expected(records: list[Record]) -> Standing:
    """What the pure core says of the same, one record after the other."""
    processor, people = detector(), dict[str, Directory]()
    for record in records:
        fact = processor.decode(record)
        said = fact.said if isinstance(fact, Observed) else fact
        assert isinstance(said, CustomerSaid | UserSaid | HandSaid)
        people.setdefault(said.workspace_id, Directory()).say(said)
    return {
        (workspace, *pair, match.by, match.since)
        for workspace, directory in people.items()
        for pair, match in directory.standing().items()
    }


def with_hands(seed: int, count: int) -> list[Record]:
    """A crowd, and what persons decide of it meanwhile."""
    records, draw = crowd(seed, count), Random(seed)
    for number in range(count // 10):
        workspace = draw.choice(["ws_1", "ws_2"])
        detail = {"customer_id": f"cus_{draw.randrange(8)}", "user_id": f"u_{draw.randrange(8)}"}
        decided = decision_record(
            "identity.match",
            {**detail, "matched": draw.random() < 0.7},
            at=at(draw.randrange(count) * 60),
            workspace=workspace,
            connection=f"con_{workspace}_{draw.randrange(2)}",
            name=f"dec_{number:03}",
        )
        records.insert(draw.randrange(len(records)), decided)
    return records


_OURS: LiteralString = (
    "SELECT workspace_id, connection_id, customer_id, user_id, matched_by,"
    " (extract(epoch FROM effective_at) * 1000000)::bigint FROM analytics.identity_matches WHERE state = 'matched'"
)
_MRRS: LiteralString = (
    "SELECT workspace_id, connection_id, customer_id, user_id, matched_by,"
    " (extract(epoch FROM effective_at) * 1000000)::bigint FROM"
    " (SELECT DISTINCT ON (connection_id, customer_id, user_id) * FROM mrr.matches"
    " ORDER BY connection_id, customer_id, user_id, revision DESC) AS latest WHERE state = 'matched'"
)
"""mrr keeps every revision: what was decided by one that ended stays."""


class Tables:
    """The detector's tables without a broker, for two threads at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        migrate(url, [MIGRATIONS])
        places = [LogPartition(topic.name, number) for topic in INPUTS for number in range(8)]
        session = self.session()
        with session.transaction() as conn:
            store_positions(conn, {place: Position(UUID(int=1), 0, None) for place in places})
        session.close()
        self._ends: dict[LogPartition, int] = {}

    def session(self) -> Session:
        return Session(Database(url=self.url, schema="detector", application="test"))

    def logged(self, records: list[Record]) -> list[Record]:
        """The records with the offsets that they have in the log."""
        found = []
        for record in records:
            place = LogPartition(record.topic, record.partition)
            found.append(replace(record, offset=self._ends.setdefault(place, 0)))
            self._ends[place] += 1
        return found

    def apply(self, records: list[Record], *, batch: int) -> None:
        """Apply records in the order given, by partition in batches; a passing fault is tried again."""
        session = self.session()
        applier = Applier(detector(), session, now=lambda: NOW)
        by_place: dict[LogPartition, list[Record]] = {}
        for record in records:
            by_place.setdefault(LogPartition(record.topic, record.partition), []).append(record)
        for place in sorted(by_place, key=lambda place: (place.partition, place.topic)):
            own = by_place[place]
            for start in range(0, len(own), batch):
                _patiently(applier, own[start : start + batch])
        session.close()

    def standing(self) -> Standing:
        with self.session().transaction() as conn:
            return set(conn.execute(_OURS).fetchall())


def _patiently(applier: Applier, records: list[Record]) -> None:
    for _ in range(20):
        try:
            applier.apply(records)
        except PassingFault:
            continue
        return
    raise AssertionError("it does not pass")


@pytest.fixture
def tables(database_url: str) -> Tables:
    return Tables(database_url)


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_matches_in_the_tables_are_those_of_the_core_however_records_are_batched(tables: Tables, batch: int) -> None:
    records = with_hands(1, 300)
    tables.apply(tables.logged(records), batch=batch)
    assert tables.standing() == expected(records)
    assert len(tables.standing()) > 5


@pytest.mark.parametrize("seed", [2, 3])
def test_customers_and_users_who_come_at_once_end_with_the_same_matches(tables: Tables, seed: int) -> None:
    records = with_hands(seed, 400)
    logged = tables.logged(records)
    customers = [record for record in logged if record.topic != PRODUCT_IDENTIFY.name]
    users = [record for record in logged if record.topic == PRODUCT_IDENTIFY.name]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(tables.apply, one, batch=3) for one in (customers, users)]:
            done.result()
    assert tables.standing() == expected(records)


def test_a_transaction_that_bears_on_a_customer_waits_for_the_one_that_does_already(tables: Tables) -> None:
    named = customer("cus_1", 1, email="ada@example.com", metadata={"user_id": "u_named"})
    by_address, by_name = user("u_other", 2, email="ada@example.com"), user("u_named", 3)
    tables.apply(tables.logged([named]), batch=1)
    sessions = [tables.session(), tables.session()]
    with ThreadPoolExecutor() as pool:
        with sessions[0].transaction() as conn:
            _say(conn, by_address)
            second = pool.submit(_say_alone, sessions[1], by_name)
            with pytest.raises(TimeoutError):
                second.result(0.5)
        second.result(20)
    assert {row[3:5] for row in tables.standing()} == {("u_named", "metadata")}


def _say(conn: Connection, record: Record) -> None:
    said = decode_user(record)
    assert said is not None
    tx = Transaction(conn, group="detector", schema="detector", partition=record.partition, now=NOW)
    apply_said(tx, [Arrived(record, said)])
    tx.flush()


def _say_alone(session: Session, record: Record) -> None:
    with session.transaction() as conn:
        _say(conn, record)


def test_a_workspace_is_matched_within_itself(tables: Tables) -> None:
    told = [
        customer("cus_1", 1, email="ada@example.com"),
        user("u_1", 2, workspace="ws_2", email="ada@example.com"),
        customer("cus_9", 3, workspace="ws_2", connection="con_2", email="ada@example.com"),
    ]
    tables.apply(tables.logged(told), batch=10)
    assert {row[:4] for row in tables.standing()} == {("ws_2", "con_2", "cus_9", "u_1")}


def test_a_user_of_whom_track_alone_tells_is_one_and_is_matched(tables: Tables) -> None:
    told = [
        tracked("u_1", 2),
        tracked("u_1", 1),
        tracked(None, 3, anonymous="a-77"),
        tracked("u_2", 4),
        user("u_2", 5, email="grace@example.com"),
        customer("cus_1", 6, metadata={"user_id": "u_1"}),
    ]
    tables.apply(tables.logged(told), batch=2)
    with tables.session().transaction() as conn:
        users = conn.execute("SELECT user_id, email, first_seen_at FROM analytics.users ORDER BY user_id").fetchall()
    assert users == [("u_1", None, at(60)), ("u_2", "grace@example.com", at(240))]
    assert {row[2:5] for row in tables.standing()} == {("cus_1", "u_1", "metadata")}


def test_an_address_that_very_many_share_is_nobodys(tables: Tables) -> None:
    shared = [customer(f"cus_{n}", n, email="test@example.com") for n in range(1, 60)]
    tables.apply(tables.logged([user("u_1", 1, email="test@example.com"), *shared]), batch=5)
    assert tables.standing() == set()
    last = [customer(f"cus_{n}", 100 + n, email=f"{n}@example.com") for n in range(2, 60)]
    tables.apply(tables.logged(last), batch=50)
    assert {row[2] for row in tables.standing()} == {"cus_1"}


@pytest.fixture
def service(kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    places = (kafka_bootstrap, topic_prefix, database_url, tmp_path)
    consumer = Consumer(MIGRATIONS, INPUTS, *places, outputs=(CHURN_SIGNAL, IDENTITY_MATCH))
    consumer.prepare(now=NOW)
    yield consumer
    consumer.close()


def test_the_detector_and_mrr_agree_although_both_are_killed(service: Consumer, tmp_path: Path) -> None:
    records = with_hands(4, 300)
    service.produce(records)
    service.start(failpoints="after_commit=kill@6")
    assert service.wait_for_end() == -9
    service.start()
    service.settle()
    assert set(service.rows(_OURS)) == expected(records)
    folder = tmp_path / "mrr"
    folder.mkdir()
    mrr = Consumer(MRR, MRR_INPUTS, service.kafka, service.prefix, service.database, folder)
    mrr.prepare(now=NOW)
    try:
        mrr.start(failpoints="before_commit=kill@4")
        assert mrr.wait_for_end() == -9
        mrr.start()
        mrr.settle()
        assert set(mrr.rows(_MRRS)) == expected(records)
    finally:
        mrr.close()


def test_every_change_is_on_the_topic_once_under_its_user(service: Consumer) -> None:
    service.produce(with_hands(5, 200))
    service.start()
    service.settle()
    told = service.published(IDENTITY_MATCH)
    keys = [record.key for record in told]
    assert len(set(keys)) == len(keys)
    assert {dict(record.headers)["ce_partitionkey"].decode() for record in told} == {
        f"{event['workspace_id']}/{event['user_id']}" for event in (json.loads(record.value) for record in told)
    }
    ((published,),) = service.rows("SELECT sum(revision) FROM matches")
    assert len(told) == published


def test_a_poisoned_message_is_a_dead_letter_and_the_rest_goes_on(service: Consumer) -> None:
    bad = replace(user("u_1", 1), value=b'{"type": "identify"}', key=b"poison")
    service.produce([bad, user("u_2", 2, email="ada@example.com"), customer("cus_1", 3, email="ada@example.com")])
    service.start()
    service.settle()
    eventually("the match is there", lambda: service.rows("SELECT user_id FROM matches") == [("u_2",)])
    (letter,) = service.published(dead_letter_topic("detector"))
    assert b"message about a user" in dict(letter.headers)["dlq_reason"]


def test_every_column_of_the_views_is_explained(tables: Tables) -> None:
    with tables.session().transaction() as conn:
        silent = conn.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE n.nspname = 'analytics' AND c.relname IN ('users', 'identity_matches')"
            " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
        ).fetchall()
    assert silent == []
