"""What a processor sees of the open transaction, and what it leaves there to be written at its end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pipeline.dead_letters import DeadLetterLimit, row_of_dead_letter, write_dead_letters
from pipeline.outbox import OutboxRow, row_of, write_rows
from pipeline.processor import Message, Timer
from pipeline.records import Record
from pipeline.timers import load_timers, replace_timers
from runtime.database import Connection
from runtime.metrics import DEAD_LETTERS

_LOCK = (
    "INSERT INTO locks AS l (kind, id) SELECT %s, id FROM unnest(%b::text[]) AS i (id) ORDER BY id"
    " ON CONFLICT (kind, id) DO UPDATE SET stood = l.stood"
)
_CLOCKS = (
    "INSERT INTO locks AS l (kind, id, reached)"
    " SELECT 'subject', id, reached FROM unnest(%b::text[], %b::timestamptz[]) AS i (id, reached) ORDER BY id"
    " ON CONFLICT (kind, id) DO UPDATE SET stood = l.reached, reached = greatest(l.reached, excluded.reached)"
    " RETURNING id, stood"
)


class Transaction:
    """The Tx of a consumer. `publishes` is False for a shadow: it has no outbox and no dead letters."""

    def __init__(
        self,
        conn: Connection,
        *,
        group: str,
        schema: str,
        partition: int,
        now: datetime,
        publishes: bool = True,
        dead_letter_limit: DeadLetterLimit | None = None,
    ) -> None:
        self.conn = conn
        self.partition = partition
        self.now = now
        self._group = group
        self._schema = schema
        self._publishes = publishes
        self._dead_letter_limit = dead_letter_limit or DeadLetterLimit()
        self._rows: list[OutboxRow] = []
        self._rejected: list[tuple[Record, str]] = []
        self._timers: dict[str, Mapping[str, datetime]] = {}

    def lock(self, kind: str, ids: Iterable[str]) -> None:
        """Lock rows of one kind in the order of their ids (see Tx)."""
        wanted = sorted(set(ids))
        if wanted:
            self.conn.execute(_LOCK, (kind, wanted))

    def clocks(self, reached: Mapping[str, datetime]) -> dict[str, datetime | None]:
        """Lock subjects and move their clocks; where each stood before (see Tx)."""
        if not reached:
            return {}
        subjects = sorted(reached)
        return dict(self.conn.execute(_CLOCKS, (subjects, [reached[s] for s in subjects])).fetchall())

    def publish(self, message: Message) -> None:
        """Into the outbox (see Tx)."""
        if self._publishes:
            self._rows.append(row_of(message, source=f"dropfix/{self._group}"))

    def set_timers(self, subject: str, timers: Mapping[str, datetime]) -> None:
        """Replace a subject's timers (see Tx)."""
        self._timers[subject] = timers

    def timers_of(self, subjects: Sequence[str]) -> dict[str, list[Timer]]:
        """The subjects' timers as they stand in this transaction (see Tx)."""
        found = load_timers(self.conn, subjects)
        for subject in set(self._timers).intersection(subjects):
            changed = [Timer(subject, rule, due_at) for rule, due_at in self._timers[subject].items()]
            found[subject] = sorted(changed, key=lambda timer: (timer.due_at, timer.rule))
        return {subject: timers for subject, timers in found.items() if timers}

    def reject(self, record: Record, reason: str) -> None:
        """To the dead letters (see Tx)."""
        if self._publishes:
            self._rejected.append((record, reason))
            self._rows.append(row_of_dead_letter(record, reason, group=self._group))
            DEAD_LETTERS.labels(record.topic).inc()

    def flush(self) -> int:
        """Write what was collected; gives the number of outbox rows. Called once, before the commit."""
        if self._timers:
            replace_timers(self.conn, self.partition, self._timers)
        if self._rejected:
            write_dead_letters(self.conn, self._schema, self._rejected, limit=self._dead_letter_limit)
        if self._rows:
            write_rows(self.conn, self._schema, self._rows)
        return len(self._rows)
