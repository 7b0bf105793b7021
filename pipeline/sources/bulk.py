"""Records in bulk, for a replay: no group, every partition from where the tables are up to a given end."""

from collections.abc import Iterator, Mapping
from typing import Any

import kafka
import kafka.errors

from pipeline.errors import PassingFault
from pipeline.log import record_of
from pipeline.records import LogPartition, Record
from runtime.kafka import Broker

BATCH_RECORDS = 2000
POLL_MS = 500


def read_bulk(
    broker: Broker, *, start: Mapping[LogPartition, int], until: Mapping[LogPartition, int]
) -> Iterator[list[Record]]:
    """Batches of one partition, at most BATCH_RECORDS long, until every partition has reached its end.

    `until` has the offset after the last record wanted, for each place of `start`. Raises PassingFault.
    """
    places = {
        kafka.TopicPartition(f"{broker.prefix}{place.topic}", place.partition): place
        for place, offset in start.items()
        if offset < until[place]
    }
    try:
        consumer = _consumer(broker, places, start)
        try:
            yield from _batches(consumer, places, until)
        finally:
            consumer.close()
    except kafka.errors.KafkaError as error:
        raise PassingFault(f"Kafka at {broker.bootstrap_servers} did not give records: {error!r}") from error


def _consumer(broker: Broker, places: Mapping[Any, LogPartition], start: Mapping[LogPartition, int]) -> Any:
    consumer = kafka.KafkaConsumer(
        **broker.client_options("dropfix-replay"),
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_poll_records=BATCH_RECORDS,
        metrics_enabled=False,
    )
    consumer.assign(list(places))
    for tp, place in places.items():
        consumer.seek(tp, start[place])
    return consumer


def _batches(
    consumer: Any, places: Mapping[Any, LogPartition], until: Mapping[LogPartition, int]
) -> Iterator[list[Record]]:
    waiting = set(places)
    while waiting:
        for tp, raw in consumer.poll(timeout_ms=POLL_MS).items():
            wanted = [record_of(each, places[tp].topic) for each in raw if each.offset < until[places[tp]]]
            if wanted and tp in waiting:
                yield wanted
        done = {tp for tp in waiting if (consumer.position(tp) or 0) >= until[places[tp]]}
        consumer.pause(*done)
        waiting -= done
