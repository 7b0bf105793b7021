"""Records by kafka-python's consumer.

The rebalance listener runs on the client's own loop, where blocking would stop heartbeats. So it only pauses what was
assigned; the checks, the seek and the resume are done in the thread that polls, before anything is delivered.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from time import monotonic
from typing import Any

import kafka
import kafka.errors
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from pipeline.errors import OffsetExpired, PassingFault
from pipeline.failpoints import failpoint
from pipeline.log import record_of
from pipeline.records import LogPartition
from pipeline.sources import (
    BATCH_RECORDS,
    HEARTBEAT_MS,
    MAX_POLL_INTERVAL_MS,
    METADATA_MAX_AGE_MS,
    SESSION_TIMEOUT_MS,
    Sink,
    backoff,
)
from runtime.kafka import Broker
from runtime.logs import get_logger
from schemas.catalogue import Topic

log = get_logger(__name__)

POLL_MS = 250
HINT_SECONDS = 5.0
CLOSE_MS = 2_000
"""How long leaving may take: what it would say is only a hint."""


@dataclass
class _Delayed:
    """A partition that waits after a passing fault."""

    failures: int
    until: float


class _Assignment:
    """What the group gave us and took from us, until the polling thread has followed it."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._lock = Lock()
        self._fresh: set[Any] = set()
        self._lost: set[Any] = set()
        self._joined = False

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        for tp in assigned:
            self._consumer.seek(tp, 0)  # any position: without one the client would look for a committed offset
            self._consumer.pause(tp)
        with self._lock:
            self._fresh.update(assigned)
            self._lost.difference_update(assigned)
            self._joined = True

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        with self._lock:
            self._fresh.difference_update(revoked)
            self._lost.update(revoked)

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        """The membership ended, as after a freeze longer than the session: others have them already."""
        self.on_partitions_revoked(lost)

    def fresh(self) -> set[Any]:
        """Assigned, paused, and not positioned yet."""
        with self._lock:
            return set(self._fresh)

    def positioned(self, partitions: Collection[Any]) -> None:
        """These were sought and resumed."""
        with self._lock:
            self._fresh.difference_update(partitions)

    def take_lost(self) -> set[Any]:
        """What was revoked since the last call."""
        with self._lock:
            lost, self._lost = self._lost, set()
            return lost

    def take_joined(self) -> bool:
        """Whether there was an assignment since the last call, be it of nothing."""
        with self._lock:
            joined, self._joined = self._joined, False
            return joined

    def settled(self, tp: Any) -> bool:
        """Whether records of this partition may be delivered."""
        with self._lock:
            return tp not in self._fresh and tp not in self._lost


kafka.ConsumerRebalanceListener.register(_Assignment)


def finishing_joins(consumer: Any) -> Any:
    """The consumer, which finishes every join that it began.

    kafka-python 3.0.12 forgets a join that a poll's time-out interrupted if what asked for it was other metadata than
    before: by the time of the next poll that is no reason any more. It then has given its partitions back, sends no
    heartbeat, and never joins again.
    """
    coordinator = consumer._coordinator  # the library has no seam here
    wanted = coordinator.need_rejoin
    coordinator.need_rejoin = lambda: coordinator._join_task is not None or wanted()
    return consumer


