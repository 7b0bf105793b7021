"""A group's dead letters as people deal with them: looked at, sent back, or given up.

The table `<schema>_io.dead_letters` says which there are and what was decided; their bytes are on `<group>.dlq.v1`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import sql

from pipeline.dead_letters import REASON
from pipeline.log import LogReader
from pipeline.records import LogPartition, Record
from pipeline.sources.bulk import read_bulk
from runtime.database import Connection
from runtime.kafka import Broker, Producer
from schemas.catalogue import MAX_RECORD_BYTES, dead_letter_topic, retry_topic

DeadLetterState = Literal["waiting", "replayed", "dropped"]

_LIST = sql.SQL(
    'SELECT topic, partition, "offset", reason, rejected_at, replayed_at, dropped_at, decided_by, why FROM {table}'
    ' ORDER BY rejected_at, topic, partition, "offset"'
)
_REPLAYED = sql.SQL(
    "UPDATE {table} SET replayed_at = now(), decided_by = %s, why = NULL, dropped_at = NULL"
    ' WHERE topic = %s AND partition = %s AND "offset" = %s AND rejected_at = %s'
)
_DROPPED = sql.SQL(
    "UPDATE {table} SET dropped_at = now(), decided_by = %s, why = %s"
    ' WHERE topic = %s AND partition = %s AND "offset" = %s AND dropped_at IS NULL'
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter; its instants are machine time. A letter that came back after a replay waits again."""

    topic: str
    partition: int
    offset: int
    reason: str
    rejected_at: datetime
    replayed_at: datetime | None
    dropped_at: datetime | None
    decided_by: str | None
    why: str | None

    @property
    def place(self) -> str:
        """`topic/partition/offset` of the record that it was."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def state(self) -> DeadLetterState:
        if self.dropped_at is not None:
            return "dropped"
        return "waiting" if self.replayed_at is None else "replayed"


def letters_of(conn: Connection, group: str) -> list[DeadLetter]:
    """Every dead letter of a group, the oldest first."""
    return [DeadLetter(*row) for row in conn.execute(_LIST.format(table=_table(group)))]


def _table(group: str) -> sql.Identifier:
    return sql.Identifier(f"{group}_io", "dead_letters")


class DeadLetterBox:
    """The dead letters of one group; `conn` is of a role that may write its `_io` schema."""

    def __init__(self, conn: Connection, broker: Broker, group: str) -> None:
        self._conn = conn
        self._broker = broker
        self._group = group
        self._table = _table(group)

    def letters(self) -> list[DeadLetter]:
        """Every dead letter, the oldest first."""
        return letters_of(self._conn, self._group)

    def records(self, letters: Sequence[DeadLetter]) -> dict[str, Record]:
        """By place, the latest record of each on the dead-letter topic; one not published yet is left out.

        Reads the partitions concerned from their beginning: a dead-letter topic is short. Raises PassingFault.
        """
        topic, wanted = dead_letter_topic(self._group), {letter.place.encode() for letter in letters}
        places = {LogPartition(topic.name, letter.partition % topic.partitions) for letter in letters}
        return {record.key.decode(): record for record in self._read(places) if record.key in wanted and record.key}

    def send_back(self, letter: DeadLetter, record: Record, *, by: str, mended: bytes | None = None) -> None:
        """Put a dead letter on the group's retry topic, as it was or with a mended value, and note it.

        Keeps headers, version and key, so that sending it twice does nothing twice. Raises BrokerError.
        """
        topic = retry_topic(self._group)
        headers = tuple((name, value) for name, value in record.headers if name != REASON)
        producer = Producer(self._broker, client_id=f"{self._group}-dead-letters")
        try:
            sent = producer.place(
                topic.name,
                partition=letter.partition % topic.partitions,
                key=letter.place.encode(),
                value=record.value if mended is None else mended,
                headers=headers,
            )
            producer.settle([sent])
        finally:
            producer.close()
        place = (letter.topic, letter.partition, letter.offset, letter.rejected_at)
        with self._conn.transaction():
            self._conn.execute(_REPLAYED.format(table=self._table), (by, *place))

    def drop(self, letter: DeadLetter, *, by: str, why: str) -> None:
        """Decide to go without it. Its record stays on the topic; nothing is sent."""
        with self._conn.transaction():
            place = (letter.topic, letter.partition, letter.offset)
            self._conn.execute(_DROPPED.format(table=self._table), (by, why, *place))

    def _read(self, places: set[LogPartition]) -> Iterator[Record]:
        reader = LogReader(self._broker, client_id=f"{self._group}-dead-letters")
        try:
            bounds = reader.bounds(places)
        finally:
            reader.close()
        start = {place: bound.begin for place, bound in bounds.items() if bound.begin < bound.end}
        if start:
            for batch in read_bulk(self._broker, start=start, until={p: bounds[p].end for p in start}):
                yield from batch


def fits(value: bytes) -> bool:
    """Whether a mended value may be a record's."""
    return 0 < len(value) <= MAX_RECORD_BYTES
