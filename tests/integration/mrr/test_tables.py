"""mrr's tables and the analysts' views on a real PostgreSQL, against the core in memory and the simulator's truth."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest
from typer.testing import CliRunner

from pipeline.apply import Applier
from services.mrr.commands import commands
from services.mrr.policy import PROFITWELL
from services.mrr.processor import mrr
from simulator.company.life import Growth
from simulator.company.periods import DAY
from simulator.founding import Company, found
from simulator.truth.report import mrr_by_customer
from tests.integration.mrr.tables import Tables, by_customer, daily, query, standing, standing_of
from tests.unit.mrr.build import START, customer, discount, item, subscription
from tests.unit.mrr.feed import Feed, raw_record
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import Story, day

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url)
    yield made
    made.close()


@pytest.fixture
def company() -> Company:
    return found(seed=11, now=int(NOW.timestamp()), growth=Growth(customers=150))


def test_an_account_ends_up_in_the_tables_with_its_true_mrr(tables: Tables, company: Company) -> None:
    records = list(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    tables.apply(records)
    assert by_customer(tables.url) == mrr_by_customer(company.record, company.ids, company.world.now)
    assert standing(tables.url) == standing_of(Replay().take(records).tick(NOW))


def test_batches_and_their_order_across_topics_do_not_matter(tables: Tables, company: Company) -> None:
    records = list(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    expected = standing_of(Replay().take(records).tick(NOW))
    Random(3).shuffle(records)
    tables.apply(records, batch=7)
    assert standing(tables.url) == expected


def test_a_batch_that_is_given_again_is_applied_once(tables: Tables, company: Company) -> None:
    logged = tables.apply(Feed(company).backfill(invoices_since=company.world.now))
    before = query(tables.url, "SELECT count(*) FROM mrr.movements")
    for record in logged:
        assert tables.applier.apply([record]).records == 0
    assert query(tables.url, "SELECT count(*) FROM mrr.movements") == before


def test_every_day_has_a_row_and_each_adds_up_to_the_unit(tables: Tables, company: Company) -> None:
    records = list(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    tables.now = NOW + timedelta(days=3)
    tables.apply(records)
    tables.run_timers(tables.now)
    assert query(
        tables.url,
        "SELECT count(*) FROM analytics.mrr_daily WHERE mrr_end <>"
        " mrr_start + new + reactivation + expansion - contraction - churn + policy + source + correction",
    ) == [(0,)]
    gaps = "SELECT max(day) - min(day) + 1 - count(*) FROM analytics.mrr_daily GROUP BY connection_id, currency"
    assert {gap for (gap,) in query(tables.url, gaps)} == {0}
    replay = Replay().take(records).tick(tables.now)
    assert {at: mrr for at, mrr in daily(tables.url) if mrr != replay.mrr_at(at)} == {}


def test_the_days_go_on_to_today_by_the_services_clock_although_nothing_moves(tables: Tables) -> None:
    tables.now = NOW + timedelta(days=40, hours=6)
    tables.apply(Story().see(subscription(), 0, change="created").records)
    days = query(tables.url, "SELECT max(day), count(*), min(mrr_end) FROM analytics.mrr_daily")
    assert days == [(tables.now.date(), 41, 1000)]


def test_a_days_customers_are_those_that_have_mrr(tables: Tables, company: Company) -> None:
    tables.apply(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    counted = "SELECT currency, count(*) FROM analytics.mrr_by_customer WHERE mrr > 0 GROUP BY 1 ORDER BY 1"
    last = "SELECT DISTINCT ON (currency) currency, customers FROM analytics.mrr_daily ORDER BY currency, day DESC"
    assert query(tables.url, last) == query(tables.url, counted)


def test_a_correction_is_a_new_row_and_the_days_show_only_what_stands(tables: Tables) -> None:
    tables.apply(Story().see(subscription(), 0, change="created").records)
    tables.apply([raw_record("customer", customer(discount(percent=50)), at=day(2), version=9, change="created")])
    kinds = "SELECT kind, mrr_before, mrr_after, stands, corrected_by IS NOT NULL FROM analytics.mrr_movements"
    assert sorted(query(tables.url, kinds)) == [
        ("correction", 1000, 0, False, False),
        ("new", 0, 500, True, False),
        ("new", 0, 1000, False, True),
    ]
    assert query(tables.url, "SELECT day, new, correction, mrr_end, customers FROM analytics.mrr_daily LIMIT 1") == [
        (datetime.fromtimestamp(START, UTC).date(), 500, 0, 500, 1)
    ]


def test_every_row_names_the_record_behind_it(tables: Tables, company: Company) -> None:
    logged = tables.apply(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    places = {(record.topic, record.partition, record.offset): record for record in logged}
    rows = query(
        tables.url,
        "SELECT source_topic, source_partition, source_offset, customer_id FROM analytics.mrr_movements",
    )
    assert rows
    for *place, customer_id in rows:
        assert places[tuple(place)].subject.endswith(f"/{customer_id}")


def test_what_is_published_is_what_is_in_the_table(tables: Tables) -> None:
    tables.apply(Story().see(subscription(), 0, change="created").see(subscription(item(quantity=2)), 5).records)
    published = query(
        tables.url,
        "SELECT convert_from(value, 'UTF8')::jsonb->>'movement_id', topic FROM mrr_io.outbox ORDER BY 1",
    )
    ids = query(tables.url, "SELECT movement_id::text, 'mrr.movement.v1' FROM analytics.mrr_movements ORDER BY 1")
    assert published == ids


def test_a_bad_record_is_a_dead_letter_with_its_reason_and_the_rest_goes_on(tables: Tables) -> None:
    bad = raw_record("subscription", subscription(item(quantity=-2), name="sub_bad"), at=START, version=1)
    good = raw_record("subscription", subscription(), at=START, version=2, change="created")
    tables.apply([bad, good])
    assert by_customer(tables.url) == {"cus_1": {"usd": 1000}}
    reasons = [reason for (reason,) in query(tables.url, "SELECT reason FROM mrr_io.dead_letters")]
    assert len(reasons) == 1
    assert "sub_bad is negative: -2" in reasons[0]


def test_a_discount_that_ends_moves_the_days_although_no_record_comes(tables: Tables) -> None:
    tables.applier = Applier(mrr(PROFITWELL), tables.session, now=lambda: tables.now)
    months = discount(percent=20, duration="repeating", end=day(10))
    tables.apply(Story().see(subscription(discounts=[months]), 0, change="created").records)
    tables.run_timers(datetime.fromtimestamp(day(9), UTC))
    assert by_customer(tables.url) == {"cus_1": {"usd": 800}}
    tables.run_timers(datetime.fromtimestamp(day(12), UTC))
    assert by_customer(tables.url) == {"cus_1": {"usd": 1000}}
    assert query(tables.url, "SELECT expansion FROM analytics.mrr_daily WHERE expansion <> 0") == [(200,)]


def test_every_column_of_every_view_is_explained(tables: Tables) -> None:
    silent = query(
        tables.url,
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE n.nspname = 'analytics' AND c.relkind = 'v' AND c.relname LIKE 'mrr%%'"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)",
    )
    assert silent == []


def test_two_connections_never_meet(tables: Tables) -> None:
    mine = raw_record("subscription", subscription(), at=START, version=1, connection="con_a", workspace="ws_a")
    theirs = raw_record("subscription", subscription(), at=START, version=1, connection="con_b", workspace="ws_b")
    tables.apply([mine, theirs])
    rows = "SELECT workspace_id, connection_id, mrr FROM analytics.mrr_by_customer ORDER BY 1"
    assert query(tables.url, rows) == [("ws_a", "con_a", 1000), ("ws_b", "con_b", 1000)]


def test_the_ledger_cannot_take_a_row_back_twice(tables: Tables) -> None:
    tables.apply(Story().see(subscription(), 0, change="created").records)
    tables.apply([raw_record("customer", customer(discount(percent=50)), at=day(2), version=9)])
    again = (
        "INSERT INTO mrr.movements SELECT gen_random_uuid(), workspace_id, connection_id, customer_id, currency, kind,"
        " effective_at, observed_at, mrr_before, mrr_after, corrects, subscriptions, basis, reconstructed,"
        " policy_version, detail, source_topic, source_partition, source_offset FROM mrr.movements WHERE kind = %s"
    )
    with psycopg.connect(tables.url) as conn, pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(again, ("correction",))


def test_a_number_can_be_explained_at_the_command_line(tables: Tables) -> None:
    tables.now = datetime(2026, 1, 9, 12, tzinfo=UTC)
    tables.apply(Story().see(subscription(item(quantity=3)), 0, change="created").records)
    environment = {"DATABASE_URL": tables.url}
    shown = CliRunner().invoke(commands, ["explain", "cus_1", "--json", "--at", "2026-01-05"], env=environment)
    (found,) = json.loads(shown.output)
    assert found["mrr"][0]["mrr"] == 3000
    assert found["records"][0]["topic"] == "stripe.subscription.raw.v1"
    people = CliRunner().invoke(commands, ["explain", "cus_1"], env=environment).output
    assert "$30.00 a month" in people
    assert "1000 × 3: 3000" in people
    today = CliRunner().invoke(commands, ["explain", "cus_1", "--json", "--at", "2026-01-09"], env=environment)
    assert json.loads(today.output)[0]["mrr"][0]["mrr"] == 3000
    ahead = CliRunner().invoke(commands, ["explain", "cus_1", "--at", "2026-01-10"], env=environment)
    assert ahead.exit_code == 2
    assert "2026-01-10 is ahead: the last day is today, 2026-01-09 in UTC" in ahead.output


def test_a_customer_that_nobody_knows_is_answered_and_not_invented(tables: Tables) -> None:
    shown = CliRunner().invoke(commands, ["explain", "cus_9"], env={"DATABASE_URL": tables.url})
    assert shown.exit_code == 3
    assert "knows no customer cus_9" in shown.output
