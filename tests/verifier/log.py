"""The topics as anybody reads them: plain kafka-python, from the first record to the last."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import kafka


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a topic, which goes by its catalogue name."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    written_at: datetime
    """When the producer had it, by the machine's clock."""

    def header(self, name: str) -> str:
        return dict(self.headers)[name].decode()

    @property
    def id(self) -> str:
        return self.header("ce_id")

    @property
    def content(self) -> Any:
        """The value as JSON."""
        return json.loads(self.value)

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def read_topics(bootstrap: str, topics: Iterable[str], *, prefix: str = "") -> list[Entry]:
    """Every record of these topics up to their present ends, in the order of each partition."""
    with _consumer(bootstrap) as consumer:
        places = _places(consumer, topics, prefix)
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[Entry] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                found += [_entry(record, prefix) for record in batch]
        return found


def ends_of(bootstrap: str, topics: Iterable[str], *, prefix: str = "") -> dict[tuple[str, int], int]:
    """The end of every partition of these topics, by catalogue name."""
    with _consumer(bootstrap) as consumer:
        found = consumer.end_offsets(_places(consumer, topics, prefix))
        return {(place.topic.removeprefix(prefix), place.partition): end for place, end in found.items()}


def _entry(record: Any, prefix: str) -> Entry:
    name = record.topic.removeprefix(prefix)
    written_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Entry(name, record.partition, record.offset, record.key, record.value, tuple(record.headers), written_at)


def _places(consumer: Any, topics: Iterable[str], prefix: str) -> Sequence[Any]:
    return [
        kafka.TopicPartition(f"{prefix}{topic}", partition)
        for topic in topics
        for partition in consumer.partitions_for_topic(f"{prefix}{topic}")
    ]


@contextmanager
def _consumer(bootstrap: str) -> Iterator[Any]:
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        yield consumer
    finally:
        consumer.close()
