"""A core that counts, with its store and its process: what the pipeline costs when the domain costs nothing.

Used by the benchmark `pipeline` and by the tests of the guarantee. A record is JSON `{"n": number}` about a subject;
the state is how many there were and their sum; every tenth record of a subject publishes an event; an alarm a day
after the latest record is a timer.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import msgspec

import pipeline
from pipeline.errors import BadRecord
from pipeline.processor import Message, Tx
from pipeline.records import Record
from pipeline.subjects import Change, Effects, SubjectProcessor
from pipeline.worker import SourceName, run_consumer
from runtime.database import Connection
from runtime.migrations import ServiceSchema
from runtime.service import Frame, run_service
from runtime.settings import ServiceSettings
from schemas.catalogue import Topic
from schemas.ids import derived_id, timer_id

GROUP = "counting"
INPUTS = (
    Topic(name="counting.one.v1", about="Numbers.", subject="subject", key="subject#object@version", model=None),
    Topic(name="counting.two.v1", about="Numbers.", subject="subject", key="subject#object@version", model=None),
)
OUTPUT = Topic(name="counting.event.v1", about="Every tenth.", subject="subject", key="unique", model=None)
EVERY = 10
ALARM_AFTER = timedelta(days=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

MIGRATIONS = ServiceSchema(
    service=GROUP,
    schema=GROUP,
    folders=(
        Path(pipeline.__path__[0]) / "sql" / "migrations",
        Path(__file__).parent / "sql" / "migrations",
    ),
)


class Number(msgspec.Struct):
    """The value of a record; whatever else is in it is ballast."""

    n: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One record, decoded."""

    subject: str
    number: int
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """What is known of a subject. Not idempotent on purpose: a record applied twice would show."""

    subject: str
    records: int = 0
    total: int = 0
    latest: datetime = NEVER
    alarms: int = 0
    published: int = 0


@dataclass(frozen=True, slots=True)
class CountingCore:
    """Counts. Without `alarms` it sets no timers: then the transaction is as small as it gets."""

    alarms: bool = True

    def empty(self, subject: str) -> Count:
        return Count(subject)

    def merge(self, state: Count, fact: Fact) -> Count:
        return Count(
            state.subject,
            state.records + 1,
            state.total + fact.number,
            max(state.latest, fact.observed_at),
            state.alarms,
            state.published,
        )

    def decide(self, state: Count, policy: None, now: datetime) -> Effects[Count]:
        """Every tenth record is an event; a day after the latest record is an alarm."""
        due_at = state.latest + ALARM_AFTER
        if self.alarms and state.latest != NEVER and due_at <= now:
            alarm = timer_id(subject=state.subject, rule="alarm", due_at=due_at)
            after = replace(state, alarms=state.alarms + 1, latest=NEVER)
            return Effects(after, messages=(_event(state.subject, alarm, due_at),))
        timers = {"alarm": due_at} if self.alarms and state.latest != NEVER else {}
        tenth = state.records // EVERY
        if tenth == state.published:
            return Effects(state, timers=timers)
        event = derived_id(subject=state.subject, rule="tenth", cause_id=str(tenth))
        return Effects(replace(state, published=tenth), messages=(_event(state.subject, event, now),), timers=timers)


def _event(subject: str, event_id: str, time: datetime) -> Message:
    return Message(
        topic=OUTPUT,
        subject=subject,
        key=f"{subject}#{event_id}@1",
        id=event_id,
        workspace_id="w",
        value=b"{}",
        time=time,
    )


class CountingStore:
    """Keeps the counts in one table."""

    LOAD: ClassVar[str] = (
        "SELECT subject, records, total, latest, alarms, published FROM counts WHERE subject = ANY(%b)"
    )
    SAVE: ClassVar[str] = (
        "INSERT INTO counts (subject, records, total, latest, alarms, published)"
        " SELECT * FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::timestamptz[], %b::bigint[], %b::bigint[])"
        " ON CONFLICT (subject) DO UPDATE SET records = excluded.records, total = excluded.total,"
        " latest = excluded.latest, alarms = excluded.alarms, published = excluded.published"
    )

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, Count]:
        return {row[0]: Count(*row) for row in conn.execute(self.LOAD, (list(subjects),))}

    def save(self, tx: Tx, changes: Sequence[Change[Count]]) -> None:
        last = {change.subject: change.effects.state for change in changes}.values()
        rows = [(c.subject, c.records, c.total, c.latest, c.alarms, c.published) for c in last]
        tx.conn.execute(self.SAVE, [list(column) for column in zip(*rows, strict=True)])


_decode = msgspec.json.Decoder(Number).decode


def decode(record: Record) -> Fact:
    """The number in a record; raises BadRecord."""
    if record.value is None:
        raise BadRecord("a number was expected")
    return Fact(subject=record.subject, number=_decode(record.value).n, observed_at=record.observed_at)


def counting_processor(*, alarms: bool = True) -> SubjectProcessor[Count, Fact, None]:
    """The processor of the group `counting`."""
    return SubjectProcessor(
        group=GROUP,
        inputs=INPUTS,
        core=CountingCore(alarms),
        store=CountingStore(),
        decoder=decode,
        policy_of=lambda _: None,
    )


class CountingSettings(ServiceSettings):
    """The settings of every service, the source, and whether the core sets timers."""

    service: ClassVar[str] = GROUP
    source: SourceName = "kafka-python"
    alarms: bool = True


def serve(settings: CountingSettings, frame: Frame) -> None:
    """Consume until told to stop."""
    run_consumer(counting_processor(alarms=settings.alarms), settings, frame, source=settings.source)


if __name__ == "__main__":
    sys.exit(run_service(CountingSettings, serve))
