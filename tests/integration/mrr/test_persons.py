"""A customer and a user on different partitions: whichever record comes first, one number stands, once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Literal

import pytest

from pipeline.records import Record
from schemas.catalogue import IDENTITY_MATCH
from schemas.envelope import Envelope
from schemas.events.identity import IdentityMatch
from schemas.partition import partition_of
from services.mrr.policy import PROFITWELL
from tests.decided import decision_record
from tests.integration.mrr.tables import Tables, query, standing
from tests.unit.mrr.build import discount, item, price, subscription
from tests.unit.mrr.feed import CONNECTION, WORKSPACE, raw_record
from tests.unit.mrr.story import day
from tests.unit.mrr.test_said import identify

Story = dict[str, Record]


def instant(on: float) -> datetime:
    return datetime.fromtimestamp(day(on), UTC)


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url, now=instant(30))
    yield made
    made.close()


def match(
    on: float,
    *,
    state: Literal["matched", "unmatched"] = "matched",
    revision: int = 1,
    customer_id: str = "cus_1",
    connection: str = CONNECTION,
) -> Record:
    found = IdentityMatch(
        workspace_id=WORKSPACE,
        connection_id=connection,
        customer_id=customer_id,
        user_id="u_1",
        state=state,
        by="email",
        effective_at=instant(on),
        revision=revision,
    )
    subject = f"{WORKSPACE}/u_1"
    envelope = Envelope(
        id=f"m{customer_id}{revision}",
        source="t",
        type=IDENTITY_MATCH.name,
        time=instant(on),
        subject=subject,
        workspace_id=WORKSPACE,
    )
    place = partition_of(subject, 8)
    key = f"{subject}#{revision}".encode()
    return Record(IDENTITY_MATCH.name, place, 0, key, found.encode(), envelope.headers(), 0)


def customer(on: float, *, customer_id: str = "cus_1", connection: str = CONNECTION, amount: int = 1000) -> Record:
    """Stripe's customer at 10 a month since the first day, as it was read when the account was connected."""
    obj = subscription(item(price(amount)), name=f"sub_{customer_id}", customer=customer_id, start_date=day(0))
    return raw_record("subscription", obj, at=day(on), version=1, change="backfilled", connection=connection)


STORY: Story = {"user": identify({"mrr": 49}, 5), "customer": customer(20), "match": match(20)}


@pytest.mark.parametrize("order", list(permutations(STORY)), ids="-".join)
def test_whichever_comes_first_identifys_number_stands_until_the_match_and_stripes_from_then_on(
    tables: Tables, order: tuple[str, ...]
) -> None:
    for name in order:
        tables.apply([STORY[name]])
    tables.run_timers(instant(30))
    assert standing(tables.url) == [
        (f"{CONNECTION}/cus_1", "usd", instant(0), 0, 1000, "new"),
        (f"{CONNECTION}/cus_1", "usd", instant(5), 1000, 0, "source"),
        (f"{CONNECTION}/cus_1", "usd", instant(20), 0, 1000, "source"),
        (f"{WORKSPACE}/u_1", "usd", instant(5), 0, 4900, "new"),
        (f"{WORKSPACE}/u_1", "usd", instant(20), 4900, 0, "source"),
    ]
    assert query(tables.url, "SELECT customer_id, mrr FROM mrr.balances WHERE mrr > 0") == [("cus_1", 1000)]


@pytest.mark.parametrize("late", [True, False], ids=["learned of last", "learned of first"])
def test_a_message_that_tells_an_earlier_mrr_reaches_the_customer_on_its_own_partition(
    tables: Tables, late: bool
) -> None:
    earlier = identify({"mrr": 49}, 2, name="early")
    told = [*STORY.values(), earlier] if late else [earlier, *STORY.values()]
    for record in told:
        tables.apply([record])
    tables.run_timers(instant(30))
    rows = [row for row in standing(tables.url) if row[0].endswith("cus_1")]
    assert [(row[2], row[5]) for row in rows] == [
        (instant(0), "new"),
        (instant(2), "source"),
        (instant(20), "source"),
    ]


def test_where_the_match_ends_each_counts_by_its_own_number_again(tables: Tables) -> None:
    tables.apply([*STORY.values(), match(25, state="unmatched", revision=2)])
    tables.run_timers(instant(30))
    assert [row[2:] for row in standing(tables.url) if row[0].endswith("u_1")][-1] == (instant(25), 0, 4900, "source")
    mrr_now = "SELECT customer_id, mrr FROM mrr.balances WHERE mrr > 0 ORDER BY 1"
    assert query(tables.url, mrr_now) == [("cus_1", 1000), ("u_1", 4900)]


