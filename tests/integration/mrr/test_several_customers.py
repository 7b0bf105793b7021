"""A user who is one person with several customers, on partitions of their own: no gap, nobody twice, in any order."""

from collections.abc import Iterator
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from tests.decided import decision_record
from tests.integration.mrr.tables import Tables, query, standing
from tests.integration.mrr.test_persons import customer, instant, match
from tests.unit.mrr.feed import CONNECTION, WORKSPACE
from tests.unit.mrr.test_said import identify

END = 40
LIVE = "con_live"
CUSTOMERS = {"cus_1": 1000, "cus_2": 2000, "cus_3": 3000}
Matches = list[tuple[str, int]]


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url, now=instant(END))
    yield made
    made.close()


def started_anew(tables: Tables) -> Tables:
    """Without anything that was read: the offsets alone go on."""
    every = "customers, movements, balances, matches, first_said, decisions, timers, days, months, zones"
    with psycopg.connect(tables.url, options="-c search_path=mrr") as conn:
        conn.execute(f"TRUNCATE {every}".encode())
    tables.now = instant(END)
    return tables


def told(matches: Matches) -> list[Record]:
    """Each customer is matched and no longer in turns, at these days."""
    counted: dict[str, int] = {}
    found = []
    for name, on in matches:
        counted[name] = revision = counted.get(name, 0) + 1
        found.append(match(on, state="matched" if revision % 2 else "unmatched", revision=revision, customer_id=name))
    return found


def mrr_on(tables: Tables, on: float) -> dict[str, int]:
    """Everybody's MRR at an instant, by the rows that stand."""
    rows = [row for row in standing(tables.url) if row[2] <= instant(on)]
    found: dict[str, int] = {}
    for row in rows:
        found[row[0].partition("/")[2]] = found.get(row[0].partition("/")[2], 0) + row[4] - row[3]
    return {name: mrr for name, mrr in found.items() if mrr}


FACTS = [identify({"mrr": 49}, 5), *(customer(20, customer_id=name, amount=mrr) for name, mrr in CUSTOMERS.items())]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(CUSTOMERS)), st.integers(6, 35)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
)
@example([("cus_1", 10), ("cus_1", 20), ("cus_2", 30)], Random(1), 1)
def test_any_order_of_matches_and_raw_records_gives_the_same_ledger(
    tables: Tables, matches: Matches, chance: Random, batch: int
) -> None:
    """The matches of one user lie in one partition, so they keep their own order."""
    started_anew(tables)
    tables.apply([*FACTS, *told(matches)])
    tables.run_timers(instant(END))
    wanted, balances = standing(tables.url), query(tables.url, "SELECT subject, mrr FROM mrr.balances ORDER BY 1")
    started_anew(tables)
    places = [False] * len(FACTS) + [True] * len(matches)
    chance.shuffle(places)
    shuffled, ordered = iter(chance.sample(FACTS, len(FACTS))), iter(told(matches))
    records = [next(ordered if is_match else shuffled) for is_match in places]
    for start in range(0, len(records), batch):
        tables.apply(records[start : start + batch])
        if chance.random() < 0.3:
            tables.run_timers(instant(END))
    tables.run_timers(instant(END))
    assert standing(tables.url) == wanted
    assert query(tables.url, "SELECT subject, mrr FROM mrr.balances ORDER BY 1") == balances


def test_between_two_matches_of_a_user_nobody_is_missing_and_nobody_counts_twice(tables: Tables) -> None:
    matches = told([("cus_1", 10), ("cus_1", 20), ("cus_2", 30)])
    tables.apply([*FACTS[:3], *matches[:1]])
    tables.run_timers(instant(25))
    for record in matches[1:]:
        tables.apply([record])
    tables.run_timers(instant(END))
    assert [mrr_on(tables, on) for on in (3, 7, 15, 25, 35)] == [
        {"cus_1": 1000, "cus_2": 2000},
        {"u_1": 4900},
        {"cus_1": 1000, "cus_2": 2000},
        {"cus_1": 1000, "u_1": 4900},
        {"cus_1": 1000, "cus_2": 2000},
    ]


def test_where_another_customers_account_is_disconnected_the_next_one_hears_of_it(tables: Tables) -> None:
    other = [customer(20, customer_id="cus_9", connection="con_2"), match(10, customer_id="cus_9", connection="con_2")]
    tables.apply([*FACTS[:2], *other, match(30)])
    tables.run_timers(instant(31))
    assert mrr_on(tables, 25) == {"cus_1": 1000, "cus_9": 1000}
    ended = decision_record("connection.ended", {}, at=instant(20), workspace=WORKSPACE, connection="con_2")
    tables.apply([ended])
    tables.run_timers(instant(END))
    assert [mrr_on(tables, on) for on in (15, 25, 35)] == [
        {"cus_1": 1000, "cus_9": 1000},
        {"u_1": 4900},
        {"cus_1": 1000},
    ]


def connection_made(on: float, connection: str, *, livemode: bool) -> Record:
    detail = {"livemode_claimed": livemode, "key_kind": "rk"}
    return decision_record("connection.made", detail, at=instant(on), workspace=WORKSPACE, connection=connection)


@pytest.mark.parametrize("made_first", [True, False], ids=["live first", "test first"])
def test_a_match_in_test_mode_silences_nobody_while_there_is_a_live_account(tables: Tables, made_first: bool) -> None:
    live = connection_made(12, LIVE, livemode=True)
    story = [connection_made(1, CONNECTION, livemode=False), *FACTS[:2], match(10)]
    if made_first:
        tables.apply([live])
    tables.apply(story)
    tables.run_timers(instant(15))
    if not made_first:
        assert mrr_on(tables, 15) == {"cus_1": 1000}
        tables.apply([live])
    tables.run_timers(instant(20))
    assert [mrr_on(tables, on) for on in (7, 11, 20)] == [{"cus_1": 1000, "u_1": 4900}] * 3
    tables.apply([decision_record("connection.ended", {}, at=instant(25), workspace=WORKSPACE, connection=LIVE)])
    tables.run_timers(instant(END))
    assert [mrr_on(tables, on) for on in (7, 11, 30)] == [{"u_1": 4900}, {"cus_1": 1000}, {"cus_1": 1000}]
