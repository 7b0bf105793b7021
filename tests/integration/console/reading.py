"""Reading a topic as any consumer would."""

from dataclasses import dataclass
from time import monotonic

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


def read_topic(broker: Broker, topic: Topic, wanted: int, *, within_s: float = 20.0) -> list[Seen]:
    """The topic's records from its beginning, in the order of each partition, once there are as many as wanted."""
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
                found.extend(
                    Seen(each.partition, each.key.decode(), each.value, {k: v.decode() for k, v in each.headers})
                    for each in records
                )
    finally:
        consumer.close()
    assert len(found) >= wanted, f"{name} has {len(found)} records, not {wanted}"
    return found
