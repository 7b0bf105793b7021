"""The whole life of a consumer process: connect, lease a slot, check, seek, consume, relay, fire timers, drain."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from threading import Event
from typing import Any, Literal, TypeVar

from pipeline.apply import Applier
from pipeline.dead_letters import DeadLetterLimit
from pipeline.ending import end_process
from pipeline.engine import Engine
from pipeline.errors import PassingFault
from pipeline.log import LogReader
from pipeline.priming import read_first
from pipeline.processor import Processor
from pipeline.relay import Relay
from pipeline.session import Session
from pipeline.slots import Slot
from pipeline.sources import Source, backoff
from runtime.database import Database
from runtime.kafka import Broker
from runtime.logs import get_logger
from runtime.service import Frame
from runtime.settings import ServiceSettings
from schemas.catalogue import Topic, retry_topic

log = get_logger(__name__)

T = TypeVar("T")
SourceName = Literal["faust", "kafka-python"]
SOURCES: dict[SourceName, tuple[str, str]] = {
    "faust": ("pipeline.sources.faust", "FaustSource"),
    "kafka-python": ("pipeline.sources.kafka_python", "KafkaPythonSource"),
}


def inputs_of(processor: Processor[Any]) -> tuple[Topic, ...]:
    """What a group reads: its inputs, and the dead letters that were sent back to it."""
    return (*processor.inputs, retry_topic(processor.group))


def run_consumer(
    processor: Processor[Any],
    settings: ServiceSettings,
    frame: Frame,
    *,
    source: SourceName = "kafka-python",
    dead_letter_limit: DeadLetterLimit | None = None,
    written: Event | None = None,
) -> None:
    """Consume until `frame.stopping` is set; then finish the batch in hand, relay what is there, and return.

    `processor.group` names the consumer group, the schema (with its role's migrations applied) and the service. Its
    topics must exist. Whoever else in the process writes to its outbox sets `written`. A fault that is neither a bad
    record nor passing ends the process at once, with code 1.
    """
    worker = _Worker.of(processor, settings, frame, dead_letter_limit=dead_letter_limit, written=written)
    try:
        worker.run(source)
    except Exception as error:
        end_process(error)
        raise
    finally:
        worker.close()


@dataclass(frozen=True)
class _Worker:
    """What a consumer process is made of."""

    frame: Frame
    broker: Broker
    slot: Slot
    log_reader: LogReader
    relay: Relay
    applier: Applier
    topics: tuple[Topic, ...]

    @classmethod
    def of(
        cls,
        processor: Processor[Any],
        settings: ServiceSettings,
        frame: Frame,
        *,
        dead_letter_limit: DeadLetterLimit | None,
        written: Event | None,
    ) -> "_Worker":
        group, broker = processor.group, Broker.of(settings)
        database = Database(url=settings.database_url.get_secret_value(), schema=group, application=f"dropfix-{group}")
        return cls(
            frame=frame,
            broker=broker,
            slot=Slot(database, f"{broker.prefix}{group}"),
            log_reader=LogReader(broker, client_id=f"{group}-log"),
            relay=Relay(database, broker, failed=end_process, woken=written),
            applier=Applier(processor, Session(database), now=frame.clock.now, dead_letter_limit=dead_letter_limit),
            topics=inputs_of(processor),
        )

    def run(self, source: SourceName) -> None:
        """Wait for what it needs, read decisions, then consume until it is to stop."""
        number = _patiently(self.slot.lease, self.frame, "slot")
        _patiently(self._topics_exist, self.frame, "topics")
        if number is None or self.frame.stopping.is_set():
            return
        self.relay.start()
        _patiently(self._read_first, self.frame, "decisions")
        self._consume(source, number)
        self.relay.stop()

    def close(self) -> None:
        """Let go of the connections, and of the slot."""
        self.applier.session.close()
        self.log_reader.close()
        self.slot.release()

    def _topics_exist(self) -> None:
        names = [topic.name for topic in self.topics]
        if missing := set(names) - set(self.log_reader.topic_ids(names)):
            raise PassingFault(
                f"these topics do not exist yet: {', '.join(sorted(missing))}; `dropfix migrate` makes them"
            )

    def _read_first(self) -> int:
        return read_first(self.applier, self.broker, self.log_reader, self.topics)

    def _consume(self, source: SourceName, number: int) -> None:
        group = self.applier.processor.group
        engine = Engine(
            self.applier,
            topics=self.topics,
            log_reader=self.log_reader,
            relay=self.relay,
            slot=self.slot,
            clock=self.frame.clock,
            health=self.frame.health,
        )
        instance_id = f"{self.broker.prefix}{group}-{number}"
        log.info("consuming", source=source, instance_id=instance_id, topics=[topic.name for topic in self.topics])
        records = make_source(source, self.broker, group=group, topics=self.topics, instance_id=instance_id)
        records.run(engine, self.frame.stopping)


def make_source(
    name: SourceName, broker: Broker, *, group: str, topics: tuple[Topic, ...], instance_id: str | None
) -> Source:
    """The source of that name, imported here: Faust costs memory and a second of start, also where it is not used."""
    module, cls = SOURCES[name]
    source: Source = getattr(import_module(module), cls)(broker, group=group, topics=topics, instance_id=instance_id)
    return source


def _patiently(attempt: Callable[[], T], frame: Frame, what: str) -> T | None:
    """Try until it works; while it does not, the health page says why. None when the process is to stop first."""
    failures = 0
    while not frame.stopping.is_set():
        try:
            result = attempt()
        except PassingFault as error:
            failures += 1
            frame.health.waits(what, str(error))
            log.warning("waiting", what=what, reason=str(error))
            frame.stopping.wait(backoff(failures))
        else:
            frame.health.resumes(what)
            return result
    return None
