"""The usual Processor: a pure core that knows one subject at a time, and a store that keeps its state.

For every fact of a subject, in order: its timers that are due by then run first, each at its own `due_at`; the fact
is merged; what follows is decided at the fact's own time. So what comes out does not depend on how records were
batched, on when the process was up, or on whether this is a replay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from pipeline.errors import BadRecord
from pipeline.processor import Message, Timer, Tx
from pipeline.records import Arrived, Record
from runtime.database import Connection
from schemas.catalogue import Topic

S = TypeVar("S")
F = TypeVar("F")
P = TypeVar("P")
F_contra = TypeVar("F_contra", contravariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


class Effects(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """What follows from a state at an instant.

    `state`: the state after; `messages`: to be published, now that they follow; `rows`: fact rows for the store, of
    whatever type it takes; `timers`: all the instants (aware, domain time) at which the subject is to be decided
    again, by rule. A timer at or before the instant decided at is dropped: that instant has just been looked at.
    """

    state: S
    messages: tuple[Message, ...] = ()
    rows: tuple[Any, ...] = ()
    timers: Mapping[str, datetime] = {}


class Change(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """One decision about one subject, and what caused it: a record or a timer. `at` is the instant decided at."""

    subject: str
    effects: Effects[S]
    cause: Record | Timer
    at: datetime


class Core(Protocol[S, F_contra, P_contra]):
    """A service's domain: pure, without I/O, clock or framework."""

    def empty(self, subject: str) -> S:
        """The state of a subject of whom nothing is known."""

    def merge(self, state: S, fact: F_contra) -> S:
        """The state with the fact. Commutative and idempotent. May raise BadRecord: then the fact is rejected."""

    def decide(self, state: S, policy: P_contra, now: datetime) -> Effects[S]:
        """What follows from the state at `now`: the fact's time, or the timer's `due_at` (UTC).

        `now` never goes back for a subject: a late fact is decided at the latest instant already decided at.
        """


class Store(Protocol[S]):
    """Where a service keeps states and rows."""

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, S]:
        """The states of these subjects, in one query; subjects without one are left out."""

    def save(self, tx: Tx, changes: Sequence[Change[S]]) -> None:
        """Write the changes, batched.

        They are in the order in which they were decided; a subject may be there several times: its last state
        counts, the rows of all do. Messages and timers are written by the caller.
        """


@dataclass(frozen=True)
class SubjectProcessor(Generic[S, F, P]):
    """A Processor out of a core, a store, a decoder and the policy that holds for a subject."""

    group: str
    inputs: tuple[Topic, ...]
    core: Core[S, F, P]
    store: Store[S]
    decoder: Callable[[Record], F]
    policy_of: Callable[[str], P]

    def decode(self, record: Record) -> F:
        """The fact in one record; raises BadRecord."""
        return self.decoder(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[F]]) -> None:
        """Merge and decide each fact in order; due timers of its subject run before it."""
        told = [(arrived, *about) for arrived in facts if (about := _about(tx, arrived.record)) is not None]
        reached: dict[str, datetime] = {}
        for _, subject, observed_at in told:
            reached[subject] = max(observed_at, reached.get(subject, observed_at))
        run = _Run(self, tx, reached)
        for arrived, subject, observed_at in told:
            run.fact(subject, observed_at, arrived)
        run.finish()

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's subject at its `due_at`."""
        until: dict[str, datetime] = {}
        for timer in timers:
            until[timer.subject] = max(timer.due_at, until.get(timer.subject, timer.due_at))
        run = _Run(self, tx, until)
        for subject, due_at in until.items():
            run.timers(subject, due_at)
        run.finish()


def _about(tx: Tx, record: Record) -> tuple[str, datetime] | None:
    """Whom the record is about and when it was seen; a record that does not say so is rejected."""
    try:
        return record.subject, record.observed_at
    except BadRecord as error:
        tx.reject(record, error.reason)
        return None


class _Run(Generic[S, F, P]):
    """The subjects of one transaction while it is worked on: states, clocks, timers, and what was decided."""

    def __init__(self, processor: SubjectProcessor[S, F, P], tx: Tx, reached: Mapping[str, datetime]) -> None:
        subjects = list(reached)
        self._processor = processor
        self._core = processor.core
        self._tx = tx
        self._clocks = tx.clocks(reached)
        self._states = processor.store.load(tx.conn, subjects) if subjects else {}
        self._stored_timers = tx.timers_of(subjects) if subjects else {}
        self._timers = {s: {t.rule: t.due_at for t in timers} for s, timers in self._stored_timers.items()}
        self._changes: list[Change[S]] = []

    def fact(self, subject: str, observed_at: datetime, arrived: Arrived[F]) -> None:
        """One fact: timers due by then, then the fact itself."""
        self.timers(subject, observed_at)
        try:
            state = self._core.merge(self._state(subject), arrived.fact)
        except BadRecord as error:
            self._tx.reject(arrived.record, error.reason)
            return
        self._decide(subject, state, observed_at, arrived.record)

    def timers(self, subject: str, until: datetime) -> None:
        """Run the subject's timers that are due at `until` or before, each instant once, earliest first."""
        while pending := self._timers.get(subject):
            rule, due_at = min(pending.items(), key=lambda item: (item[1], item[0]))
            if due_at > until:
                return
            self._decide(subject, self._state(subject), due_at, Timer(subject, rule, due_at))

    def finish(self) -> None:
        """Hand everything over to the store, the outbox and the due-table."""
        if not self._changes:
            return
        self._processor.store.save(self._tx, self._changes)
        for change in self._changes:
            for message in change.effects.messages:
                self._tx.publish(message)
        for subject in dict.fromkeys(change.subject for change in self._changes):
            stored = {timer.rule: timer.due_at for timer in self._stored_timers.get(subject, ())}
            if stored != self._timers.get(subject, {}):
                self._tx.set_timers(subject, self._timers.get(subject, {}))

    def _state(self, subject: str) -> S:
        state = self._states.get(subject)
        return self._core.empty(subject) if state is None else state

    def _decide(self, subject: str, state: S, instant: datetime, cause: Record | Timer) -> None:
        clock = self._clocks.get(subject)
        now = instant if clock is None or instant > clock else clock
        effects = self._core.decide(state, self._processor.policy_of(subject), now)
        self._clocks[subject] = now
        self._states[subject] = effects.state
        if effects.timers or subject in self._timers:
            self._timers[subject] = {rule: due_at for rule, due_at in effects.timers.items() if due_at > now}
        self._changes.append(Change(subject=subject, effects=effects, cause=cause, at=now))