class KafkaPythonSource:
    """The default of services that need no asyncio. `instance_id` makes the worker a static member of the group."""

    def __init__(self, broker: Broker, *, group: str, topics: Collection[Topic], instance_id: str | None) -> None:
        self._broker = broker
        self._names = {topic.full_name(broker.prefix): topic.name for topic in topics}
        self._consumer: Any = None
        self._options = {
            **broker.client_options(instance_id or group),
            "group_id": f"{broker.prefix}{group}",
            "group_instance_id": instance_id,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": HEARTBEAT_MS,
            "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
            "max_poll_records": BATCH_RECORDS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "partition_assignment_strategy": [RoundRobinPartitionAssignor],  # Faust's, so that a setting can change
            "metrics_enabled": False,
        }
        self._delayed: dict[Any, _Delayed] = {}
        self._hinted_at = 0.0

    def run(self, sink: Sink, stopping: Event) -> None:
        """Consume until `stopping` is set (see Source)."""
        self._consumer = self._connect(stopping)
        if self._consumer is None or not self._knows_its_topics(stopping):
            return
        assignment = _Assignment(self._consumer)
        self._consumer.subscribe(topics=list(self._names), listener=assignment)
        try:
            while not stopping.is_set():
                self._step(sink, assignment)
        finally:
            self._hint(sink)
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _connect(self, stopping: Event) -> Any:
        failures = 0
        while not stopping.is_set():
            try:
                return finishing_joins(kafka.KafkaConsumer(**self._options))
            except kafka.errors.KafkaError as error:
                failures += 1
                log.warning("no Kafka yet", bootstrap_servers=self._broker.bootstrap_servers, reason=repr(error))
                stopping.wait(backoff(failures))
        return None

    def _knows_its_topics(self, stopping: Event) -> bool:
        """Wait until the client knows every topic's partitions; False where it is stopped before.

        Who balances the group without knowing them leaves them to nobody, and nobody notices for a long time.
        """
        failures = 0
        while not stopping.is_set():
            try:
                missing = [name for name in self._names if not self._consumer.partitions_for_topic(name)]
            except kafka.errors.KafkaError as error:
                missing, reason = list(self._names), repr(error)
            else:
                reason = "they are not there yet; `dropfix topics create` makes them"
            if not missing:
                return True
            failures += 1
            log.warning("waiting for topics", topics=missing, reason=reason)
            stopping.wait(backoff(failures))
        return False

    def _step(self, sink: Sink, assignment: _Assignment) -> None:
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
        except (kafka.errors.OffsetOutOfRangeError, kafka.errors.NoOffsetForPartitionError) as error:
            raise OffsetExpired(f"the log no longer has what is next: {error}") from error
        except kafka.errors.KafkaError as error:
            if not getattr(error, "retriable", False):
                raise
            log.warning("Kafka did not answer a poll", reason=repr(error))
            polled = {}
        self._take_up(sink, assignment)
        for tp, raw in polled.items():
            if assignment.settled(tp):
                self._deliver(sink, tp, raw)
        self._resume_delayed()
        sink.tick()
        if monotonic() - self._hinted_at > HINT_SECONDS:
            self._hint(sink)

    def _take_up(self, sink: Sink, assignment: _Assignment) -> None:
        """Follow a rebalance: forget what was lost, position what is new."""
        lost = assignment.take_lost()
        if lost:
            sink.revoked([self._place(tp) for tp in lost])
            for tp in lost:
                self._delayed.pop(tp, None)
        joined = assignment.take_joined()
        fresh = {self._place(tp): tp for tp in assignment.fresh()}
        if not fresh and not joined:
            return
        try:
            positions = sink.assigned(list(fresh))
        except PassingFault as error:
            log.warning("the assigned partitions cannot be taken up yet", reason=str(error))
            return  # still paused, tried again at the next step
        failpoint("assigned")
        owned = self._consumer.assignment()
        for place, tp in fresh.items():
            if tp in owned:
                self._consumer.seek(tp, positions[place])
                self._consumer.resume(tp)
        assignment.positioned(fresh.values())

    def _deliver(self, sink: Sink, tp: Any, raw: Sequence[Any]) -> None:
        topic = self._names[tp.topic]
        try:
            sink.batch([record_of(each, topic) for each in raw])
        except PassingFault as error:
            self._delay(tp, raw[0].offset, error)
        else:
            self._delayed.pop(tp, None)

    def _delay(self, tp: Any, offset: int, error: PassingFault) -> None:
        """Hold the partition: the batch comes again from its first record, after a while."""
        failures = self._delayed[tp].failures + 1 if tp in self._delayed else 1
        self._delayed[tp] = _Delayed(failures, monotonic() + backoff(failures))
        log.warning("a batch is tried again", place=f"{tp.topic}/{tp.partition}", failures=failures, reason=str(error))
        if tp in self._consumer.assignment():
            self._consumer.seek(tp, offset)
            self._consumer.pause(tp)

    def _resume_delayed(self) -> None:
        if not self._delayed:
            return
        now, owned = monotonic(), self._consumer.assignment()
        due = [tp for tp, delayed in self._delayed.items() if delayed.until <= now and tp in owned]
        self._consumer.resume(*due)

    def _hint(self, sink: Sink) -> None:
        """Tell Kafka how far we are. Only tools read it, so a rebalance in between is no reason to worry."""
        self._hinted_at = monotonic()
        owned = self._consumer.assignment()
        offsets = {
            tp: kafka.OffsetAndMetadata(offset, "", -1)
            for place, offset in sink.hints().items()
            if (tp := self._topic_partition(place)) in owned
        }
        if not offsets:
            return
        failpoint("hint")
        try:
            self._consumer.commit(offsets, timeout_ms=CLOSE_MS)
        except kafka.errors.KafkaError as error:
            log.debug("the hint was not taken", reason=repr(error))

    def _place(self, tp: Any) -> LogPartition:
        return LogPartition(self._names[tp.topic], tp.partition)

    def _topic_partition(self, place: LogPartition) -> Any:
        return kafka.TopicPartition(f"{self._broker.prefix}{place.topic}", place.partition)
