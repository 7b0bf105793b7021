"""The order of publishing: groups of pages overlap, and end as if they had come one after the other."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime

import pytest

from runtime.clock import RealClock
from runtime.database import Connection, Database
from runtime.kafka import Broker, create_topics
from runtime.migrations import migrate
from schemas.catalogue import RAW_TOPICS
from services.console.schema import MIGRATIONS as CONSOLE
from services.poller.errors import LeaseLost
from services.poller.lease import Room, take_leases
from services.poller.outside import Outside
from services.poller.publishing.changes import Outcome
from services.poller.publishing.publish import GROUP_PAGES, Identity, Publisher
from services.poller.schema import MIGRATIONS as POLLER
from tests.unit.poller import builders as make
from tests.unit.poller.builders import CONNECTION, seen

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

Use = Callable[[Publisher], Coroutine[None, None, None]]


@pytest.fixture
def tables(database_url: str) -> Iterator[Connection]:
    """A session in the poller's schema, with a connection that is due."""
    migrate(database_url, [CONSOLE, POLLER])
    with Database(database_url, schema="poller", application="test").connect(autocommit=True) as conn:
        conn.execute(
            "INSERT INTO connections (connection_id, workspace_id, phase, key_digest, livemode, synced, next_at)"
            " VALUES (%s, 'ws_1', 'live', '', false, true, %s)",
            (CONNECTION, NOON),
        )
        yield conn


@pytest.fixture
def publishing(
    tables: Connection, database_url: str, kafka_bootstrap: str, topic_prefix: str
) -> Iterator[Callable[[Use], None]]:
    """Runs something with a publisher that holds the lease, on the real Kafka and PostgreSQL."""
    broker = Broker(kafka_bootstrap, topic_prefix)
    create_topics(broker, tuple(RAW_TOPICS.values()))
    outside = Outside(Database(database_url, schema="poller", application="test-poller"), broker)
    outside.open()
    (lease,) = take_leases(tables, owner="poller", now=NOON, room=Room(1, 1))

    async def with_publisher(use: Use) -> None:
        identity = Identity(lease.owner, "acct_1", False, 0)
        async with Publisher(outside, identity, RealClock()) as publisher:
            await use(publisher)

    yield lambda use: asyncio.run(with_publisher(use))
    outside.close()


def test_an_object_that_is_read_again_before_its_record_is_committed_is_no_news(
    publishing: Callable[[Use], None], tables: Connection
) -> None:
    """Groups of pages overlap: the second is folded while Kafka is waited for on account of the first."""
    outcomes: list[Outcome] = []

    async def read_twice(publisher: Publisher) -> None:
        pages = [[seen("charge", make.charge(), version)] for version in range(10, 10 + 2 * GROUP_PAGES)]
        outcomes.extend(await asyncio.gather(*(publisher.commit(page) for page in pages)))

    publishing(read_twice)
    assert len({id(outcome) for outcome in outcomes}) > 1
    assert {len(outcome.records) for outcome in outcomes} == {0, 1}
    assert tables.execute("SELECT version, seen_version FROM objects").fetchall() == [(10, 9 + 2 * GROUP_PAGES)]


def test_nothing_is_committed_after_a_group_that_could_not_be(
    publishing: Callable[[Use], None], tables: Connection
) -> None:
    def lost(_: Connection) -> None:
        raise LeaseLost("it is another's")

    async def lose(publisher: Publisher) -> None:
        first = [publisher.commit([seen("charge", make.charge(1), 10)], lost) for _ in range(GROUP_PAGES)]
        second = [publisher.commit([seen("charge", make.charge(2), 20)])]
        ends = await asyncio.gather(*first, *second, return_exceptions=True)
        assert {type(end) for end in ends} == {LeaseLost}
        with pytest.raises(LeaseLost):
            await publisher.commit([seen("charge", make.charge(3), 30)])

    publishing(lose)
    assert tables.execute("SELECT count(*) FROM objects").fetchone() == (0,)
