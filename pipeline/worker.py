"""The whole life of a consumer process: connect, lease a slot, check, seek, consume, relay, fire timers, drain."""

from collections.abc import Callable
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
    database = Database(
        url=settings.database_url.get_secret_value(), schema=processor.group, application=f"dropfix-{processor.group}"
    )
    broker = Broker.of(settings)
    slot = Slot(database, f"{broker.prefix}{processor.group}")
    log_reader = LogReader(broker, client_id=f"{processor.group}-log")
    relay = Relay(database, broker, failed=end_process, woken=written)
    session = Session(database)
    applier = Applier(processor, session, now=frame.clock.now, dead_letter_limit=dead_letter_limit)
    try:
        number = _patiently(slot.lease, frame, "slot")
        topics = inputs_of(processor)
        _patiently(lambda: _must_exist(log_reader, topics), frame, "topics")
        if number is None or frame.stopping.is_set():
            return
        relay.start()
        _patiently(lambda: read_first(applier, broker, log_reader, topics), frame, "decisions")
        engine = Engine(
            applier,
            topics=topics,
            log_reader=log_reader,
            relay=relay,
            slot=slot,
            clock=frame.clock,
            health=frame.health,
        )
        instance_id = f"{broker.prefix}{processor.group}-{number}"
        log.info("consuming", source=source, instance_id=instance_id, topics=[topic.name for topic in topics])
        make_source(source, broker, group=processor.group, topics=topics, instance_id=instance_id).run(
            engine, frame.stopping
        )
        relay.stop()
    except Exception as error:
        end_process(error)
        raise
    finally:
        session.close()
        log_reader.close()
        slot.release()


def make_source(
    name: SourceName, broker: Broker, *, group: str, topics: tuple[Topic, ...], instance_id: str | None
) -> Source:
    """The source of that name, imported here: Faust costs memory and a second of start, also where it is not used."""
    module, cls = SOURCES[name]
    source: Source = getattr(import_module(module), cls)(broker, group=group, topics=topics, instance_id=instance_id)
    return source


def _must_exist(log_reader: LogReader, topics: tuple[Topic, ...]) -> None:
    missing = {topic.name for topic in topics} - set(log_reader.topic_ids([topic.name for topic in topics]))
    if missing:
        raise PassingFault(f"these topics do not exist yet: {', '.join(sorted(missing))}; `dropfix migrate` makes them")


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
