"""Every question of docs/analysts.md, asked by an analyst of a company that lived: answered, and where it can be worked
out otherwise, rightly."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bench.ledgers import WORKSPACE, analyst, seed
from cli.questions import Question, questions
from tests.fixtures.servers import TestServers, fresh_database
from tests.integration.access.deployment import remove_analysts

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def asked(servers: TestServers) -> Iterator["Asked"]:
    """The analyst of a small company in a database of this file alone."""
    with fresh_database(servers.database) as url:
        seed(url, customers=300)
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


def test_the_mrr_now_is_what_customers_and_plans_and_days_and_months_add_up_to(asked: Asked) -> None:
    now = {row["currency"]: (row["mrr"], row["customers"]) for row in asked.question("What is our MRR now")}
    customers = asked.answer(
        "SELECT currency, sum(mrr) AS mrr, count(*) AS n FROM mrr_by_customer WHERE mrr > 0 GROUP BY 1"
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
        " FROM mrr_movements, c WHERE (effective_at AT TIME ZONE 'UTC')::date <= day GROUP BY 1"
    )
    wanted = {row["currency"]: (row["now"], row["then"]) for row in ledger}
    told = asked.question("What was MRR a month ago")
    assert {row["currency"]: (row["mrr_as_known_now"], row["mrr_as_known_then"]) for row in told} == wanted
    assert all(row["restated"] == row["mrr_as_known_now"] - row["mrr_as_known_then"] for row in told)


def test_one_currency_is_the_sum_at_the_latest_rates(asked: Asked) -> None:
    rates = {"usd": 1, "eur": 11, "gbp": 13}
    for row in asked.question("What is our MRR in one currency"):
        days = asked.answer(f"SELECT currency, mrr_end FROM mrr_daily WHERE day = '{row['day']}'")
        tenths = sum(each["mrr_end"] * (10 if each["currency"] == "usd" else rates[each["currency"]]) for each in days)
        assert abs(10 * row["mrr"] - tenths) <= 5
