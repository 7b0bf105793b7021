"""Search: the query language, the counts, and an index that runs behind."""

from collections.abc import Callable
from typing import Any

import pytest

from simulator.company import customers, subscriptions
from simulator.company.invariants import violations

Account = Any


def matches(account: Account, name: str, query: str) -> set[str]:
    found: set[str] = set()
    page = account.get(f"{name}/search", query=query, limit=100)
    found |= {row["id"] for row in page["data"]}
    while page["has_more"]:
        page = account.get(f"{name}/search", query=query, limit=100, page=page["next_page"])
        found |= {row["id"] for row in page["data"]}
    return found


def where(account: Account, name: str, holds: Callable[[Any], bool]) -> set[str]:
    extra = {"status": "all"} if name == "subscriptions" else {}
    return {row["id"] for row in account.every(name, **extra) if holds(row)}


@pytest.mark.parametrize(
    ("name", "query", "holds"),
    [
        ("customers", "created>0", lambda row: True),
        ("customers", 'metadata["user_id"]:"user_7"', lambda row: row["metadata"].get("user_id") == "user_7"),
        ("customers", 'name~"smith"', lambda row: "smith" in row["name"].lower()),
        ("customers", "email:null", lambda row: row["email"] is None),
        ("subscriptions", 'status:"canceled"', lambda row: row["status"] == "canceled"),
        ("subscriptions", "canceled_at>0", lambda row: row["canceled_at"] is not None),
        ("subscriptions", '-status:"active"', lambda row: row["status"] != "active"),
        ("invoices", 'status:"open" AND currency:"usd"', lambda r: (r["status"], r["currency"]) == ("open", "usd")),
        ("invoices", 'status:"open" OR status:"void"', lambda row: row["status"] in {"open", "void"}),
        ("invoices", "total>5000 total<=20000", lambda row: 5000 < row["total"] <= 20_000),
        ("charges", "status:'failed'", lambda row: row["status"] == "failed"),
        ("charges", 'refunded:"true"', lambda row: row["refunded"]),
        ("charges", 'disputed:"true"', lambda row: row["disputed"]),
        ("payment_intents", 'status:"succeeded"', lambda row: row["status"] == "succeeded"),
    ],
)
def test_search_finds_what_the_list_shows(
    account: Account, name: str, query: str, holds: Callable[[Any], bool]
) -> None:
    assert matches(account, name, query) == where(account, name, holds)


def test_a_search_can_be_counted_without_being_read(account: Account) -> None:
    answer = account.get("customers/search", query="created>0", limit=1, **{"expand[]": "total_count"})
    assert answer["total_count"] == len(account.every("customers"))
    assert len(answer["data"]) == 1


def test_a_created_bound_in_a_search_is_exact(account: Account) -> None:
    rows = account.every("charges")
    middle = rows[len(rows) // 2]["created"]
    assert matches(account, "charges", f"created>={middle}") == {r["id"] for r in rows if r["created"] >= middle}
    assert matches(account, "charges", f"created<{middle}") == {r["id"] for r in rows if r["created"] < middle}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "nonsense",
        "status:",
        'plan:"gold"',
        "current_period_end>0",
        'status>"a"',
        "created:'yesterday'",
        'status:"a" AND status:"b" OR status:"c"',
        " AND ".join(["created>0"] * 11),
        'metadata:"x"',
        'status~"ab"',
    ],
)
def test_a_query_that_stripe_would_not_understand_is_refused(account: Account, query: str) -> None:
    status, error = account.refusal("subscriptions/search", query=query)
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_disputes_cannot_be_searched(account: Account) -> None:
    assert account.refusal("disputes/search")[0] == 404


def test_the_index_runs_behind_and_answers_with_what_is_current(fresh: Callable[..., Account]) -> None:
    account = fresh(search_lag=60)
    world = account.simulator.company.world
    sold = next(s for s in world.subscriptions.newest(0, len(world.subscriptions)) if s.status == "active")
    name = account.simulator.company.ids.encode("subscription", sold.number)
    world.act(subscriptions.cancel_now, sold)
    assert violations(world) == []
    assert name not in matches(account, "subscriptions", 'status:"canceled"')
    stale = account.get("subscriptions/search", query='status:"active"', limit=100)["data"]
    assert [row["status"] for row in stale if row["id"] == name] in ([], ["canceled"])
    account.simulator.clock.set(world.now + 61)
    assert name in matches(account, "subscriptions", 'status:"canceled"')
    assert name not in matches(account, "subscriptions", 'status:"active"')


def test_a_new_customer_is_in_the_list_at_once_and_in_the_search_later(fresh: Callable[..., Account]) -> None:
    account = fresh(search_lag=60)
    world = account.simulator.company.world
    before = len(world.customers)
    while len(world.customers) == before:
        account.simulator.clock.set(world.next_event_at())
        world.advance(world.next_event_at())
    name = account.simulator.company.ids.encode("customer", len(world.customers) - 1)
    assert account.get("customers", limit=1)["data"][0]["id"] == name
    assert name not in matches(account, "customers", "created>0")
    account.simulator.clock.set(world.now + 61)
    assert name in matches(account, "customers", "created>0")


def test_a_deleted_customer_is_in_neither_but_its_id_answers(fresh: Callable[..., Account]) -> None:
    account = fresh()
    world = account.simulator.company.world
    who = world.customers[3]
    world.act(customers.delete, who)
    name = account.simulator.company.ids.encode("customer", 3)
    assert account.get(f"customers/{name}") == {"id": name, "object": "customer", "deleted": True}
    assert name not in {row["id"] for row in account.every("customers")}
    assert name not in matches(account, "customers", "created>0")
    assert account.refusal("customers", starting_after=name)[1]["code"] == "resource_missing"
