"""What people decided, in mrr's tables: the zone of the days, a connection's end, and who is whom."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest

from pipeline.records import Record
from schemas.catalogue import IDENTITY_MATCH
from schemas.envelope import Envelope
from schemas.events.identity import IdentityMatch
from schemas.partition import partition_of
from tests.decided import decision_record
from tests.integration.mrr.tables import Tables, by_customer, query, standing
from tests.unit.mrr.build import item, price, subscription
from tests.unit.mrr.feed import CONNECTION, WORKSPACE, raw_record
from tests.unit.mrr.story import day

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
LATE_IN_THE_DAY = 0.98  # 23:31 UTC


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url, now=NOON)
    yield made
    made.close()


def subscribed(customer: str, *, on: float = 0, connection: str = CONNECTION, workspace: str = WORKSPACE) -> Record:
    obj = subscription(item(price(1000)), name=f"sub_{customer}", customer=customer, start_date=day(on))
    return raw_record(
        "subscription", obj, at=day(on), version=1, change="created", connection=connection, workspace=workspace
    )


def zone(name: str, *, at: datetime = NOON - timedelta(days=1), workspace: str = WORKSPACE) -> Record:
    return decision_record("workspace.settings", {"timezone": name}, at=at, workspace=workspace)


def ended(connection: str = CONNECTION, *, at: datetime = NOON, workspace: str = WORKSPACE) -> Record:
    return decision_record("connection.ended", {}, at=at, workspace=workspace, connection=connection)


def days_of_new(tables: Tables, workspace: str = WORKSPACE) -> list[date]:
    rows = query(
        tables.url, "SELECT day FROM analytics.mrr_daily WHERE new > 0 AND workspace_id = %s ORDER BY 1", workspace
    )
    return [found for (found,) in rows]


def test_days_are_those_of_the_workspaces_zone_and_another_zone_shows_them_all_anew(tables: Tables) -> None:
    tables.apply([subscribed("cus_1", on=LATE_IN_THE_DAY)])
    assert days_of_new(tables) == [date(2026, 1, 1)]
    tables.apply([zone("Asia/Kathmandu")])
    assert days_of_new(tables) == [date(2026, 1, 2)]
    tables.apply([zone("America/Los_Angeles", at=NOON - timedelta(hours=1))])
    assert days_of_new(tables) == [date(2026, 1, 1)]
    last = query(tables.url, "SELECT max(day), min(day), count(*) FROM analytics.mrr_daily")
    assert last == [(date(2026, 1, 20), date(2026, 1, 1), 20)]


def test_the_last_day_is_today_where_the_workspace_is(tables: Tables) -> None:
    tables.now = datetime(2026, 1, 20, 23, tzinfo=UTC)
    tables.apply([zone("Pacific/Auckland"), subscribed("cus_1")])
    assert query(tables.url, "SELECT max(day) FROM analytics.mrr_daily") == [(date(2026, 1, 21),)]


def test_a_zone_counts_from_its_effective_time_on(tables: Tables) -> None:
    tables.apply([subscribed("cus_1", on=LATE_IN_THE_DAY), zone("Asia/Tokyo", at=NOON + timedelta(minutes=1))])
    assert days_of_new(tables) == [date(2026, 1, 1)]


def test_the_zone_of_one_workspace_moves_no_day_of_another(tables: Tables) -> None:
    theirs = subscribed("cus_2", on=LATE_IN_THE_DAY, connection="con_b", workspace="ws_b")
    tables.apply([subscribed("cus_1", on=LATE_IN_THE_DAY), theirs, zone("Asia/Tokyo", workspace="ws_b")])
    assert days_of_new(tables) == [date(2026, 1, 1)]
    assert days_of_new(tables, "ws_b") == [date(2026, 1, 2)]


@pytest.mark.parametrize("name", ["Mars/Olympus", ""])
def test_a_zone_that_does_not_exist_is_a_dead_letter(tables: Tables, name: str) -> None:
    tables.apply([subscribed("cus_1"), zone(name)])
    assert days_of_new(tables) == [date(2026, 1, 1)]
    ((reason,),) = query(tables.url, "SELECT reason FROM mrr_io.dead_letters")
    assert "time zone" in reason


def test_a_disconnected_account_ends_as_a_change_of_source_and_the_others_go_on(tables: Tables) -> None:
    tables.apply([subscribed(f"cus_{n}") for n in range(20)])
    tables.apply(
        [subscribed("cus_other", connection="con_other"), subscribed("cus_b", connection="con", workspace="b")]
    )
    tables.apply([ended()])
    tables.run_timers(NOON + timedelta(minutes=1))
    assert by_customer(tables.url) == {"cus_other": {"usd": 1000}, "cus_b": {"usd": 1000}}
    kinds = (
        "SELECT kind, count(*), sum(mrr_change)::int FROM analytics.mrr_movements WHERE connection_id = %s GROUP BY 1"
    )
    assert sorted(query(tables.url, kinds, CONNECTION)) == [("new", 20, 20_000), ("source", 20, -20_000)]
    daily = "SELECT source, churn, mrr_end, customers FROM analytics.mrr_daily WHERE connection_id = %s AND source <> 0"
    assert query(tables.url, daily, CONNECTION) == [(-20_000, 0, 0, 0)]


def test_a_row_of_it_names_the_decision(tables: Tables) -> None:
    tables.apply([subscribed("cus_1"), ended()])
    tables.run_timers(NOON)
    rows = query(
        tables.url,
        "SELECT source_topic, source_partition, source_offset, effective_at FROM analytics.mrr_movements"
        " WHERE kind = 'source'",
    )
    assert rows == [("control.decision.v1", partition_of(WORKSPACE, 8), 0, NOON)]


def test_another_workspace_cannot_end_a_connection(tables: Tables) -> None:
    tables.apply([subscribed("cus_1"), ended(workspace="ws_b")])
    tables.run_timers(NOON)
    assert by_customer(tables.url) == {"cus_1": {"usd": 1000}}


@pytest.mark.parametrize("late", [True, False], ids=["learned of late", "learned of first"])
def test_an_end_gives_the_same_ledger_whenever_it_is_learned_of(tables: Tables, late: bool) -> None:
    told = [subscribed("cus_1"), subscribed("cus_2", on=3), subscribed("cus_3", on=25)]
    end = ended(at=datetime.fromtimestamp(day(10), UTC))
    for record in [*told, end] if late else [end, *told]:
        tables.apply([record])
    tables.run_timers(datetime.fromtimestamp(day(30), UTC))
    ends = datetime.fromtimestamp(day(10), UTC)
    assert [row for row in standing(tables.url) if row[5] == "source"] == [
        (f"{CONNECTION}/{name}", "usd", ends, 1000, 0, "source") for name in ("cus_1", "cus_2")
    ]
    assert by_customer(tables.url) == {}


def test_kinds_that_do_not_concern_mrr_are_not_kept(tables: Tables) -> None:
    tables.apply([decision_record("dunning.hold", {"user_id": "u"}, at=NOON, workspace=WORKSPACE), zone("Asia/Tokyo")])
    tables.apply([decision_record("something.later", {"new": 1}, at=NOON, workspace=WORKSPACE)])
    assert query(tables.url, "SELECT kind FROM mrr.decisions") == [("workspace.settings",)]
    assert query(tables.url, "SELECT count(*) FROM mrr_io.dead_letters") == [(0,)]


def matched(state: Literal["matched", "unmatched"], revision: int) -> Record:
    match = IdentityMatch(
        workspace_id=WORKSPACE,
        connection_id=CONNECTION,
        customer_id="cus_1",
        user_id="u_1",
        state=state,
        by="email",
        effective_at=NOON,
        revision=revision,
    )
    subject = f"{WORKSPACE}/{match.user_id}"
    envelope = Envelope(
        id=f"m{revision}", source="t", type=IDENTITY_MATCH.name, time=NOON, subject=subject, workspace_id=WORKSPACE
    )
    return Record(
        topic=IDENTITY_MATCH.name,
        partition=partition_of(subject, 8),
        offset=0,
        key=f"{subject}#{revision}".encode(),
        value=match.encode(),
        headers=envelope.headers(),
        timestamp_ms=0,
    )


def test_every_revision_of_a_customer_and_a_user_is_kept_once_whichever_comes_first(tables: Tables) -> None:
    tables.apply([matched("matched", 3), matched("unmatched", 2), matched("matched", 1), matched("matched", 3)])
    kept = "SELECT state, revision FROM mrr.matches ORDER BY revision"
    assert query(tables.url, kept) == [("matched", 1), ("unmatched", 2), ("matched", 3)]
