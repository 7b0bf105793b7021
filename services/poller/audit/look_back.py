"""What the audit and the log say of the past: requests as Stripe's own log shows them, and one object's history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.rows import dict_row

from pipeline.records import LogPartition, Record
from schemas.catalogue import RAW_TOPICS
from schemas.partition import partition_of
from services.poller.audit.asked import Asked
from services.poller.audit.explain import Line, Step, call_of, steps_of
from services.poller.kinds import Kind
from services.poller.statements import statement

if TYPE_CHECKING:
    from runtime.kafka import Broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Asked):
    """One request to Stripe as its audit has it. `called_at` is domain time, in UTC."""

    called_at: datetime
    connection_id: str


@dataclass(frozen=True, slots=True)
class History:
    """What is known of an object in one connection. `last_seen` is the latest request that showed it, changed or not;
    `due_at` when it is read alone again, in Unix seconds of Stripe's clock. `calls` by their id; one that is missing
    has expired."""

    connection_id: str
    object_id: str
    kind: Kind
    subject: str
    status: str | None
    deleted: bool
    due_at: int | None
    steps: tuple[Step, ...]
    last_seen: Request | None
    calls: Mapping[str, Request]


def requests_made(
    database: str,
    *,
    connection_id: str | None = None,
    purpose: str | None = None,
    request_id: str | None = None,
    failed: bool = False,
    limit: int = 50,
) -> list[Request]:
    """The newest requests first; `failed` those alone that were refused or got no answer."""
    wanted = {"connection_id": connection_id, "purpose": purpose, "request_id": request_id}
    with _open(database) as conn:
        rows = conn.execute(statement("calls"), {**wanted, "failed": failed, "limit": limit})
        return [Request(**row) for row in rows]


def histories(database: str, broker: "Broker", object_id: str) -> list[History]:
    """The object's history in every connection that has seen it. Raises PassingFault where Kafka does not answer.

    Its records are looked for in the one partition that its subject lies on, from the beginning.
    """
    with _open(database) as conn:
        known = conn.execute(statement("objects_named"), {"object_id": object_id}).fetchall()
        return [_history(conn, broker, row) for row in known]


def _open(database: str) -> psycopg.Connection[dict[str, Any]]:
    """A connection that gives instants in UTC, whatever the server's time zone."""
    return psycopg.connect(database, row_factory=dict_row, options="-c timezone=UTC")


def _history(conn: psycopg.Connection[dict[str, Any]], broker: "Broker", row: Mapping[str, Any]) -> History:
    kind, connection_id = cast(Kind, row["kind"]), str(row["connection_id"])
    steps = steps_of(kind, connection_id, _lines(broker, kind, str(row["subject"]), str(row["object_id"])))
    seen_by = call_of(connection_id, int(row["seen_version"]))
    calls = _calls(conn, [*(step.call_id for step in steps), seen_by])
    return History(
        connection_id=connection_id,
        object_id=str(row["object_id"]),
        kind=kind,
        subject=str(row["subject"]),
        status=row["status"],
        deleted=bool(row["deleted"]),
        due_at=row["due_at"],
        steps=steps,
        last_seen=calls.get(seen_by),
        calls=calls,
    )


def _calls(conn: psycopg.Connection[dict[str, Any]], ids: Sequence[str]) -> dict[str, Request]:
    rows = conn.execute(statement("calls_by_id"), {"ids": list(ids)}).fetchall()
    return {str(row.pop("call_id")): Request(**row) for row in rows}


def _lines(broker: "Broker", kind: Kind, subject: str, object_id: str) -> Iterable[Line]:
    from pipeline.log import LogReader
    from pipeline.sources.bulk import read_bulk

    topic = RAW_TOPICS[kind]
    place = LogPartition(topic.name, partition_of(subject, topic.partitions))
    reader = LogReader(broker, client_id="dropfix-explain")
    try:
        bounds = reader.bounds([place])[place]
    finally:
        reader.close()
    start = f"{subject}#{object_id}@".encode()
    for batch in read_bulk(broker, start={place: bounds.begin}, until={place: bounds.end}):
        yield from (_line(record) for record in batch if record.key is not None and record.key.startswith(start))


def _line(record: Record) -> Line:
    return Line(record.partition, record.offset, record.headers, record.value or b"{}")
