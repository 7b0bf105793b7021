"""Every question of docs/analysts.md, asked by an analyst of a company that lived: answered, and where it can be worked
out otherwise, rightly."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bench.ledgers import CONNECTION, WORKSPACE, analyst, seed
from cli.questions import Question, questions
from tests.fixtures.servers import TestServers, fresh_database
from tests.integration.access.deployment import remove_analysts

SECOND, TEST = "con_second", "con_test"
"""Beside the account of the seed: another one in live mode, one in test mode; and users whose MRR identify() tells."""
COUNTED = f"connection_id <> '{TEST}'"
KEYS = ("currency", "month", "day", "quarter", "cohort", "plan", "country", "code")
MOVED = (
    "kind, effective_at, observed_at, mrr_before, mrr_after, subscriptions, basis, reconstructed,"
    " policy_version, detail"
)
SOURCE = "source_topic, source_partition, source_offset"
STANDS = "mrr, basis, unvalued, first_at, since, prices, quantities, amounts"
OF_THIRTY = "connection_id = %(from)s AND customer_id < 'cus_0000000030'"
COPIES = (
    f"INSERT INTO mrr.movements (movement_id, workspace_id, connection_id, customer_id, currency, {MOVED}, {SOURCE})"
    f" SELECT gen_random_uuid(), workspace_id, %(scope)s::text, customer_id, currency, {MOVED}, {SOURCE}"
    f" FROM mrr.movements m WHERE {OF_THIRTY} AND corrects IS NULL"
    " AND NOT EXISTS (SELECT FROM mrr.movements c WHERE c.corrects = m.movement_id)",
    f"INSERT INTO mrr.balances (subject, currency, workspace_id, connection_id, customer_id, {STANDS})"
    f" SELECT %(scope)s::text || '/' || customer_id, currency, workspace_id, %(scope)s::text, customer_id, {STANDS}"
    f" FROM mrr.balances WHERE {OF_THIRTY}",
)
MADE = (
    "INSERT INTO mrr.decisions SELECT 'dec_' || %(scope)s::text, %(workspace)s, %(scope)s::text, 'connection.made',"
    " jsonb_build_object('livemode_claimed', %(live)s::boolean), 'mem_1', NULL, now(), now(),"
    " 'control.decision.v1', 0, 0"
)


def add_scopes(url: str) -> None:
    """Another account, one in test mode, and users: each with the lives of thirty customers."""
    with psycopg.connect(url) as connection:
        for scope in (SECOND, TEST, WORKSPACE):
            for statement in COPIES:
                connection.execute(statement.encode(), {"scope": scope, "from": CONNECTION})
        for scope in (CONNECTION, SECOND, TEST):
            connection.execute(MADE.encode(), {"scope": scope, "workspace": WORKSPACE, "live": scope != TEST})


@pytest.fixture(scope="module")
def asked(servers: TestServers) -> Iterator["Asked"]:
    """The analyst of a small company with several scopes in a database of this file alone."""
    with fresh_database(servers.database) as url:
        seed(url, customers=300)
        add_scopes(url)
        role, password = analyst(url)
        try:
            with psycopg.connect(make_conninfo(url, user=role, password=password), autocommit=True) as connection:
                yield Asked(connection)
        finally:
            remove_analysts(url, [WORKSPACE])


class Asked:
    """Answers, by column."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    def answer(self, statement: str) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def question(self, start: str) -> list[dict[str, Any]]:
        (found,) = [one for one in questions() if one.text.startswith(start)]
        return self.answer(found.sql)


def test_there_are_twenty_and_none_is_there_twice() -> None:
    texts = [question.text for question in questions()]
    assert len(set(texts)) == len(texts) >= 20


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.text)
def test_a_question_is_answered(asked: Asked, question: Question) -> None:
    rows = asked.answer(question.sql)
    assert rows
    known = {name for row in rows for name, value in row.items() if value is not None}
    assert known == set(rows[0]), "a column that is never known answers nothing"
    assert all(isinstance(row.get("currency", ""), str) for row in rows)

    keys = [tuple(row[key] for key in KEYS if key in row) for row in rows]
    if not any(name.endswith("_id") for name in rows[0]):
        assert len(set(keys)) == len(keys), "an account, or the users, have rows of their own"


