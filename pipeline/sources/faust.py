"""Records by Faust (faust-streaming, over aiokafka).

What Faust does wrong when left to itself, and what is done here instead:

- it acknowledges events whose agent raised: so the agent never raises, it waits or ends the process;
- it starts at Kafka's committed offsets: so its consumer is given PostgreSQL's, at the start and at every rebalance;
- it commits what was acknowledged: so what it commits is replaced by our hints;
- a concurrent agent commits past events in flight: so there is one, and its transaction runs inline;
- its client gives up where it should wait: so it is made patient;
- its stop may wait for a broker that is away, for ever: so it is left behind after a while, with its threads;
- its tables, windows, producer and web server are not used.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from threading import Event
from typing import Any

import aiokafka.errors
import aiokafka.structs
import faust
import faust.contrib.asgi
import uvloop
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from mode.threads import WorkerThread

from pipeline.ending import end_process
from pipeline.errors import Fatal, PassingFault
from pipeline.failpoints import failpoint
from pipeline.records import LogPartition, Record
from pipeline.sources import (
    BATCH_RECORDS,
    HEARTBEAT_MS,
    MAX_POLL_INTERVAL_MS,
    METADATA_MAX_AGE_MS,
    SESSION_TIMEOUT_MS,
    Sink,
    backoff,
)
from pipeline.sources.patience import patient
from runtime.kafka import Broker
from runtime.logs import get_logger
from schemas.catalogue import Topic

log = get_logger(__name__)

TAKEN_AT_ONCE = 4 * BATCH_RECORDS
"""Events come mixed, and each partition's share of them is a batch of its own: fewer make small transactions."""
WITHIN_SECONDS = 0.2
TICK_SECONDS = 0.25
COMMIT_SECONDS = 5.0
STOP_SECONDS = 5.0
REQUEST_SECONDS = 30.0

Positions = Mapping[LogPartition, int]


class _Worker(WorkerThread):
    """The thread of the Kafka client, which the process need not wait for."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def stop(self) -> None:
        """Called in the loop, which stands meanwhile."""
        self.is_stopped.wait(STOP_SECONDS)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's service around aiokafka's consumer."""

    Worker = _Worker

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> Any:
        consumer = super()._create_consumer(loop)
        consumer._client = patient(consumer._client)
        return consumer


class _Consumer(driver.Consumer):
    """Faust's consumer, but for where it starts and what it commits. Its transport is always a `_Transport`."""

    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Seek to PostgreSQL's offsets; called at the start and at every rebalance."""
        await super().seek_to_committed()
        positions = await self.transport.take_up(self.assignment())
        owned = self.assignment()
        sought = {tp: offset for tp, offset in positions.items() if tp in owned}
        await self.seek_wait({driver.ensure_aiokafka_TP(tp): offset for tp, offset in sought.items()})
        return sought

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        """Commit our hints in place of what Faust holds for done, which it is thereby allowed to forget."""
        owned = self.assignment()
        hints = {tp: offset for tp, offset in self.transport.take_hints().items() if tp in owned}
        if hints:
            failpoint("hint")
            try:
                await self._thread.call_thread(self._thread._ensure_consumer().commit, hints)
            except aiokafka.errors.KafkaError as error:
                log.debug("the hint was not taken", reason=repr(error))
        return True

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust's own watch for stalls looks at commits, which are not what progress is here."""


class _Transport(driver.Transport):
    """Carries the two questions of `_Consumer` to the source."""

    Consumer = _Consumer
    take_up: Callable[[Collection[Any]], Awaitable[Mapping[Any, int]]]
    take_hints: Callable[[], Mapping[Any, int]]


class _Boot(BootStrategy):
    """What Faust starts: no producer, which would be one client more that may not find its broker."""

    enable_kafka_producer = False


class _App(faust.App):
    """Faust's application, but that it writes no file: its folders are for tables, which are not used."""

    BootStrategy = _Boot

    def _create_directories(self) -> None:
        """Nothing is left behind then, however the process ends."""


