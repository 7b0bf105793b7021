"""What was reported can be asked again after a rebuild took the place of the tables."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline.apply import Applier
from pipeline.offsets import Position, store_positions
from pipeline.rebuild.compare import compare
from pipeline.rebuild.shadow import Rebuild
from pipeline.rebuild.swap import exchange
from pipeline.records import LogPartition, Record
from pipeline.session import Session
from runtime.database import Database
from runtime.kafka import Broker
from services.mrr.processor import INPUTS, mrr
from services.mrr.rebuild import PLAN
from simulator.company.life import Growth
from simulator.company.periods import DAY
from simulator.founding import found
from tests.decided import decision_record
from tests.integration.mrr.tables import PARTITIONS, Tables
from tests.unit.mrr.feed import WORKSPACE, Feed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC_ID = UUID(int=1)
VIEWS = ("mrr_daily", "mrr_daily_changes", "mrr_monthly", "retention_cohorts", "mrr_by_plan", "mrr_by_customer")


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url, now=NOW)
    yield made
    made.close()


def answers(tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """What is known now, and what was known after each week of the account's second half year."""
    found = {view: sorted(tables.rows(f"SELECT * FROM analytics.{view}"), key=repr) for view in VIEWS}
    for weeks in range(26):
        at = NOW - timedelta(weeks=weeks)
        asked = "SELECT * FROM analytics.mrr_as_known(%s, %s) ORDER BY connection_id, currency"
        found[f"{weeks} weeks ago"] = tables.rows(asked, at.date() - timedelta(days=3), at)
    return found


def fill(tables: Tables, records: list[Record]) -> None:
    """The shadow, from the same records in another order across partitions."""
    session = Session(Database(url=tables.url, schema=PLAN.shadow, application="test"))
    places = [LogPartition(topic.name, number) for topic in INPUTS for number in range(PARTITIONS)]
    with session.transaction() as conn:
        store_positions(conn, {place: Position(TOPIC_ID, 0, None) for place in places})
    applier = Applier(mrr(), session, now=lambda: NOW, publishes=False)
    for place in sorted({LogPartition(record.topic, record.partition) for record in records}, reverse=True):
        applier.apply([record for record in records if LogPartition(record.topic, record.partition) == place])
    session.close()


def compared(tables: Tables) -> dict[str, int]:
    """How many rows of each table differ, of those that do."""
    with rebuilt(tables, "mrr") as live, rebuilt(tables, PLAN.shadow) as shadow:
        PLAN.summed(shadow)
        results = compare(live, shadow, PLAN.tables)
    assert all(result.live_rows > 0 for result in results if result.table in {"days", "months"})
    return {result.table: result.different for result in results if result.different}


def rebuilt(tables: Tables, schema: str) -> psycopg.Connection[Any]:
    return psycopg.connect(tables.url, options=f"-c search_path={schema} -c timezone=UTC")


def lived(tables: Tables, *, customers: int = 80) -> tuple[Feed, list[Record]]:
    """A company's half year, in the tables; its records as they lie in the log."""
    company = found(seed=11, now=int((NOW - timedelta(days=200)).timestamp()), growth=Growth(customers=customers))
    feed = Feed(company)
    records = list(feed.backfill(invoices_since=company.world.now - 90 * DAY))
    Random(5).shuffle(records)
    for _ in range(20):
        company.world.advance(company.world.now + 10 * DAY)
        records += feed.changes(set(range(len(company.world.customers))))
    records.append(decision_record("workspace.settings", {"timezone": "Asia/Tokyo"}, at=NOW, workspace=WORKSPACE))
    return feed, tables.apply(records, batch=40)


@pytest.mark.parametrize("table", ["days", "months"])
def test_what_analysts_read_is_compared_with_the_sums_of_the_rebuilt_ledger(tables: Tables, table: str) -> None:
    _, logged = lived(tables)
    rebuild = Rebuild(PLAN, tables.url, Broker("127.0.0.1:1"), lambda: NOW)
    rebuild.make()
    fill(tables, logged)
    assert compared(tables) == {}
    with rebuilt(tables, "mrr") as live:
        live.execute(f"UPDATE {table} SET churn = churn + 1 WHERE ctid = (SELECT min(ctid) FROM {table})".encode())
    assert compared(tables) == {table: 1}


def test_a_shadow_adds_nothing_up_until_it_is_asked_for(tables: Tables) -> None:
    _, logged = lived(tables, customers=8)
    Rebuild(PLAN, tables.url, Broker("127.0.0.1:1"), lambda: NOW).make()
    fill(tables, logged)
    counts = "SELECT count(*) > 0, (SELECT count(*) FROM mrr_shadow.days), (SELECT count(*) FROM mrr_shadow.months)"
    assert tables.rows(f"{counts} FROM mrr_shadow.movements") == [(True, 0, 0)]


def test_the_answers_of_both_times_are_the_same_after_a_swap(tables: Tables) -> None:
    feed, logged = lived(tables)
    before = answers(tables)
    assert any(before["20 weeks ago"])
    rebuild = Rebuild(PLAN, tables.url, Broker("127.0.0.1:1"), lambda: NOW)
    rebuild.make()
    fill(tables, logged)
    with psycopg.connect(tables.url, options="-c search_path=mrr -c timezone=UTC") as conn:
        PLAN.carry(conn, PLAN.live, PLAN.shadow)
        exchange(conn, PLAN)
    assert answers(tables) == before
    world = feed.company.world
    world.advance(world.now + 10 * DAY)
    tables.now += timedelta(days=30)
    assert tables.apply(feed.changes(set(range(len(world.customers)))))
    total = "SELECT currency, sum(mrr)::bigint FROM analytics.mrr_by_customer GROUP BY 1 ORDER BY 1"
    assert tables.rows("SELECT currency, mrr FROM analytics.mrr_as_of('2026-01-20') ORDER BY 1") == tables.rows(total)
