"""Records a second into PostgreSQL, by the one transaction, with a core that counts; each source, one worker.

Compared with what a plain consumer reads in the same run, without doing anything with it, and with the same figure
per second of the worker's own CPU: on a busy machine the two drift apart.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import kafka
import psutil
import psycopg
from psycopg import sql

from bench.counting import GROUP, INPUTS, MIGRATIONS, OUTPUT
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from pipeline.worker import SourceName
from runtime.kafka import Broker, Producer, create_topics
from runtime.migrations import migrate
from schemas.catalogue import dead_letter_topic, retry_topic
from schemas.envelope import Envelope

RECORDS = 100_000
KEYS = 20_000
RECORD_BYTES = 1_000
GOALS: dict[SourceName, float] = {"faust": 6_000.0, "kafka-python": 25_000.0}
PATIENCE_SECONDS = 120.0
TOPIC = INPUTS[0]


def run(servers: Servers, tell: Tell) -> Measurement:
    """Produce once, read plainly, then consume by each source into a database of its own."""
    broker = Broker(servers.kafka, prefix=f"bench-{uuid4().hex[:8]}.")
    create_topics(broker, (*INPUTS, OUTPUT, dead_letter_topic(GROUP), retry_topic(GROUP)))
    tell(f"producing {RECORDS:,} records of {RECORD_BYTES:,} bytes about {KEYS:,} keys")
    _produce(broker)
    plain = _plain_rate(broker)
    tell(f"a plain consumer reads {plain:,.0f} records/s")
    rates: dict[str, float] = {}
    compared: dict[str, float] = {"plain kafka-python consumer": round(plain)}
    for source in GOALS:
        consumed = _consume(servers, broker, source)
        rates[source] = round(consumed.rate)
        compared[f"{source}, per second of its CPU"] = round(consumed.rate_of_cpu)
        tell(f"{source} brings {consumed.rate:,.0f} records/s into PostgreSQL")
    return Measurement(
        name="pipeline",
        value=rates,
        unit="records/s",
        goal={str(source): goal for source, goal in GOALS.items()},
        compared_with=compared,
    )


def _produce(broker: Broker) -> None:
    producer = Producer(broker, client_id="bench")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, RECORDS, 10_000):
        producer.settle([_send(producer, n, start) for n in range(first, first + 10_000)])
    producer.close()


def _send(producer: Producer, n: int, start: datetime) -> Any:
    subject = f"con_bench/cus_{n * 7919 % KEYS}"
    envelope = Envelope(
        id=f"bench-{n}",
        source="bench",
        type=TOPIC.name,
        time=start + timedelta(milliseconds=n),
        subject=subject,
        workspace_id="w",
    )
    value = json.dumps({"n": n % 100, "ballast": "x" * (RECORD_BYTES - 30)}).encode()
    return producer.send(TOPIC, subject=subject, key=f"{subject}#{n}@1", value=value, headers=envelope.headers())


def _plain_rate(broker: Broker) -> float:
    """Records a second that kafka-python reads and nobody looks at."""
    consumer = kafka.KafkaConsumer(**broker.client_options("bench"), enable_auto_commit=False, max_poll_records=1000)
    places = [kafka.TopicPartition(TOPIC.full_name(broker.prefix), partition) for partition in range(TOPIC.partitions)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    read, began = 0, time.perf_counter()
    while read < RECORDS:
        read += sum(len(batch) for batch in consumer.poll(timeout_ms=500).values())
    seconds = time.perf_counter() - began
    consumer.close()
    return read / seconds


@dataclass(frozen=True, slots=True)
class _Consumed:
    """Records and what they took; `cpu_seconds` of the worker alone, which a busy machine does not change much."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.records / self.seconds

    @property
    def rate_of_cpu(self) -> float:
        return self.records / self.cpu_seconds


def _consume(servers: Servers, broker: Broker, source: SourceName) -> _Consumed:
    """From the first records that are seen committed to the last, so that the start does not count."""
    with servers.fresh_database() as database:
        migrate(database, [MIGRATIONS])
        with (
            _worker(servers, broker, database, source) as worker,
            psycopg.connect(database, autocommit=True) as connection,
        ):
            deadline = time.monotonic() + PATIENCE_SECONDS
            while (first := _applied(connection)) == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
            began, cpu = time.perf_counter(), _cpu_seconds(worker)
            while time.monotonic() < deadline:
                if (applied := _applied(connection)) >= RECORDS:
                    return _Consumed(applied - first, time.perf_counter() - began, _cpu_seconds(worker) - cpu)
                time.sleep(0.05)
    raise RuntimeError(f"{source} did not get through {RECORDS:,} records in {PATIENCE_SECONDS:.0f} s")


def _cpu_seconds(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return float(times.user + times.system)


def _applied(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    statement = sql.SQL("SELECT coalesce(sum(next_offset), 0) FROM {}").format(sql.Identifier(GROUP, "offsets"))
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _worker(servers: Servers, broker: Broker, database: str, source: SourceName) -> Iterator[psutil.Process]:
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "DATABASE_URL": database,
        "DROPFIX_TOPIC_PREFIX": broker.prefix,
        "DROPFIX_SOURCE": source,
        "DROPFIX_ALARMS": "false",
        "DROPFIX_LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen([sys.executable, "-m", "bench.counting"], env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
