"""A look into the log beside the consumer: its topics' ids, its bounds, single records.

The consumer's own client delivers; this one answers questions, so that a check never disturbs what is being fetched.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import kafka
import kafka.errors

from pipeline.errors import PassingFault
from pipeline.records import LogPartition, Record
from runtime.kafka import Broker

TIMEOUT_MS = 10_000
PEEK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Bounds:
    """A partition's first offset and the offset after its last record."""

    begin: int
    end: int


class LogReader:
    """Questions to one cluster. Raises PassingFault where it does not answer."""

    def __init__(self, broker: Broker, *, client_id: str) -> None:
        self._broker = broker
        self._client_id = client_id
        self._consumer: Any = None
        self._admin: Any = None

    def topic_ids(self, topics: Collection[str]) -> dict[str, UUID]:
        """Kafka's ids of these topics (catalogue names); one that is missing is left out."""
        names = {f"{self._broker.prefix}{topic}": topic for topic in topics}
        with self._asking("the topics"):
            if self._admin is None:
                self._admin = kafka.KafkaAdminClient(**self._broker.client_options(self._client_id))
            described = self._admin.describe_topics(list(names))
        return {names[d["name"]]: UUID(str(d["topic_id"])) for d in described if not d.get("error_code")}

    def bounds(self, places: Collection[LogPartition]) -> dict[LogPartition, Bounds]:
        """First and next offset of these partitions."""
        wanted = {self._place(place): place for place in places}
        with self._asking("the bounds of the log"):
            begins = self._reader().beginning_offsets(list(wanted), timeout_ms=TIMEOUT_MS)
            ends = self._reader().end_offsets(list(wanted), timeout_ms=TIMEOUT_MS)
        return {place: Bounds(begin=begins[tp], end=ends[tp]) for tp, place in wanted.items()}

    def ends(self, places: Collection[LogPartition]) -> dict[LogPartition, int]:
        """The offset after the last record of these partitions."""
        wanted = {self._place(place): place for place in places}
        with self._asking("the end of the log"):
            ends = self._reader().end_offsets(list(wanted), timeout_ms=TIMEOUT_MS)
        return {place: int(ends[tp]) for tp, place in wanted.items()}

    def first_from(self, wanted: Mapping[LogPartition, int]) -> dict[LogPartition, Record]:
        """The first record at each offset or after it; a partition that has none is left out."""
        ends = self.ends(wanted)
        open_places = {self._place(place): place for place, offset in wanted.items() if offset < ends[place]}
        if not open_places:
            return {}
        with self._asking("records"):
            reader = self._new_reader()  # one that was used before a broker's restart may wait for ever
            try:
                return _peek(reader, open_places, wanted, ends)
            finally:
                reader.close()

    def close(self) -> None:
        """Let go of the connections."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        for client in filter(None, (consumer, admin)):
            client.close()

    def _reader(self) -> Any:
        if self._consumer is None:
            self._consumer = self._new_reader()
        return self._consumer

    def _new_reader(self) -> Any:
        return kafka.KafkaConsumer(
            **self._broker.client_options(self._client_id),
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=PEEK_BYTES,
            metrics_enabled=False,
            allow_auto_create_topics=False,
        )

    def _place(self, place: LogPartition) -> Any:
        return kafka.TopicPartition(f"{self._broker.prefix}{place.topic}", place.partition)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (kafka.errors.KafkaError, KeyError) as error:
            # KeyError: the client answers for some of the partitions, as long as its metadata lacks a topic
            self.close()
            raise PassingFault(f"Kafka at {self._broker.bootstrap_servers} was asked for {what}: {error!r}") from error


def _peek(
    reader: Any,
    places: Mapping[Any, LogPartition],
    wanted: Mapping[LogPartition, int],
    ends: Mapping[LogPartition, int],
) -> dict[LogPartition, Record]:
    """The first record of each place at its offset or after it, by a reader of its own."""
    found, waiting, deadline = dict[LogPartition, Record](), set(places), monotonic() + TIMEOUT_MS / 1000
    reader.assign(list(places))
    for tp, place in places.items():
        reader.seek(tp, wanted[place])
    while waiting:
        for tp, records in reader.poll(timeout_ms=500).items():
            found.setdefault(places[tp], record_of(records[0], places[tp].topic))
        done = {tp for tp in waiting if places[tp] in found or _at_end(reader, tp, ends[places[tp]])}
        reader.pause(*done)
        waiting -= done
        if waiting and monotonic() > deadline:
            raise PassingFault(f"Kafka did not give a record of {places[next(iter(waiting))]} in time")
    return found


def _at_end(reader: Any, tp: Any, end: int) -> bool:
    """A stretch that was compacted away moves the position without giving a record."""
    position = reader.position(tp)
    return position is not None and position >= end


def record_of(raw: Any, topic: str) -> Record:
    """A record of kafka-python as ours; `topic` is the catalogue's name."""
    return Record(
        topic=topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers),
        timestamp_ms=raw.timestamp,
    )
