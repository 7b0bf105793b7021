"""Every question of docs/analysts.md, on 100,000 customers with three years of movements, asked by their analyst.

Times are the middle of three, after one that is not counted; row security is on, as it always is for an analyst.
Compared with reading the whole ledger once, which is what a question costs that nothing was kept for.
"""

import time
from statistics import median
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from bench.ledgers import analyst, seed
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from cli.questions import questions

CUSTOMERS = 100_000
GOAL_MS = 200.0
TIMES = 3
EVERYTHING = "SELECT currency, kind, sum(mrr_change) FROM mrr_movements WHERE stands GROUP BY 1, 2"


def run(servers: Servers, tell: Tell) -> Measurement:
    """Seed, then ask each question."""
    with servers.fresh_database() as database:
        tell(f"{seed(database, customers=CUSTOMERS):,} movements of {CUSTOMERS:,} customers")
        role, password = analyst(database)
        with psycopg.connect(make_conninfo(database, user=role, password=password), autocommit=True) as connection:
            found = {question.text: _milliseconds(connection, question.sql) for question in questions()}
            whole = _milliseconds(connection, EVERYTHING)
    return Measurement(
        name="analyst_queries",
        value=found,
        unit="ms",
        goal=dict.fromkeys(found, GOAL_MS),
        compared_with={"the whole ledger read once": whole},
        lower_is_better=True,
    )


def _milliseconds(connection: psycopg.Connection[tuple[Any, ...]], statement: str) -> float:
    took = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        rows = connection.execute(statement.encode()).fetchall()
        took.append(1000 * (time.perf_counter() - began))
    if not rows:
        raise RuntimeError(f"this question has no answer, so its time says nothing: {statement}")
    return round(median(took[1:]), 1)