class FaustSource:
    """The default of detector and mrr. `instance_id` makes the worker a static member of the group."""

    def __init__(self, broker: Broker, *, group: str, topics: Collection[Topic], instance_id: str | None) -> None:
        self._broker = broker
        self._group = f"{broker.prefix}{group}"
        self._instance_id = instance_id
        self._names = {topic.full_name(broker.prefix): topic.name for topic in topics}
        self._owned: set[LogPartition] = set()

    def run(self, sink: Sink, stopping: Event) -> None:
        """Consume until `stopping` is set (see Source). A fault that is not passing ends the process from within."""
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        if runner.run(self._serve(sink, stopping)):
            runner.close()
        else:
            log.warning("Faust did not stop in time and is left behind; its offsets are in PostgreSQL anyway")

    async def _serve(self, sink: Sink, stopping: Event) -> bool:
        """Whether Faust has stopped, in the end."""
        app = self._app(sink)
        faust.contrib.asgi.bind_to_running_loop(app)
        app.finalize()
        starting = asyncio.create_task(app.maybe_start())  # ends only once the group has let us in
        while not stopping.is_set():
            with _ending():
                _must_live(app, starting)
                sink.tick()
            await asyncio.sleep(TICK_SECONDS)
        starting.cancel()
        stop = asyncio.ensure_future(app.stop())
        done, _ = await asyncio.wait({stop}, timeout=STOP_SECONDS)
        for ended in done:
            ended.result()
        return stop in done

    def _app(self, sink: Sink) -> Any:
        app = _App(
            id=self._group,
            broker=[f"kafka://{address}" for address in self._broker.bootstrap_servers.split(",")],
            broker_credentials=_credentials(self._broker.security or {}),
            broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
            broker_heartbeat_interval=HEARTBEAT_MS / 1000,
            broker_max_poll_interval=MAX_POLL_INTERVAL_MS / 1000,
            broker_request_timeout=REQUEST_SECONDS,
            broker_commit_interval=COMMIT_SECONDS,
            broker_max_poll_records=TAKEN_AT_ONCE,
            producer_request_timeout=REQUEST_SECONDS,
            consumer_auto_offset_reset="earliest",
            consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
            consumer_group_instance_id=self._instance_id,
            stream_buffer_maxsize=TAKEN_AT_ONCE,
            stream_wait_empty=True,
            topic_disable_leader=True,
            topic_allow_declare=False,
            table_standby_replicas=0,
            worker_redirect_stdouts=False,
            web_enabled=False,
            store="memory://",
            autodiscover=False,
        )
        transport = _Transport(app.conf.broker, app)
        transport.take_up = lambda assigned: self._take_up(sink, assigned)
        transport.take_hints = lambda: self._hints(sink)
        app.transport = transport
        topic = app.topic(*self._names, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)

        async def consume(stream: Any) -> None:
            async for events in stream.take_events(TAKEN_AT_ONCE, within=WITHIN_SECONDS):
                await self._deliver(sink, events)

        app.agent(topic, name="consume", concurrency=1)(consume)
        return app

    async def _take_up(self, sink: Sink, assigned: Collection[Any]) -> Mapping[Any, int]:
        """Follow a rebalance: forget what was lost, position everything that is ours now."""
        places = {self._place(tp): tp for tp in assigned}
        if lost := self._owned - set(places):
            sink.revoked(list(lost))
        self._owned = set(places)
        failures = 0
        while True:
            try:
                with _ending():
                    positions = sink.assigned(list(places))
            except PassingFault as error:
                failures += 1
                log.warning("the assigned partitions cannot be taken up yet", reason=str(error))
                await asyncio.sleep(backoff(failures))
            else:
                failpoint("assigned")
                return {places[place]: offset for place, offset in positions.items()}

    async def _deliver(self, sink: Sink, events: Sequence[Any]) -> None:
        """Events come mixed: group them by partition, each group is a batch."""
        events = sorted(events, key=lambda event: (event.message.topic, event.message.partition))
        for _, group in groupby(events, key=lambda event: (event.message.topic, event.message.partition)):
            await self._until_applied(sink, [self._record(event.message) for event in group])

    async def _until_applied(self, sink: Sink, records: Sequence[Record]) -> None:
        failures = 0
        while True:
            try:
                with _ending():
                    sink.batch(records)
            except PassingFault as error:
                failures += 1
                log.warning("a batch is tried again", place=records[0].place, failures=failures, reason=str(error))
                await asyncio.sleep(backoff(failures))
            else:
                await asyncio.sleep(0)
                return

    def _hints(self, sink: Sink) -> Mapping[Any, int]:
        return {
            aiokafka.structs.TopicPartition(f"{self._broker.prefix}{place.topic}", place.partition): offset
            for place, offset in sink.hints().items()
        }

    def _record(self, message: Any) -> Record:
        return Record(
            topic=self._names[message.topic],
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            value=message.value,
            headers=tuple(message.headers or ()),
            timestamp_ms=int((message.timestamp or 0) * 1000),
        )

    def _place(self, tp: Any) -> LogPartition:
        return LogPartition(self._names[tp.topic], tp.partition)


def _must_live(app: Any, starting: asyncio.Task[Any]) -> None:
    """Raises Fatal where Faust or aiokafka has stopped working and stays up: what is left would never get on."""
    if starting.done() and (error := starting.exception()) is not None:
        raise Fatal(f"Faust did not start: {error!r}") from error
    if app.should_stop or app.crash_reason is not None:
        raise Fatal(f"Faust stopped by itself: {app.crash_reason!r}") from app.crash_reason
    consumer = getattr(getattr(app.consumer, "_thread", None), "_consumer", None)
    coordination = getattr(getattr(consumer, "_coordinator", None), "_coordination_task", None)
    if coordination is not None and coordination.done():
        raise Fatal("aiokafka's group coordination ended by itself, as it does at a fault it does not expect")


@contextmanager
def _ending() -> Iterator[None]:
    """Passing faults go on to who can wait; any other ends the process, before Faust acknowledges the event."""
    try:
        yield
    except PassingFault:
        raise
    except Exception as error:
        end_process(error)
        raise


def _credentials(security: Mapping[str, Any]) -> Any:
    """The broker's security as Faust takes it."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return None
    context = ssl.create_default_context(cafile=security.get("ssl_cafile")) if protocol.endswith("SSL") else None
    if protocol == "SSL":
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=security.get("sasl_plain_username"),
        password=security.get("sasl_plain_password"),
        mechanism=security.get("sasl_mechanism"),
        ssl_context=context,
    )