def test_where_the_account_is_disconnected_identifys_number_stands_again(tables: Tables) -> None:
    tables.apply(STORY.values())
    tables.run_timers(instant(22))
    end = decision_record("connection.ended", {}, at=instant(25), workspace=WORKSPACE, connection=CONNECTION)
    tables.apply([end])
    tables.run_timers(instant(30))
    assert query(tables.url, "SELECT customer_id, mrr FROM mrr.balances WHERE mrr > 0") == [("u_1", 4900)]
    last = [row for row in standing(tables.url) if row[2] == instant(25)]
    assert [(row[0], row[3], row[4], row[5]) for row in last] == [
        (f"{CONNECTION}/cus_1", 1000, 0, "source"),
        (f"{WORKSPACE}/u_1", 0, 4900, "source"),
    ]


def test_an_mrr_that_is_none_is_a_dead_letter_and_the_next_one_counts(tables: Tables) -> None:
    tables.apply([identify({"mrr": "a lot"}, 3), identify({"plan": "Team"}, 4), identify({"mrr": 49}, 5)])
    assert query(tables.url, "SELECT mrr FROM mrr.balances") == [(4900,)]
    ((reason,),) = query(tables.url, "SELECT reason FROM mrr_io.dead_letters")
    assert "the MRR of the user u_1" in reason


def policy(values: object, *, counts_from: str, at: datetime, name: str) -> Record:
    detail = {"policy": values, "counts_from": counts_from}
    return decision_record("mrr.policy", detail, at=at, workspace=WORKSPACE, name=name)


def discounted() -> Record:
    off = discount(percent=20, duration="repeating", end=day(300))
    obj = subscription(item(price(1000)), start_date=day(0), discounts=[off])
    return raw_record("subscription", obj, at=day(0), version=1, change="created")


def test_another_policy_counts_from_its_day_in_the_workspaces_zone_and_can_be_taken_back(tables: Tables) -> None:
    zone = decision_record("workspace.settings", {"timezone": "Asia/Tokyo"}, at=instant(1), workspace=WORKSPACE)
    tables.apply([discounted(), zone])
    tables.apply([policy(PROFITWELL.model_dump(), counts_from="2026-01-11", at=instant(20), name="dec_1")])
    tables.run_timers(instant(21))
    begins = instant(10) - timedelta(hours=9)
    kinds = "SELECT kind, effective_at, mrr_change, policy_version FROM analytics.mrr_movements WHERE stands ORDER BY 2"
    assert query(tables.url, kinds) == [
        ("new", instant(0), 1000, "stripe/1"),
        ("policy", begins, -200, "profitwell/1"),
    ]
    assert query(tables.url, "SELECT day::text, policy FROM analytics.mrr_daily WHERE policy <> 0") == [
        ("2026-01-11", -200)
    ]
    tables.apply([policy({"version": "stripe/1"}, counts_from="2026-01-11", at=instant(25), name="dec_2")])
    tables.run_timers(instant(26))
    assert query(tables.url, "SELECT mrr FROM mrr.balances") == [(1000,)]
    as_known = "SELECT mrr FROM analytics.mrr_as_known('2026-01-15', %s)"
    assert [query(tables.url, as_known, instant(on)) for on in (19, 22, 27)] == [[(1000,)], [(800,)], [(1000,)]]


@pytest.mark.parametrize("version", ["stripe/1", "ours/1"])
def test_a_version_that_names_another_policy_already_is_a_dead_letter(tables: Tables, version: str) -> None:
    first = policy({"version": "ours/1"}, counts_from="2026-01-11", at=instant(2), name="dec_1")
    other = {"version": version, "past_due_grace_days": 3}
    second = policy(other, counts_from="2026-01-11", at=instant(3), name="dec_2")
    tables.apply([discounted(), first, replace(second, offset=1)])
    tables.run_timers(instant(5))
    ((reason,),) = query(tables.url, "SELECT reason FROM mrr_io.dead_letters")
    assert f"{version} is the name of another policy already" in reason
    assert query(tables.url, "SELECT decision_id FROM mrr.decisions WHERE kind = 'mrr.policy'") == [("dec_1",)]
