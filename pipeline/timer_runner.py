"""Runs due timers once everything that was said before they were due has been read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.apply import Applier
from pipeline.failpoints import failpoint
from pipeline.log import LogReader
from pipeline.records import LogPartition
from pipeline.timers import due_partitions, due_timers, lock_read_up_to, note_run
from runtime.clock import Clock
from schemas.catalogue import Topic

BATCH_TIMERS = 500


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Timers due at `until` or before may run when these ends, looked up after `until`, are reached."""

    until: datetime
    ends: Mapping[LogPartition, int]


class TimerRunner:
    """The timers of one group. Any worker may run those of any partition: the offsets' rows are locked meanwhile."""

    def __init__(self, applier: Applier, log: LogReader, clock: Clock, inputs: Collection[Topic]) -> None:
        self._applier = applier
        self._log = log
        self._clock = clock
        self._inputs = tuple(inputs)
        self._awaited: dict[int, _Awaited] = {}

    def run(self) -> int:
        """Run what may run now; gives the number of timers. Raises PassingFault."""
        now = self._clock.now()
        with self._applier.session.transaction() as conn:
            due = due_partitions(conn, now)
        self._awaited = {partition: self._awaited[partition] for partition in due if partition in self._awaited}
        new = [partition for partition in due if partition not in self._awaited]
        if new:
            ends = self._log.ends([place for partition in new for place in self._places(partition)])
            for partition in new:
                own = {place: end for place, end in ends.items() if place.partition == partition}
                self._awaited[partition] = _Awaited(until=now, ends=own)
        return sum(self._run_partition(partition) for partition in due)

    def _places(self, partition: int) -> list[LogPartition]:
        return [LogPartition(topic.name, partition) for topic in self._inputs if partition < topic.partitions]

    def _run_partition(self, partition: int) -> int:
        awaited, ran = self._awaited[partition], 0
        while (fired := fire_batch(self._applier, partition, awaited.until, awaited.ends)) is not None:
            ran += fired
            if fired == 0:
                del self._awaited[partition]
                break
        return ran


def fire_batch(
    applier: Applier, partition: int, until: datetime, ends: Mapping[LogPartition, int] | None = None
) -> int | None:
    """Fire some timers of a partition that are due at `until` or before, in one transaction.

    Gives how many: 0 when all have run, which is then noted; None when an end is not reached yet.
    """
    with applier.session.transaction() as conn:
        if not lock_read_up_to(conn, partition, ends or {}):
            return None
        timers = due_timers(conn, partition, until, limit=BATCH_TIMERS)
        if not timers:
            note_run(conn, partition, until)
            return 0
        tx = applier.open(conn, partition)
        applier.processor.fire(tx, timers)
        tx.flush()
        applier.notify(conn)
        failpoint("timers_before_commit")
    failpoint("timers_after_commit")
    return len(timers)