def test_test_mode_is_in_no_sum_where_there_is_a_live_account(asked: Asked) -> None:
    assert asked.answer("SELECT connection_id, livemode FROM connections_set_aside") == [
        {"connection_id": TEST, "livemode": False}
    ]
    (row,) = asked.answer(
        f"SELECT sum(mrr) FILTER (WHERE {COUNTED}) AS counted, sum(mrr) AS every FROM mrr_by_customer"
    )
    now = sum(row["mrr"] for row in asked.question("What is our MRR now"))
    assert now == row["counted"] < row["every"]


def test_the_last_thirty_days_are_thirty(asked: Asked) -> None:
    before = asked.answer(
        "SELECT currency, sum(mrr) AS mrr FROM workspace_calendar c CROSS JOIN LATERAL mrr_as_of(c.today - 30) a"
        f" WHERE a.{COUNTED} GROUP BY 1 ORDER BY 1"
    )
    told = asked.question("What is our retention over")
    assert [(row["currency"], row["mrr_start"]) for row in told] == [(row["currency"], row["mrr"]) for row in before]


def test_retention_is_that_of_all_accounts_together(asked: Asked) -> None:
    parts = asked.answer(f"SELECT currency, month, mrr_start, nrr, grr FROM mrr_monthly WHERE {COUNTED}")
    for row in asked.question("What are our net and gross"):
        own = [
            each for each in parts if all(each[key] == row[key] for key in ("currency", "month")) and each["mrr_start"]
        ]
        for figure in ("nrr", "grr"):
            whole = sum(each["mrr_start"] * each[figure] for each in own) / sum(each["mrr_start"] for each in own)
            assert abs(row[figure] - whole) < 0.0001


def test_the_mrr_now_is_what_customers_and_plans_and_days_and_months_add_up_to(asked: Asked) -> None:
    now = {row["currency"]: (row["mrr"], row["customers"]) for row in asked.question("What is our MRR now")}
    customers = asked.answer(
        f"SELECT currency, sum(mrr) AS mrr, count(*) AS n FROM mrr_by_customer WHERE mrr > 0 AND {COUNTED} GROUP BY 1"
    )
    assert now == {row["currency"]: (row["mrr"], row["n"]) for row in customers}
    plans = asked.question("Which plans")
    assert {c: sum(row["mrr"] for row in plans if row["currency"] == c) for c in now} == {
        c: m for c, (m, _) in now.items()
    }
    for start, column in (("How has MRR developed", "mrr_end"), ("What was MRR on every day", "mrr_end")):
        latest = {row["currency"]: row[column] for row in asked.question(start)}
        assert latest == {currency: mrr for currency, (mrr, _) in now.items()}
    countries = asked.question("In which countries")
    assert sum(row["mrr"] for row in countries) == sum(mrr for mrr, _ in now.values())


def test_why_mrr_moved_adds_up_every_month(asked: Asked) -> None:
    for row in asked.question("Why did MRR move"):
        moved = ("new", "reactivation", "expansion", "contraction", "churn", "other")
        assert row["mrr_start"] + sum(row[name] for name in moved) == row["mrr_end"]


def test_both_times_of_a_day_are_those_that_the_ledger_adds_up_to(asked: Asked) -> None:
    ledger = asked.answer(
        "WITH c AS (SELECT today - 30 AS day, instant - interval '29 days' AS at FROM workspace_calendar)"
        " SELECT currency, sum(mrr_change) AS now, sum(mrr_change) FILTER (WHERE observed_at <= at) AS then"
        " FROM mrr_movements, c WHERE (effective_at AT TIME ZONE 'UTC')::date <= day"
        f" AND {COUNTED} GROUP BY 1"
    )
    wanted = {row["currency"]: (row["now"], row["then"]) for row in ledger}
    told = asked.question("What was MRR a month ago")
    assert {row["currency"]: (row["mrr_as_known_now"], row["mrr_as_known_then"]) for row in told} == wanted
    assert all(row["restated"] == row["mrr_as_known_now"] - row["mrr_as_known_then"] for row in told)


def test_one_currency_is_the_sum_at_the_latest_rates(asked: Asked) -> None:
    rates = {"usd": 1, "eur": 11, "gbp": 13}
    for row in asked.question("What is our MRR in one currency"):
        days = asked.answer(f"SELECT currency, mrr_end FROM mrr_daily WHERE day = '{row['day']}' AND {COUNTED}")
        tenths = sum(each["mrr_end"] * (10 if each["currency"] == "usd" else rates[each["currency"]]) for each in days)
        assert abs(10 * row["mrr"] - tenths) <= 5
