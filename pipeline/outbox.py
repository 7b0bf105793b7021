"""The outbox: what a transaction wants published, written with it and relayed after it.

A lane is the partition of the subject. Ids are drawn after the subject is locked, so that within a lane the order
of ids is the order of decisions about a subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from psycopg import sql

from pipeline.processor import Message
from runtime.database import Connection
from schemas.catalogue import DATA_PARTITIONS
from schemas.envelope import Envelope, Headers
from schemas.partition import partition_of

LANES = DATA_PARTITIONS

_INSERT = sql.SQL(
    "INSERT INTO {outbox} (lane, topic, partition, key, value, headers)"
    " SELECT lane, topic, partition, key, value, headers"
    " FROM unnest(%b::int[], %b::text[], %b::int[], %b::bytea[], %b::bytea[], %b::bytea[]) WITH ORDINALITY"
    " AS r (lane, topic, partition, key, value, headers, nth) ORDER BY nth"
)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One record to be published, whole: `topic` is the catalogue's name, `partition` the broker's."""

    lane: int
    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


def row_of(message: Message, *, source: str) -> OutboxRow:
    """The message as a record; `source` is who says it, for `ce_source`."""
    if not message.key:
        raise ValueError(f"a message without a key was meant for {message.topic.name}; every topic needs one")
    envelope = Envelope(
        id=message.id,
        source=source,
        type=message.topic.name,
        time=message.time,
        subject=message.subject,
        workspace_id=message.workspace_id,
        object_id=message.object_id,
        connection_id=message.connection_id,
        extra=message.headers,
    )
    return OutboxRow(
        lane=partition_of(message.subject, LANES),
        topic=message.topic.name,
        partition=partition_of(message.subject, message.topic.partitions),
        key=message.key.encode(),
        value=message.value,
        headers=envelope.headers(),
    )


def encode_headers(headers: Headers) -> bytes:
    """Headers as the outbox stores them: their bytes need not be text."""
    return msgspec.msgpack.encode(headers)


def decode_headers(stored: bytes) -> Headers:
    """The reverse of `encode_headers`."""
    return msgspec.msgpack.decode(stored, type=tuple[tuple[str, bytes], ...])


def outbox_table(schema: str) -> sql.Identifier:
    """The outbox of a service's schema."""
    return sql.Identifier(f"{schema}_io", "outbox")


def write_rows(conn: Connection, schema: str, rows: Sequence[OutboxRow]) -> None:
    """Append the rows, in their order, in one statement."""
    columns = zip(
        *((r.lane, r.topic, r.partition, r.key, r.value, encode_headers(r.headers)) for r in rows), strict=True
    )
    conn.execute(_INSERT.format(outbox=outbox_table(schema)), [list(column) for column in columns])
