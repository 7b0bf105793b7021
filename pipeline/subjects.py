"""The usual Processor: a pure core that knows one subject at a time, and a store that keeps its state.

For every fact of a subject, in order: its timers that are due by then run first, each at its own `due_at`; the fact
is merged; what follows is decided at the fact's own time. So what comes out does not depend on how records were
batched, on when the process was up, or on whether this is a replay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pipeline.processor import Connection, Message, Timer, Tx
from pipeline.records import Arrived, Record
from schemas.catalogue import Topic

S = TypeVar("S")
F = TypeVar("F")
P = TypeVar("P")
F_contra = TypeVar("F_contra", contravariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Effects(Generic[S]):
    """What follows from a state at an instant.

    `state`: the state after; `messages`: to be published, now that they follow; `rows`: fact rows for the store, of
    whatever type it takes; `timers`: all the instants (aware, domain time) at which the subject is to be decided
    again, by rule. A timer at or before the instant decided at is dropped: that instant has just been looked at.
    """

    state: S
    messages: tuple[Message, ...] = ()
    rows: tuple[Any, ...] = ()
    timers: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
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
        raise NotImplementedError

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's subject at its `due_at`."""
        raise NotImplementedError
