"""What a fresh consumer group makes of the same topics, in empty tables.

The records are copied, with their keys, headers and offsets, to topics under a prefix of its own, and the service runs
on those and on a database of its own, at the instant at which the live system stands.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from pipeline.records import Record
from runtime.migrations import ServiceSchema
from schemas.catalogue import Topic
from tests.fixtures.servers import fresh_database
from tests.integration.consumers import Consumer
from tests.verifier.log import Entry

STATED: Mapping[str, Mapping[str, LiteralString]] = {
    "mrr": {
        "mrr_by_customer": "SELECT customer_id, currency, mrr FROM analytics.mrr_by_customer",
        "mrr_movements": """
            SELECT customer_id, currency, kind, effective_at, mrr_before, mrr_after
            FROM analytics.mrr_movements WHERE stands
        """,
        "mrr_daily": """
            SELECT currency, day, new, reactivation, expansion, contraction, churn, mrr_end, customers
            FROM analytics.mrr_daily WHERE new + reactivation + expansion + contraction + churn > 0
        """,
    },
    "detector": {
        "signals": """
            SELECT signal_id, customer_id, code, state, severity, opened_at, resolved_at, resolution, sentence, detail
            FROM analytics.signals WHERE state <> 'withdrawn'
        """,
    },
    "dunning": {
        "dunning_episodes": """
            SELECT episode_id, customer_id, state, reason, opened_at, ended_at, step, steps, due_at, mailed, mailed_at,
                   decline_reason, at_stake, remaining, recovered
            FROM analytics.dunning_episodes WHERE reason IS DISTINCT FROM 'superseded'
        """,
        "dunning_emails": """
            SELECT episode_id, step, attempt, state, at, message_id, recipient, subject_line
            FROM analytics.dunning_emails
        """,
    },
}
"""By service, the columns that the contracts of its tables name: what any order of the same records gives."""


def differences(
    schema: ServiceSchema,
    inputs: Sequence[Topic],
    outputs: Sequence[Topic],
    *,
    live: str,
    kafka: str,
    log: Sequence[Entry],
    now: datetime,
    folder: Path,
) -> Iterator[str]:
    """What the live tables say and a replay from zero does not, or the reverse."""
    folder.mkdir()
    with fresh_database(live) as database:
        prefix = f"again.{schema.service}."
        again = Consumer(schema, inputs, kafka, prefix, database, folder, outputs)
        try:
            again.prepare(now=now)
            names = {topic.name for topic in inputs}
            again.produce(_record(entry) for entry in log if entry.topic in names)
            again.start()
            again.settle()
            again.stop()
            for table, statement in STATED[schema.service].items():
                was, is_now = _rows(live, statement), _rows(database, statement)
                yield from (f"{table} has {row}, a replay has not" for row in sorted((was - is_now).elements()))
                yield from (f"a replay has {row}, {table} has not" for row in sorted((is_now - was).elements()))
        finally:
            again.close()


def _record(entry: Entry) -> Record:
    return Record(entry.topic, entry.partition, entry.offset, entry.key, entry.value, entry.headers, timestamp_ms=0)


def _rows(database: str, statement: LiteralString) -> Counter[str]:
    with psycopg.connect(database, options="-c timezone=UTC") as connection:
        return Counter(_text(row) for row in connection.execute(statement))


def _text(row: tuple[Any, ...]) -> str:
    return " ".join(str(value) for value in row)
