"""The seam between the pipeline and a service: what a service does with a batch inside the one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from pipeline.records import Arrived, Record
from runtime.database import Connection
from schemas.catalogue import Topic

F = TypeVar("F")


class Message(msgspec.Struct, frozen=True, gc=False):
    """A derived event to be published at least once.

    `subject` is the unit of order and decides the partition; `key` as the catalogue says for the topic, never empty;
    `id` deterministic (schemas.ids); `time` domain time (aware); `object_id` what the event is about (`ce_subject`,
    the subject where empty); `headers` further CloudEvents attributes, without their `ce_`.
    """

    topic: Topic
    subject: str
    key: str
    id: str
    workspace_id: str
    value: bytes
    time: datetime
    connection_id: str | None = None
    object_id: str = ""
    headers: Mapping[str, str] = {}


class Timer(msgspec.Struct, frozen=True, gc=False):
    """Something that is to be looked at again: `rule` names why, `due_at` when (aware, domain time)."""

    subject: str
    rule: str
    due_at: datetime


class Tx(Protocol):
    """The open transaction. Nothing in it is seen by anybody before its commit, and nothing of it after a rollback."""

    @property
    def conn(self) -> Connection:
        """The connection, inside the transaction, `search_path` at the service's schema."""

    @property
    def partition(self) -> int:
        """The partition that the batch or the timers belong to."""

    @property
    def now(self) -> datetime:
        """The domain clock when the transaction began (UTC). Decisions use a fact's own time, not this one."""

    def lock(self, kind: str, ids: Iterable[str]) -> None:
        """Lock these as rows until the end of the transaction, in the order of their ids.

        Call it once per kind, kinds in the order identifiers, persons, subjects, so that no two transactions wait
        for each other.
        """

    def clocks(self, reached: Mapping[str, datetime]) -> dict[str, datetime | None]:
        """Lock these subjects and move each one's clock forward to `reached`; gives where each stood before.

        A subject's clock is the latest instant (domain time) it was decided at. It never goes back.
        """

    def publish(self, message: Message) -> None:
        """Put the message into the outbox, in the lane of its subject, which must be locked."""

    def set_timers(self, subject: str, timers: Mapping[str, datetime]) -> None:
        """Replace all timers of a subject of this partition by these: rule to the instant it is due."""

    def timers_of(self, subjects: Sequence[str]) -> dict[str, list[Timer]]:
        """The subjects' timers, earliest first; subjects without one are left out."""

    def reject(self, record: Record, reason: str) -> None:
        """Send the record to the group's dead-letter topic, through the outbox."""


class Processor(Protocol[F]):
    """What a service does with records. `group` is its consumer group, its schema and its name."""

    @property
    def group(self) -> str: ...

    @property
    def inputs(self) -> tuple[Topic, ...]: ...

    def decode(self, record: Record) -> F:
        """The fact in one record. Pure; raises BadRecord. A tombstone never gets here: it erases, it says nothing."""

    def apply(self, tx: Tx, facts: Sequence[Arrived[F]]) -> None:
        """Apply facts that were never applied before: of one topic and partition, in the order of their offsets."""

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Run due timers of one partition, earliest first. What they do is stamped with their `due_at`."""
