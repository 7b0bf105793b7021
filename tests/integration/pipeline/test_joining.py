"""A worker joins its group however slowly the broker answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import kafka
import kafka.admin
import pytest

from bench.counting import GROUP, INPUTS
from pipeline.records import LogPartition, Record
from pipeline.sources import kafka_python
from pipeline.sources.kafka_python import KafkaPythonSource
from runtime.kafka import Broker, create_topics
from schemas.catalogue import DATA_PARTITIONS
from tests.fixtures.counting import eventually


class Owned:
    """A sink that only notes what it owns."""

    def __init__(self) -> None:
        self.places: set[LogPartition] = set()

    def assigned(self, places: Collection[LogPartition]) -> Mapping[LogPartition, int]:
        self.places |= set(places)
        return dict.fromkeys(places, 0)

    def revoked(self, places: Collection[LogPartition]) -> None:
        self.places -= set(places)

    def batch(self, records: Sequence[Record]) -> None:
        """Nothing is produced here."""

    def tick(self) -> None:
        """Nothing is to be done beside."""

    def hints(self) -> Mapping[LogPartition, int]:
        return {}


@contextmanager
def running(source: KafkaPythonSource, sink: Owned) -> Iterator[None]:
    stopping = Event()
    thread = Thread(target=source.run, args=(sink, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)


def test_a_join_that_takes_longer_than_a_poll_is_finished(
    kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks for the second join is that the topics have other partitions than at the first."""
    monkeypatch.setattr(kafka_python, "POLL_MS", 1)
    monkeypatch.setattr(kafka_python, "METADATA_MAX_AGE_MS", 300)
    broker = Broker(kafka_bootstrap, topic_prefix)
    create_topics(broker, INPUTS)
    sink, everything = Owned(), len(INPUTS) * DATA_PARTITIONS
    source = KafkaPythonSource(broker, group=GROUP, topics=INPUTS, instance_id=f"{topic_prefix}counting-0")
    with running(source, sink):
        eventually("every partition is this worker's", lambda: len(sink.places) == everything, seconds=20)
        add_a_partition(kafka_bootstrap, INPUTS[0].full_name(topic_prefix))
        eventually("the new one is too", lambda: len(sink.places) == everything + 1, seconds=20)


def add_a_partition(bootstrap: str, topic: str) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_partitions({topic: kafka.admin.NewPartitions(DATA_PARTITIONS + 1)})
    admin.close()
