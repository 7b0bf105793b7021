"""`dropfix mrr compare` over real tables: what another policy would make of them, and nothing changes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner, Result

from services.mrr.commands import commands
from services.mrr.policy import PROFITWELL
from simulator.company.life import Growth
from simulator.company.periods import DAY
from simulator.founding import found
from tests.integration.mrr.tables import Tables, query
from tests.unit.mrr.feed import WORKSPACE, Feed
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.test_said import identify

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = "SELECT md5(string_agg(m::text, ',' ORDER BY movement_id)) FROM mrr.movements m"


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    made = Tables(database_url, now=NOW)
    yield made
    made.close()


def compared(tables: Tables, *arguments: str) -> Result:
    return CliRunner().invoke(
        commands, ["compare", "--database-url", tables.url, *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"}
    )


def test_a_company_compared_with_another_policy_is_that_of_a_replay_by_it_and_nothing_changes(tables: Tables) -> None:
    company = found(seed=11, now=int(NOW.timestamp()), growth=Growth(customers=150))
    records = list(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    tables.apply(records)
    before = query(tables.url, EVERYTHING)
    answer = compared(tables, "--to", "profitwell", "--json")
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    last = {one["currency"]: one for one in told["months"] if one["month"] == "2026-01-01"}
    replays = {False: Replay().take(records).tick(NOW), True: Replay(PROFITWELL).take(records).tick(NOW)}
    assert {code: one["mrr"] for code, one in last.items() if one["mrr"]} == replays[False].mrr_at(NOW)
    assert {code: one["would_be"] for code, one in last.items() if one["would_be"]} == replays[True].mrr_at(NOW)
    assert any(one["difference"] for one in told["months"])
    assert {why["choice"] for one in told["customers"] for why in one["reasons"]} >= {"discounts.repeating"}
    assert all(one["reasons"] for one in told["customers"])
    assert query(tables.url, EVERYTHING) == before


def test_people_are_shown_months_and_the_largest_differences_with_their_reasons(tables: Tables) -> None:
    company = found(seed=11, now=int(NOW.timestamp()), growth=Growth(customers=60))
    tables.apply(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    shown = compared(tables, "--to", "profitwell").stdout
    assert "profitwell/1 beside stripe/1: discounts.repeating: not taken off → taken off" in shown
    assert "2025-12" in shown
    assert "customers would differ" in shown
    assert "discounts.repeating" in shown


def test_which_workspace_has_to_be_said_where_there_are_several(tables: Tables) -> None:
    assert compared(tables, "--to", "profitwell").exit_code == 3
    tables.apply([identify({"mrr": 49}, -5)])
    assert compared(tables, "--to", "profitwell", "--json").exit_code == 0
    refused = compared(tables, "--to", "profitwell", "--workspace", "ws_other")
    assert (refused.exit_code, WORKSPACE in refused.output) == (2, True)


def test_a_user_is_explained_like_a_customer(tables: Tables) -> None:
    tables.apply([identify({"mrr": 49}, -5)])
    answer = CliRunner().invoke(commands, ["explain", "u_1", "--database-url", tables.url, "--json"])
    ((currency,),) = ([one["mrr"] for one in json.loads(answer.stdout)],)
    assert [(one["currency"], one["mrr"]) for one in currency] == [("usd", 4900)]
    assert currency[0]["items"][0]["records"] == currency[0]["movements"][0]["record"].split()
