"""A replay by several processes: each takes some of the partitions, since those of a log never wait for one another.

Decisions come first and alone, as they do at a service's start. What two partitions share (a person, say) is locked
in the database, as between two workers of the service.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any

from pipeline.errors import PassingFault, PipelineError
from pipeline.offsets import load_positions
from pipeline.processor import Processor
from pipeline.records import LogPartition
from pipeline.replay import ReplayProgress, Target, places_of, replay
from runtime.database import Database
from runtime.kafka import Broker

WORTHWHILE = 20_000
"""Records below which one process is through before the others have started."""
LOOK_SECONDS = 0.5


def cores() -> int:
    """How many processes the machine has room for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Work:
    """What every hand needs. It goes to another process, so `processor` and `now` are functions of a module or
    methods of what can be pickled."""

    processor: Callable[[], Processor[Any]]
    shadow: Database
    broker: Broker
    now: Callable[[], datetime]

    def bring_to(self, target: Target, progressed: Callable[[ReplayProgress], None] | None = None) -> ReplayProgress:
        """Replay in this process (see `replay`)."""
        return replay(
            self.processor(), shadow=self.shadow, broker=self.broker, now=self.now, target=target, progressed=progressed
        )


def replay_by_hands(
    work: Work, target: Target, *, hands: int, progressed: Callable[[ReplayProgress], None]
) -> ReplayProgress:
    """Bring the shadow to the target with so many processes; with one where little is left (see `replay`)."""
    began = monotonic()
    first, rest = target.of_inputs(places_of(work.processor())).apart()
    told = work.bring_to(first)
    stood = _applied(work, rest)
    total = sum(rest.offsets.values()) - stood
    if hands == 1 or total < WORTHWHILE:
        last = work.bring_to(rest, progressed)
        return ReplayProgress(told.records + last.records, told.records + last.total, monotonic() - began)
    with _at_work(work, _dealt(rest, hands)) as workers:
        while running := [worker.process.sentinel for worker in workers if worker.process.is_alive()]:
            wait(running, timeout=LOOK_SECONDS)
            progressed(ReplayProgress(_applied(work, rest) - stood, total, monotonic() - began))
        for worker in workers:
            worker.ended()
    return ReplayProgress(told.records + total, told.records + total, monotonic() - began)


def _dealt(target: Target, hands: int) -> list[Target]:
    """The partitions dealt out: every topic's partition of a number to the same hand."""
    return [
        Target(
            {place: end for place, end in target.offsets.items() if place.partition % hands == hand},
            {number: at for number, at in target.ran_to.items() if number % hands == hand},
        )
        for hand in range(hands)
    ]


def _applied(work: Work, target: Target) -> int:
    """How many records of the target's partitions the shadow has applied, counted from the beginning of the log."""
    places: Sequence[LogPartition] = list(target.offsets)
    with work.shadow.connect() as conn:
        return sum(at.next_offset for at in load_positions(conn, places).values())


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    outcome: Pipe

    def ended(self) -> None:
        """Raises what it ended by."""
        if self.process.exitcode == 0:
            return
        try:
            fault = self.outcome.recv()
        except EOFError:  # it could not say: it was killed
            fault = PassingFault(f"a process of the rebuild ended with code {self.process.exitcode}")
        raise fault


@contextmanager
def _at_work(work: Work, targets: Sequence[Target]) -> Iterator[list[_Worker]]:
    """A process for each target; whatever ends the block ends them."""
    context = get_context("spawn")
    workers = []
    try:
        for target in targets:
            outcome, told = context.Pipe(duplex=False)
            process = context.Process(target=_hand, args=(work, target, told), daemon=True)
            process.start()
            told.close()
            workers.append(_Worker(process, outcome))
        yield workers
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def _hand(work: Work, target: Target, told: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started it is interrupted, and ends it
    try:
        work.bring_to(target)
    except PipelineError as fault:
        told.send(fault)
        raise SystemExit(1) from fault
