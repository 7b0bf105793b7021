"""A consumer service as a process of its own on the real servers, and the records it is given."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from pipeline.records import Record
from runtime.clock import Anchor, write_clock
from runtime.kafka import Broker, Producer, create_topics
from runtime.migrations import ServiceSchema, migrate
from schemas.catalogue import RAW_TOPICS, Topic, dead_letter_topic, retry_topic
from tests.fixtures.counting import PATIENCE_SECONDS, eventually, plain_ends, plain_read


@dataclass
class Consumer:
    """The service of a schema in one test: its topics, its tables, its clock and its process."""

    schema: ServiceSchema
    inputs: Sequence[Topic]
    kafka: str
    prefix: str
    database: str
    folder: Path
    outputs: Sequence[Topic] = ()
    _process: subprocess.Popen[bytes] | None = None
    _starts: int = 0
    _now: datetime | None = None
    _producer: Producer | None = field(default=None, repr=False)

    def prepare(self, *, now: datetime) -> None:
        """Make topics and tables; simulated time stands at `now`."""
        name = self.schema.service
        own = (*self.inputs, *self.outputs, dead_letter_topic(name), retry_topic(name))
        create_topics(self._broker, list(dict.fromkeys((*RAW_TOPICS.values(), *own))))
        migrate(self.database, [self.schema])
        write_clock(self._clock, Anchor(real=datetime.now(UTC), simulated=now, rate=0))
        self._now = now
        self._producer = Producer(self._broker, client_id="test")

    def produce(self, records: Iterable[Record]) -> None:
        """Put records on their topics, and wait until Kafka has them."""
        assert self._producer is not None
        self._producer.settle(
            [
                self._producer.place(
                    record.topic,
                    partition=record.partition,
                    key=record.key or b"",
                    value=record.value,
                    headers=record.headers,
                )
                for record in records
            ]
        )

    def start(self, *, failpoints: str = "") -> None:
        environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "DATABASE_URL": self.database,
            "DROPFIX_TOPIC_PREFIX": self.prefix,
            "DROPFIX_CLOCK": str(self._clock),
            "DROPFIX_FAILPOINTS": failpoints,
        }
        self._starts += 1
        with (self.folder / f"{self._starts}.log").open("wb") as log:
            command = [sys.executable, "-m", f"services.{self.schema.service}"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait_for_end(self) -> int:
        """Wait until the process has ended by itself; its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        if self._producer is not None:
            self._producer.close()

    def settle(self) -> None:
        """Wait until everything on the topics is applied, what is due has run, and all is published."""
        try:
            eventually(f"{self.schema.service} has read everything", self._caught_up)
            eventually("no timer is due", lambda: self.rows(_DUE, self._now) == [(0,)])
            outbox = f"SELECT count(*) FROM {self.schema.schema}_io.outbox"
            eventually("the outbox is empty", lambda: self.rows(outbox) == [(0,)])
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

    def rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """As the database's administrator, in the service's schema."""
        options = f"-c search_path={self.schema.schema} -c timezone=UTC"
        with psycopg.connect(self.database, options=options) as connection:
            return connection.execute(statement, values).fetchall()

    def published(self, topic: Topic) -> list[Any]:
        """Every record of a topic, in the order of each partition."""
        return plain_read(self.kafka, self.prefix, [topic.name])

    def logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))

    @property
    def _broker(self) -> Broker:
        return Broker(self.kafka, prefix=self.prefix)

    @property
    def _clock(self) -> Path:
        return self.folder / "clock.json"

    def _caught_up(self) -> bool:
        reached = {(topic, partition): at for topic, partition, at in self.rows(_OFFSETS)}
        ends = plain_ends(self.kafka, self.prefix, [topic.name for topic in self.inputs])
        return all(reached.get(place, 0) >= end for place, end in ends.items())


_OFFSETS = "SELECT topic, partition, next_offset FROM offsets"
_DUE = "SELECT count(*) FROM timers WHERE due_at <= %s"
