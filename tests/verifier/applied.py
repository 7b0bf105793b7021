"""Whether every record was applied, once, and everything that followed was published.

A stored offset moves in the transaction that applies its record, so that *applied once* is that the offsets are the
ends of the topics (and that the tables are what a replay gives, which the other modules say).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tests.verifier.log import Entry, ends_of, read_topics
from tests.verifier.mirror import RAW_TOPICS

SIGNALS, MOVEMENTS, CALLS = "churn.signal.v1", "mrr.movement.v1", "stripe.api_call.v1"
EMAILS = "dunning.event.v1"
CONSUMERS: Mapping[str, Sequence[str]] = {
    "mirror": RAW_TOPICS,
    "mrr": tuple(f"stripe.{kind}.raw.v1" for kind in ("customer", "subscription", "invoice")),
    "detector": RAW_TOPICS,
    "dunning": (*RAW_TOPICS, "control.decision.v1", "stripe.refresh_result.v1", "dunning.event.v1"),
}
"""What each consumer reads at the least."""


def behind(database: str, kafka: str) -> Iterator[str]:
    """Partitions that were not applied to their end, and what waits to be published."""
    with psycopg.connect(database) as connection:
        services = sorted({*CONSUMERS, *_schemas_with(connection, "offsets")})
        stored_by = {service: _offsets(connection, service) for service in services}
        ends = ends_of(kafka, {*RAW_TOPICS, *(topic for stored in stored_by.values() for topic, _ in stored)})
        for service, stored in stored_by.items():
            topics = {*CONSUMERS.get(service, ()), *(topic for topic, _ in stored)}
            for (topic, partition), end in ends.items():
                at = stored.get((topic, partition), 0)
                if topic in topics and at != end:
                    yield f"{service} is at {at} of {topic}/{partition}, which ends at {end}"
        for schema in _schemas_with(connection, "outbox"):
            waiting = _count(connection, schema, "outbox")
            if waiting:
                yield f"{waiting} record(s) wait in {schema}.outbox"


def dead_letters(database: str) -> Iterator[str]:
    """Records that were given up: there is nothing bad in this log."""
    with psycopg.connect(database) as connection:
        for schema in _schemas_with(connection, "dead_letters"):
            if given_up := _count(connection, schema, "dead_letters"):
                yield f"{given_up} record(s) are in {schema}.dead_letters"


def _offsets(connection: psycopg.Connection, service: str) -> dict[tuple[str, int], int]:
    statement = sql.SQL("SELECT topic, partition, next_offset FROM {}").format(sql.Identifier(service, "offsets"))
    return {(topic, partition): at for topic, partition, at in connection.execute(statement)}


def _schemas_with(connection: psycopg.Connection, table: str) -> list[str]:
    statement = "SELECT schemaname FROM pg_tables WHERE tablename = %s ORDER BY 1"
    return [schema for (schema,) in connection.execute(statement, (table,))]


def _count(connection: psycopg.Connection, schema: str, table: str) -> int:
    statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    (found,) = connection.execute(statement).fetchone() or (0,)
    return int(found)


def unsaid(database: str, kafka: str) -> Iterator[str]:
    """What a table says and no event does, the reverse, and events of one id that differ."""
    yield from _signals(database, read_topics(kafka, [SIGNALS]))
    movements = read_topics(kafka, [MOVEMENTS])
    yield from _repeated_otherwise(movements)
    known = {str(name) for (name,) in _rows(database, "SELECT movement_id FROM mrr.movements")}
    yield from _both(known, {entry.content["movement_id"] for entry in movements}, "movement")
    yield from _emails(database, read_topics(kafka, [EMAILS]))
    calls = {(entry.partition, entry.offset): entry.id for entry in read_topics(kafka, [CALLS])}
    for call, partition, offset in _rows(
        database, "SELECT call_id, source_partition, source_offset FROM poller.api_calls"
    ):
        if calls.get((partition, offset)) != str(call):
            yield f"the request {call} is not at {CALLS}/{partition}/{offset}"


def _signals(database: str, events: list[Entry]) -> Iterator[str]:
    yield from _repeated_otherwise(events)
    said: dict[str, dict[int, Entry]] = {}
    for event in events:
        revision = int(event.key.decode().rpartition("@")[2])
        said.setdefault(event.content["signal_id"], {})[revision] = event
    rows = _rows(database, "SELECT signal_id, revision, state, opened_at, resolved_at FROM detector.signals")
    yield from _both({row[0] for row in rows}, said.keys(), "signal")
    for signal_id, revision, state, opened_at, resolved_at in rows:
        told = said.get(signal_id, {})
        if missing := sorted(set(range(1, revision + 1)) - told.keys()):
            yield f"of the signal {signal_id} the revision(s) {missing} of {revision} were never published"
            continue
        last = told[revision].content
        if max(told) != revision or not _says(last["state"], state):
            yield f"the signal {signal_id} is {state} at {revision}; last published: {last['state']} at {max(told)}"
        if (last["opened_at"], last["resolved_at"]) != (_text(opened_at), _text(resolved_at)):
            yield f"the signal {signal_id} was published with other times than it has"


def _emails(database: str, events: list[Entry]) -> Iterator[str]:
    yield from _repeated_otherwise(events)
    said = {f"{one['episode_id']}/{one['step']}" for event in events if (one := event.content)["message_id"]}
    rows = _rows(database, "SELECT episode_id || '/' || step FROM analytics.dunning_emails")
    yield from _both({name for (name,) in rows}, said, "email")


def _says(published: str, state: str) -> bool:
    return published == state or (published, state) in {
        ("opened", "open"),
        ("updated", "open"),
        ("updated", "resolved"),
    }


def _repeated_otherwise(events: list[Entry]) -> Iterator[str]:
    first: dict[str, Entry] = {}
    for event in events:
        same = first.setdefault(event.id, event)
        if (same.key, same.value, same.headers) != (event.key, event.value, event.headers):
            yield f"{event.place} and {same.place} have one id and differ"


def _both(table: set[str], topic: Any, what: str) -> Iterator[str]:
    yield from (f"the {what} {name} was never published" for name in sorted(table - set(topic)))
    yield from (f"the {what} {name} was published and is in no table" for name in sorted(set(topic) - table))


def _rows(database: str, statement: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(database, options="-c timezone=UTC") as connection:
        return connection.execute(statement).fetchall()


def _text(instant: Any) -> str | None:
    """As the events write times."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
