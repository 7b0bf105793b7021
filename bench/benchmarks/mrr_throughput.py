"""Raw records a second that mrr brings into PostgreSQL, by each source, one worker, next to Kafka and PostgreSQL.

The records are a first sync, in which nearly each one bears on a ledger: the dearest there is. Compared with what a
plain consumer of the same library reads in the same run, without doing anything with it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import kafka
import psycopg

from bench.accounts import account, raw_records
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from pipeline.worker import SourceName
from runtime.kafka import Broker, Producer, create_topics
from runtime.migrations import migrate
from schemas.catalogue import MRR_MOVEMENT, dead_letter_topic, retry_topic
from services.mrr.processor import GROUP, INPUTS
from services.mrr.schema import MIGRATIONS

CUSTOMERS = 8_000
GOALS: dict[SourceName, float] = {"faust": 4_000.0, "kafka-python": 8_000.0}
PATIENCE_SECONDS = 180.0


def run(servers: Servers, tell: Tell) -> Measurement:
    """Publish once, read plainly, then consume by each source into a database of its own."""
    broker = Broker(servers.kafka, prefix=f"bench-{uuid4().hex[:8]}.")
    create_topics(broker, (*INPUTS, MRR_MOVEMENT, dead_letter_topic(GROUP), retry_topic(GROUP)))
    count = _publish(broker)
    tell(f"published {count:,} raw records of {CUSTOMERS:,} customers")
    plain = _plain_rate(broker, count)
    rates: dict[str, float] = {}
    for source in GOALS:
        rates[source] = round(_rate(servers, broker, source, count))
        tell(f"{source} brings {rates[source]:,.0f} records/s into PostgreSQL")
    return Measurement(
        name="mrr_throughput",
        value=rates,
        unit="records/s",
        goal={str(source): goal for source, goal in GOALS.items()},
        compared_with={"plain kafka-python consumer": round(plain)},
    )


def _publish(broker: Broker) -> int:
    producer = Producer(broker, client_id="bench")
    sent = [
        producer.send(one.topic, subject=one.subject, key=one.key, value=one.value, headers=one.headers)
        for one in raw_records(account(CUSTOMERS))
    ]
    producer.settle(sent, timeout=120)
    producer.close()
    return len(sent)


def _plain_rate(broker: Broker, count: int) -> float:
    """Records a second that kafka-python reads and nobody looks at."""
    consumer = kafka.KafkaConsumer(**broker.client_options("bench"), enable_auto_commit=False, max_poll_records=1000)
    places = [
        kafka.TopicPartition(topic.full_name(broker.prefix), partition)
        for topic in INPUTS
        for partition in range(topic.partitions)
    ]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    read, began = 0, time.perf_counter()
    while read < count:
        read += sum(len(batch) for batch in consumer.poll(timeout_ms=500).values())
    seconds = time.perf_counter() - began
    consumer.close()
    return read / seconds


def _rate(servers: Servers, broker: Broker, source: SourceName, count: int) -> float:
    """Records a second from the first that are seen committed to the last, so that the start does not count."""
    with servers.fresh_database() as database:
        migrate(database, [MIGRATIONS])
        with _worker(servers, broker, database, source), psycopg.connect(database, autocommit=True) as connection:
            deadline = time.monotonic() + PATIENCE_SECONDS
            first: tuple[int, float] | None = None
            while time.monotonic() < deadline:
                applied = _applied(connection)
                if first is None and applied:
                    first = (applied, time.perf_counter())
                if first is not None and applied >= count:
                    return (applied - first[0]) / (time.perf_counter() - first[1])
                time.sleep(0.05)
    raise RuntimeError(f"{source} did not get through {count:,} records in {PATIENCE_SECONDS:.0f} s")


def _applied(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM mrr.offsets").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _worker(servers: Servers, broker: Broker, database: str, source: SourceName) -> Iterator[None]:
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "DATABASE_URL": database,
        "DROPFIX_TOPIC_PREFIX": broker.prefix,
        "DROPFIX_SOURCE": source,
        "DROPFIX_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.mrr"], env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
