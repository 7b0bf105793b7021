"""Reading a topic as any consumer would."""

from dataclasses import dataclass
from time import monotonic
from typing import Any

import kafka

from runtime.kafka import Broker
from schemas.catalogue import Topic


@dataclass(frozen=True)
class Seen:
    """A record as it lies on its topic."""

    partition: int
    key: str
    value: bytes
    headers: dict[str, str]

    @property
    def subject(self) -> str:
        return self.headers["ce_partitionkey"]


def read_topic(broker: Broker, topic: Topic, wanted: int, *, subject: str, within_s: float = 30.0) -> list[Seen]:
    """The records of a subject, or of all whose subject begins so, in order, once there are as many as wanted."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers.split(","),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        group_id=None,
    )
    name = topic.full_name(broker.prefix)
    found: list[Seen] = []
    try:
        consumer.assign([kafka.TopicPartition(name, partition) for partition in range(topic.partitions)])
        consumer.seek_to_beginning()
        deadline = monotonic() + within_s
        while len(found) < wanted and monotonic() < deadline:
            for records in consumer.poll(timeout_ms=200).values():
                found.extend(seen for each in records if (seen := _seen(each)).subject.startswith(subject))
    finally:
        consumer.close()
    assert len(found) >= wanted, f"{name} has {len(found)} records, not {wanted}"
    return found


def _seen(record: Any) -> Seen:
    headers = {name: value.decode() for name, value in record.headers}
    return Seen(record.partition, record.key.decode(), record.value, headers)
