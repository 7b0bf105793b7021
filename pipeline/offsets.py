"""The offsets in PostgreSQL: where each partition goes on, and of which topic."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from pipeline.errors import Fatal
from pipeline.fence import ErasedRanges
from pipeline.records import LogPartition
from runtime.database import Connection


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition goes on; `last_id` is the `ce_id` of the record before, None where it is not known."""

    topic_id: UUID
    next_offset: int
    last_id: str | None


def load_positions(conn: Connection, partitions: Collection[LogPartition]) -> dict[LogPartition, Position]:
    """The stored positions of these partitions; those that were never read are left out."""
    rows = conn.execute(
        "SELECT topic, partition, topic_id, next_offset, last_ce_id FROM offsets"
        " JOIN unnest(%b::text[], %b::int[]) AS wanted (topic, partition) USING (topic, partition)",
        ([p.topic for p in partitions], [p.partition for p in partitions]),
    )
    return {LogPartition(topic, number): Position(topic_id, at, last) for topic, number, topic_id, at, last in rows}


def store_positions(conn: Connection, positions: Mapping[LogPartition, Position]) -> None:
    """Write positions that do not come from applied records: a first start, or an expired stretch that is skipped."""
    for place, position in sorted(positions.items()):
        conn.execute(
            "INSERT INTO offsets (topic, partition, topic_id, next_offset, last_ce_id) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset,"
            " last_ce_id = excluded.last_ce_id WHERE offsets.next_offset < excluded.next_offset",
            (*place, position.topic_id, position.next_offset, position.last_id),
        )


def lock_offset(conn: Connection, place: LogPartition) -> int:
    """The next offset, locked until the transaction ends: whoever else has the partition waits, and then sees more."""
    row = conn.execute(
        "SELECT next_offset FROM offsets WHERE topic = %s AND partition = %s FOR UPDATE", tuple(place)
    ).fetchone()
    if row is None:
        raise Fatal(f"the table offsets has no row for {place.topic}/{place.partition}; it was there at the start")
    return int(row[0])


def move_offset(conn: Connection, place: LogPartition, *, next_offset: int, last_id: str | None) -> None:
    """Write how far the transaction came."""
    conn.execute(
        "UPDATE offsets SET next_offset = %s, last_ce_id = %s WHERE topic = %s AND partition = %s",
        (next_offset, last_id, *place),
    )


def erased_ranges(conn: Connection, schema: str, place: LogPartition) -> ErasedRanges:
    """What an erasure took out of a partition of the log."""
    rows = conn.execute(
        sql.SQL("SELECT first_offset, last_offset FROM {} WHERE topic = %s AND partition = %s").format(
            sql.Identifier(f"{schema}_io", "erased_offsets")
        ),
        tuple(place),
    )
    return [(int(first), int(last)) for first, last in rows]
