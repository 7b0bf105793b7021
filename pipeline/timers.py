"""The due-table: when a subject is to be looked at again.

A timer is a row, not a window of a framework, so that it survives everything and a replay runs it alike. It runs
when its partition of every input was read to an end that was looked up after it was due: then nothing that was said
before that instant is still unread. What it does is stamped with its `due_at`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.processor import Timer
from pipeline.records import LogPartition
from runtime.database import Connection
from schemas.catalogue import DATA_PARTITIONS
from schemas.partition import partition_of


def load_timers(conn: Connection, subjects: Sequence[str]) -> dict[str, list[Timer]]:
    """The subjects' timers, earliest first; subjects without one are left out."""
    rows = conn.execute(
        "SELECT subject, rule, due_at FROM timers WHERE subject = ANY(%b) ORDER BY due_at, rule", (list(subjects),)
    )
    found: dict[str, list[Timer]] = {}
    for subject, rule, due_at in rows:
        found.setdefault(subject, []).append(Timer(subject, rule, due_at))
    return found


def replace_timers(conn: Connection, partition: int, timers: Mapping[str, Mapping[str, datetime]]) -> None:
    """Make these the only timers of these subjects."""
    subjects = sorted(timers)
    conn.execute("DELETE FROM timers WHERE subject = ANY(%b)", (subjects,))
    rows = [(subject, rule, due_at) for subject in subjects for rule, due_at in sorted(timers[subject].items())]
    if rows:
        conn.execute(
            "INSERT INTO timers (partition, subject, rule, due_at)"
            " SELECT %s, * FROM unnest(%b::text[], %b::text[], %b::timestamptz[])",
            (partition, *(list(column) for column in zip(*rows, strict=True))),
        )


def due_partitions(conn: Connection, until: datetime) -> list[int]:
    """The partitions that have a timer due at `until` or before."""
    rows = conn.execute("SELECT DISTINCT partition FROM timers WHERE due_at <= %s ORDER BY 1", (until,))
    return [int(partition) for (partition,) in rows]


def due_timers(conn: Connection, partition: int, until: datetime, *, limit: int) -> list[Timer]:
    """A partition's due timers, earliest first."""
    rows = conn.execute(
        "SELECT subject, rule, due_at FROM timers WHERE partition = %s AND due_at <= %s ORDER BY due_at, subject, rule"
        " LIMIT %s",
        (partition, until, limit),
    )
    return [Timer(subject, rule, due_at) for subject, rule, due_at in rows]


def lock_read_up_to(conn: Connection, partition: int, ends: Mapping[LogPartition, int]) -> bool:
    """Lock the partition's offsets of all inputs; whether each has reached the end given for it.

    While they are locked no record of the partition is applied, by whichever worker.
    """
    reached = {
        LogPartition(topic, partition): int(next_offset)
        for topic, next_offset in conn.execute(
            "SELECT topic, next_offset FROM offsets WHERE partition = %s ORDER BY topic FOR UPDATE", (partition,)
        )
    }
    return was_read(reached, {place: end for place, end in ends.items() if place.partition == partition})


def was_read(reached: Mapping[LogPartition, int], ends: Mapping[LogPartition, int]) -> bool:
    """Whether each place was read to the end given for it; one that was never read stands at 0."""
    return all(reached.get(place, 0) >= end for place, end in ends.items())


def note_run(conn: Connection, partition: int, ran_to: datetime) -> None:
    """Remember up to which instant a partition's timers have run; it never goes back."""
    conn.execute(
        "INSERT INTO timer_runs (partition, ran_to) VALUES (%s, %s)"
        " ON CONFLICT (partition) DO UPDATE SET ran_to = greatest(timer_runs.ran_to, excluded.ran_to)",
        (partition, ran_to),
    )


def wake_subjects(conn: Connection, subjects: Sequence[str], rule: str, due_at: datetime) -> None:
    """Have these subjects, of whichever partition, decided again at `due_at`; an earlier one of the rule stands."""
    if not subjects:
        return
    partitions = [partition_of(subject, DATA_PARTITIONS) for subject in subjects]
    conn.execute(
        "INSERT INTO timers AS t (partition, subject, rule, due_at) SELECT p, s, %s, %s"
        " FROM unnest(%b::integer[], %b::text[]) AS w (p, s)"
        " ON CONFLICT (subject, rule) DO UPDATE SET due_at = least(t.due_at, excluded.due_at)",
        (rule, due_at, partitions, list(subjects)),
    )
