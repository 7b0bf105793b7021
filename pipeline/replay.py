"""Replay: from the topics into a schema made anew, by the same processor and the same transaction.

A shadow publishes nothing, has no dead letters and mails nobody. It can be brought to exactly where the live tables
were: up to their offsets, and with timers run to the instant theirs ran to.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Any

from pipeline.apply import Applier
from pipeline.decisions import READ_FIRST
from pipeline.log import LogReader
from pipeline.offsets import load_positions
from pipeline.positions import take_up
from pipeline.processor import Processor
from pipeline.records import LogPartition
from pipeline.session import Session
from pipeline.sources.bulk import read_bulk
from pipeline.timer_runner import fire_batch
from pipeline.worker import inputs_of
from runtime.database import Connection, Database
from runtime.kafka import Broker


@dataclass(frozen=True, slots=True)
class Target:
    """Where a replay is to come: the offset after the last record of each partition, and per partition number the
    instant (domain time) to which its timers are to have run."""

    offsets: Mapping[LogPartition, int]
    ran_to: Mapping[int, datetime]

    @classmethod
    def of_tables(cls, conn: Connection) -> "Target":
        """Where a service's tables are, as seen by this connection's snapshot and schema."""
        offsets = conn.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
        ran_to = conn.execute("SELECT partition, ran_to FROM timer_runs").fetchall()
        return cls(
            offsets={LogPartition(topic, partition): at for topic, partition, at in offsets}, ran_to=dict(ran_to)
        )

    def of_inputs(self, places: Collection[LogPartition]) -> "Target":
        """Without what the tables once read and the service, which reads `places`, reads no more."""
        return replace(self, offsets={place: self.offsets[place] for place in self.offsets.keys() & set(places)})

    def apart(self) -> tuple["Target", "Target"]:
        """What is read first, alone, as a service does at its start; and the rest, with the timers."""
        first = {place: end for place, end in self.offsets.items() if place.topic in READ_FIRST}
        rest = {place: end for place, end in self.offsets.items() if place not in first}
        return Target(first, {}), Target(rest, self.ran_to)


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is; `records` of `total` so far, in `seconds` of the machine's time."""

    records: int
    total: int
    seconds: float


def places_of(processor: Processor[Any]) -> list[LogPartition]:
    """Every partition that the processor's service reads."""
    return [LogPartition(topic.name, number) for topic in inputs_of(processor) for number in range(topic.partitions)]


def replay(
    processor: Processor[Any],
    *,
    shadow: Database,
    broker: Broker,
    now: Callable[[], datetime],
    target: Target | None = None,
    progressed: Callable[[ReplayProgress], None] | None = None,
) -> ReplayProgress:
    """Bring the shadow schema to the target, by default to the log's present end; goes on where it stands.

    Decisions are read to the target first, then everything else, as a service does at its start.

    The schema has the service's migrations applied. Raises PassingFault, LogReplaced, OffsetExpired, Gap; calling
    again goes on from the last committed batch.
    """
    session, log = Session(shadow), LogReader(broker, client_id=f"{processor.group}-replay")
    try:
        topics = {topic.name: topic for topic in inputs_of(processor)}
        places = places_of(processor)
        take_up(session, log, topics, places)
        wanted = target.of_inputs(places) if target else Target(offsets=log.ends(places), ran_to={})
        applier = Applier(processor, session, now=now, publishes=False)
        result = _apply_all(applier, broker, wanted, progressed or unheard)
        for partition, ran_to in sorted(wanted.ran_to.items()):
            while fire_batch(applier, partition, ran_to):
                pass
        return result
    finally:
        session.close()
        log.close()


def _apply_all(
    applier: Applier, broker: Broker, target: Target, progressed: Callable[[ReplayProgress], None]
) -> ReplayProgress:
    with applier.session.transaction() as conn:
        start = {place: at.next_offset for place, at in load_positions(conn, list(target.offsets)).items()}
    total = sum(max(0, end - start[place]) for place, end in target.offsets.items())
    began, done = monotonic(), 0
    for part in target.apart():
        until = part.offsets
        for batch in read_bulk(broker, start={place: start[place] for place in until}, until=until):
            done += applier.apply(batch).records
            progressed(ReplayProgress(done, total, monotonic() - began))
    return ReplayProgress(done, total, monotonic() - began)


def unheard(_: ReplayProgress) -> None:
    """Nobody watches."""
