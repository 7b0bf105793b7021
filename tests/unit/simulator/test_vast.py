"""An account of computed objects answers as one whose objects are all there."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.company import customers
from simulator.company.invariants import broken_claims
from simulator.company.model import Customer
from simulator.company.periods import DAY, HOUR
from simulator.errors import SetupError
from simulator.founding import Company
from simulator.server import running
from simulator.truth.report import mrr_daily, report
from simulator.truth.valuation import counts, customer_mrr
from simulator.vast.account import vast
from tests.unit.simulator.conftest import Account

NOW = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
INSTANTS = [NOW, NOW + HOUR, NOW + 9 * DAY, NOW + 40 * DAY, NOW + 200 * DAY]
SHELVES = ("subscriptions", "invoices", "charges", "intents")


def small(*, seed: int = 1, customers: int = 300, **options: Any) -> Company:
    return vast(seed=seed, customers=customers, months=6, now=NOW, **options)


def everybody(company: Company) -> list[Customer]:
    return [company.world.customers[number] for number in range(len(company.world.customers))]


def belongings(company: Company, shelf: str) -> list[Any]:
    """All objects of a kind from their customers, in order of creation."""
    return sorted((thing for who in everybody(company) for thing in getattr(who, shelf)), key=lambda thing: thing.seq)


def told(thing: Any) -> tuple[Any, ...]:
    return (thing.number, thing.seq, thing.created, thing.status)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("now", INSTANTS)
def test_the_shelves_hold_what_the_customers_have_in_both_directions(seed: int, now: int) -> None:
    company = small(seed=seed)
    company.world.advance(now)
    for name in SHELVES:
        shelf, whole = getattr(company.world, name), [told(thing) for thing in belongings(company, name)]
        assert [told(thing) for thing in shelf.oldest(0, len(shelf))] == whole, name
        assert [told(thing) for thing in shelf.newest(0, len(shelf))] == whole[::-1], name
        assert len({number for number, *_ in whole}) == len(whole), name


@pytest.mark.parametrize("name", SHELVES)
@pytest.mark.parametrize("now", INSTANTS)
def test_a_window_and_a_status_are_found_as_by_looking_at_everything(name: str, now: int) -> None:
    company = small()
    company.world.advance(now)
    shelf, whole = getattr(company.world, name), belongings(company, name)
    for low, high in ((now - 30 * DAY, now - 2 * DAY), (now - 3 * HOUR, now + 1), (0, now - 90 * DAY)):
        window = [each for each in whole if low <= each.created < high]
        bounds = (shelf.before(low), min(shelf.before(high), len(shelf)))
        assert [told(each) for each in shelf.oldest(*bounds)] == [told(each) for each in window]
        for status in sorted({each.status for each in whole}):
            holding = [told(each) for each in window if each.status == status]
            assert [told(each) for each in shelf.oldest(*bounds, frozenset({status}))] == holding, status


@pytest.mark.parametrize("now", INSTANTS)
def test_the_books_are_in_order(now: int) -> None:
    company = small()
    company.world.advance(now)
    assert broken_claims(company.world) == []
    assert {sold.status for sold in belongings(company, "subscriptions")} >= {"active", "canceled"}


def test_time_only_adds_to_what_was_there() -> None:
    company = small(customers=60)
    seen: dict[tuple[str, int], tuple[int, int]] = {}
    for hour in range(0, 24 * 45, 7):
        company.world.advance(NOW + hour * HOUR)
        now = {
            (name, thing.number): (thing.seq, thing.created) for name in SHELVES for thing in belongings(company, name)
        }
        assert seen.items() <= now.items()
        seen = now


@pytest.mark.parametrize("now", INSTANTS)
def test_the_truth_is_the_sum_over_the_customers(now: int) -> None:
    company = small()
    company.world.advance(now)
    whole: Counter[str] = Counter()
    for who in everybody(company):
        whole.update(customer_mrr(who, now))
    assert company.record.mrr_at(now) == dict(whole)
    days = mrr_daily(company.world, company.record)
    for row in days[-40:-1:7]:
        assert row["mrr"] == company.record.mrr_at(row["day"] + DAY - 1)
    assert days[-1]["mrr"] == dict(whole)


def test_failures_and_lapses_are_those_of_the_books() -> None:
    company = small(customers=3000)
    found = report(company.world, company.record, company.ids)
    failing = {
        company.ids.encode("invoice", bill.number): bill.status
        for bill in belongings(company, "invoices")
        if bill.failures and bill.finalized_at > NOW - 30 * DAY
    }
    told_of = {each["invoice"]: each for rows in found["failed_payments"]["customers"].values() for each in rows}
    assert failing.keys() == told_of.keys()
    assert all((told_of[name]["resolution"] or "open") == status for name, status in failing.items())
    lapsed = {
        company.ids.encode("customer", who.number)
        for who in everybody(company)
        if not any(counts(sold) for sold in who.subscriptions) and (who.subscriptions[0].ended_at or 0) > NOW - 30 * DAY
    }
    assert set(found["lapsed_subscriptions"]["customers"]) == lapsed
    assert len(failing) > 100
    assert len(lapsed) > 10


def test_a_burst_bills_everybody_on_the_first() -> None:
    company = small(spread_days=1)
    days = {datetime.fromtimestamp(bill.created, UTC).day for bill in belongings(company, "invoices")}
    assert days == {1}


def test_a_million_customers_are_there_at_once_and_cannot_be_directed() -> None:
    company = vast(customers=1_000_000, now=NOW)
    assert len(company.world.customers) == 1_000_000
    latest = next(company.world.charges.newest(0, len(company.world.charges)))
    assert latest.created <= NOW < latest.created + HOUR
    with pytest.raises(SetupError):
        company.world.act(customers.delete, company.world.customers[0])
    with pytest.raises(SetupError):
        vast(customers=10, now=NOW, months=0)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    simulator = simulate(small(), settings=ServerSettings(rates=Rates(enforced=False), search_lag=0))
    with running(simulator) as address, httpx.Client(base_url=address) as http:
        yield Account(simulator, http)


@pytest.mark.parametrize("name", ["customers", "subscriptions", "invoices", "charges", "payment_intents"])
def test_lists_are_paged_to_their_end_and_each_object_is_found_by_its_id(account: Account, name: str) -> None:
    options: dict[str, Any] = {"status": "all"} if name == "subscriptions" else {}
    rows = account.every(name, **options)
    assert len({row["id"] for row in rows}) == len(rows) > 299
    assert all(before["created"] >= after["created"] for before, after in pairwise(rows))
    assert [account.get(f"{name}/{row['id']}")["id"] for row in rows[::97]] == [row["id"] for row in rows[::97]]
    middle = rows[150]
    before = account.get(name, limit=20, ending_before=middle["id"], **options)["data"]
    assert [row["id"] for row in before] == [row["id"] for row in rows[130:150]]


PERIODS: list[tuple[str, Callable[[Any], int]]] = [
    ("current_period_start", lambda row: row["items"]["data"][0]["current_period_start"]),
    ("current_period_end", lambda row: row["items"]["data"][0]["current_period_end"]),
]


@pytest.mark.parametrize(("name", "edge"), PERIODS, ids=[name for name, _ in PERIODS])
@pytest.mark.parametrize("days", [-40, -20, -2, 3, 20])
def test_periods_are_found_as_by_looking_at_everything(
    account: Account, name: str, edge: Callable[[Any], int], days: int
) -> None:
    every = account.every("subscriptions", status="all")
    for status in ("all", "active", "canceled"):
        found = account.every("subscriptions", status=status, **{f"{name}[gte]": NOW + days * DAY})
        wanted = [row["id"] for row in every if edge(row) >= NOW + days * DAY and status in {"all", row["status"]}]
        assert [row["id"] for row in found] == wanted


def test_searches_find_and_count_what_lists_have(account: Account) -> None:
    def search(resource: str, query: str) -> tuple[list[str], int]:
        page: dict[str, Any] = {"has_more": True, "next_page": None}
        rows: list[str] = []
        while page["has_more"]:
            turn = {"page": page["next_page"]} if page["next_page"] else {}
            page = account.get(f"{resource}/search", query=query, limit=30, **turn, **{"expand[]": "total_count"})
            rows += [row["id"] for row in page["data"]]
        return rows, page["total_count"]

    month = NOW - 30 * DAY
    charges = [row for row in account.every("charges") if row["created"] > month]
    failed = [row["id"] for row in charges if row["status"] == "failed"]
    assert search("charges", f'status:"failed" AND created>{month}') == (failed, len(failed))
    subscriptions = account.every("subscriptions", status="all")
    leaving = [row["id"] for row in subscriptions if (row["canceled_at"] or 0) > month]
    assert search("subscriptions", f"canceled_at>{month}") == (leaving, len(leaving))
    for ago in range(0, 100, 9):
        after, before = NOW - ago * DAY - 5 * DAY, NOW - ago * DAY
        within = [row["id"] for row in subscriptions if after < (row["canceled_at"] or 0) < before]
        assert search("subscriptions", f"canceled_at>{after} AND canceled_at<{before}") == (within, len(within))
    assert search("customers", "created>0")[1] == 300
    [who] = account.get("customers", limit=1)["data"]
    assert search("customers", f'email:"{who["email"]}"') == ([who["id"]], 1)
    assert search("subscriptions", 'status:"active" OR status:"canceled"')[1] == sum(
        row["status"] in {"active", "canceled"} for row in subscriptions
    )
    assert search("subscriptions", '-status:"active"')[1] == sum(row["status"] != "active" for row in subscriptions)


def test_expansions_name_one_another(account: Account) -> None:
    paths = ["data.customer", "data.latest_invoice.payments", "data.discounts", "data.items.data.discounts"]
    asked: dict[str, Any] = {"status": "all", "limit": 100, "expand[]": paths}
    rows = account.get("subscriptions", **asked)["data"]
    for row in rows:
        bill = row["latest_invoice"]
        assert bill["customer"] == row["customer"]["id"]
        assert account.get(f"invoices/{bill['id']}")["total"] == bill["total"]
    assert any(row["discounts"] for row in rows)
    asked = {"limit": 100, "expand[]": ["data.payment_intent"]}
    charges = account.get("charges", **asked)["data"]
    for row in charges[::10]:
        assert account.get("charges", payment_intent=row["payment_intent"]["id"], limit=100)["data"]
