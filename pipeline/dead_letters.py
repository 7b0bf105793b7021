"""Dead letters: records that cannot be processed, kept whole, with where they are from and why they are there.

A limit on their rate stops the service: when everything is bad, the fault is in the service or its configuration,
and emptying a topic into the dead letters would only hide it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from pipeline.errors import BadRecord, DeadLetterFlood
from pipeline.outbox import OutboxRow
from pipeline.records import Record
from runtime.database import Connection
from schemas.catalogue import dead_letter_topic

SOURCE_TOPIC = "dlq_topic"
SOURCE_PARTITION = "dlq_partition"
SOURCE_OFFSET = "dlq_offset"
SOURCE_KEY = "dlq_key"
SOURCE_TIMESTAMP = "dlq_timestamp"
REASON = "dlq_reason"
_OWN = frozenset({SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, SOURCE_KEY, SOURCE_TIMESTAMP, REASON})

_INSERT = sql.SQL(
    'INSERT INTO {table} (topic, partition, "offset", reason)'
    " SELECT * FROM unnest(%b::text[], %b::int[], %b::bigint[], %b::text[])"
    ' ON CONFLICT (topic, partition, "offset") DO UPDATE SET reason = excluded.reason, rejected_at = now(),'
    " replayed_at = NULL, dropped_at = NULL, decided_by = NULL, why = NULL"
)
_RECENT = sql.SQL("SELECT count(*) FROM {table} WHERE rejected_at > now() - %s")


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """At most `count` dead letters of a group within `window` (machine time)."""

    count: int = 200
    window: timedelta = timedelta(minutes=10)


def row_of_dead_letter(record: Record, reason: str, *, group: str) -> OutboxRow:
    """The record on its way to the group's dead-letter topic, on the partition of the same number."""
    topic = dead_letter_topic(group)
    headers = (
        *((name, value) for name, value in record.headers if name not in _OWN),
        (SOURCE_TOPIC, record.topic.encode()),
        (SOURCE_PARTITION, str(record.partition).encode()),
        (SOURCE_OFFSET, str(record.offset).encode()),
        (SOURCE_TIMESTAMP, str(record.timestamp_ms).encode()),
        *(((SOURCE_KEY, record.key),) if record.key is not None else ()),
        (REASON, reason.encode()),
    )
    place = record.partition % topic.partitions
    return OutboxRow(
        lane=place,
        topic=topic.name,
        partition=place,
        key=record.place.encode(),
        value=record.value or b"",
        headers=headers,
    )


def source_of(record: Record) -> Record:
    """What a record of a retry topic stands for: the record of its source, with the bytes it has now.

    Raises BadRecord where the headers do not say where it is from.
    """
    partition, offset = record.required_header(SOURCE_PARTITION), record.required_header(SOURCE_OFFSET)
    timestamp = record.header(SOURCE_TIMESTAMP) or "0"
    if not (partition.isdecimal() and offset.isdecimal() and timestamp.isdecimal()):
        raise BadRecord(f"{SOURCE_PARTITION}, {SOURCE_OFFSET} and {SOURCE_TIMESTAMP} must be numbers")
    return Record(
        topic=record.required_header(SOURCE_TOPIC),
        partition=int(partition),
        offset=int(offset),
        key=next((value for name, value in record.headers if name == SOURCE_KEY), None),
        value=record.value,
        headers=tuple((name, value) for name, value in record.headers if name not in _OWN),
        timestamp_ms=int(timestamp),
    )


def write_dead_letters(
    conn: Connection, schema: str, rejected: Sequence[tuple[Record, str]], *, limit: DeadLetterLimit
) -> None:
    """Note the rejected records; raises DeadLetterFlood when there are too many of late."""
    table = sql.Identifier(f"{schema}_io", "dead_letters")
    columns = zip(*((r.topic, r.partition, r.offset, reason) for r, reason in rejected), strict=True)
    conn.execute(_INSERT.format(table=table), [list(column) for column in columns])
    found = conn.execute(_RECENT.format(table=table), (limit.window,)).fetchone()
    if found is not None and found[0] > limit.count:
        record, reason = rejected[-1]
        raise DeadLetterFlood(
            f"more than {limit.count} dead letters within {limit.window}; the last is {record.place}: {reason}."
            " Look at the records and at the service's version before it is started again."
        )
