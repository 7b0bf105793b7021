"""The one transaction: a batch of one partition becomes state, or nothing of it does.

1. Lock the partition's offset, which also fences a zombie that still believes the partition is its own.
2. Admit the records that were never applied, one by one (fence).
3. Decode them; what cannot be decoded is rejected to the dead letters.
4. Let the processor lock what the batch touches, merge, decide and write.
5. Write timers, outbox rows and the new offset with the last record's `ce_id`; notify; commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from pipeline.dead_letters import DeadLetterLimit, source_of
from pipeline.errors import BadRecord, Gap
from pipeline.failpoints import failpoint
from pipeline.fence import admit
from pipeline.offsets import erased_ranges, lock_offset, move_offset
from pipeline.processor import Processor
from pipeline.records import Arrived, LogPartition, Record
from pipeline.session import Session
from pipeline.transaction import Transaction
from runtime.database import Connection
from runtime.metrics import RECORDS, TRANSACTION_SECONDS
from schemas.catalogue import retry_topic

CHANNEL = "dropfix"
"""The channel that is notified, with the group's name, when a batch is committed."""

DECODE_FAULTS = (BadRecord, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError)
"""What a decoder may raise at a record that is not what its topic promises. It is pure: there is no passing fault."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch: how many records were new, where the partition goes on, and what is to be relayed."""

    records: int
    next_offset: int
    outbox_rows: int


class Applier:
    """Applies batches and due timers of one group, each in a transaction of its own."""

    def __init__(
        self,
        processor: Processor[Any],
        session: Session,
        *,
        now: Callable[[], datetime],
        publishes: bool = True,
        dead_letter_limit: DeadLetterLimit | None = None,
    ) -> None:
        """`session` works in the schema to be written; a shadow's does not publish."""
        self._processor = processor
        self._session = session
        self._now = now
        self._publishes = publishes
        self._dead_letter_limit = dead_letter_limit
        self._retry_topic = retry_topic(processor.group).name

    @property
    def session(self) -> Session:
        return self._session

    @property
    def processor(self) -> Processor[Any]:
        return self._processor

    def apply(self, records: Sequence[Record]) -> Applied:
        """Apply a batch of one partition, in the order of offsets; raises PassingFault or Fatal with nothing written.

        Records that were applied before are dropped, so a batch may be given again at any time.
        """
        place = LogPartition(records[0].topic, records[0].partition)
        with TRANSACTION_SECONDS.time(), self._session.transaction() as conn:
            expected = lock_offset(conn, place)
            failpoint("after_fence")
            fresh = self._admit(conn, place, records, expected)
            if not fresh:
                return Applied(records=0, next_offset=expected, outbox_rows=0)
            tx = self.open(conn, place.partition)
            self._processor.apply(tx, self._decode(tx, fresh))
            rows = tx.flush()
            last = fresh[-1]
            move_offset(conn, place, next_offset=last.offset + 1, last_id=_id_of(last))
            self.notify(conn)
            failpoint("before_commit")
        failpoint("after_commit")
        RECORDS.labels(place.topic).inc(len(fresh))
        return Applied(records=len(fresh), next_offset=last.offset + 1, outbox_rows=rows)

    def open(self, conn: Connection, partition: int) -> Transaction:
        """The processor's view of a transaction that has begun."""
        return Transaction(
            conn,
            group=self._processor.group,
            schema=self._session.database.schema,
            partition=partition,
            now=self._now(),
            publishes=self._publishes,
            dead_letter_limit=self._dead_letter_limit,
        )

    def notify(self, conn: Connection) -> None:
        """Tell who listens that this group's tables have changed, once the transaction is committed."""
        if self._publishes:
            conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._processor.group))

    def _admit(self, conn: Connection, place: LogPartition, records: Sequence[Record], expected: int) -> list[Record]:
        try:
            return admit(records, expected)
        except Gap:
            return admit(records, expected, erased_ranges(conn, self._processor.group, place))

    def _decode(self, tx: Transaction, records: Sequence[Record]) -> list[Arrived[Any]]:
        facts = []
        decode = self._processor.decode
        for record in records:
            if record.value is None:
                continue  # a tombstone: it erases from the log, it says nothing
            source = record
            try:
                if record.topic == self._retry_topic:
                    source = source_of(record)
                facts.append(Arrived(source, decode(source)))
            except DECODE_FAULTS as error:
                tx.reject(source, _reason(error))
        return facts


def _id_of(record: Record) -> str | None:
    try:
        return record.header("ce_id")
    except BadRecord:
        return None


def _reason(error: Exception) -> str:
    """For a person, in one line; a poisoned record's bytes may be in it, so not too many of them."""
    text = str(error) if isinstance(error, BadRecord) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500]
