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


def test_the_answers_of_both_times_are_the_same_after_a_swap(tables: Tables) -> None:
    company = found(seed=11, now=int((NOW - timedelta(days=200)).timestamp()), growth=Growth(customers=80))
    feed = Feed(company)
    records = list(feed.backfill(invoices_since=company.world.now - 90 * DAY))
    Random(5).shuffle(records)
    for _ in range(20):
        company.world.advance(company.world.now + 10 * DAY)
        records += feed.changes(set(range(len(company.world.customers))))
    records.append(decision_record("workspace.settings", {"timezone": "Asia/Tokyo"}, at=NOW, workspace=WORKSPACE))
    logged = tables.apply(records, batch=40)
    before = answers(tables)
    assert any(before["20 weeks ago"])
    rebuild = Rebuild(PLAN, tables.url, Broker("127.0.0.1:1"), lambda: NOW)
    rebuild.make()
    fill(tables, logged)
    with psycopg.connect(tables.url, options="-c search_path=mrr -c timezone=UTC") as conn:
        PLAN.carry(conn, PLAN.live, PLAN.shadow)
        exchange(conn, PLAN)
    assert answers(tables) == before
    late = feed.changes(set(range(len(company.world.customers))))
    tables.apply(list(late))
    total = "SELECT currency, sum(mrr)::bigint FROM analytics.mrr_by_customer GROUP BY 1 ORDER BY 1"
    assert tables.rows("SELECT currency, mrr FROM analytics.mrr_as_of('2026-06-01') ORDER BY 1") == tables.rows(total)
