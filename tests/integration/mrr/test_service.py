"""mrr as it runs: a process of its own between a real Kafka and a real PostgreSQL, killed and started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import kafka
import pytest

from pipeline.records import Record
from pipeline.worker import SourceName
from runtime.kafka import Broker, Producer, create_topics
from runtime.migrations import migrate
from schemas.catalogue import MRR_MOVEMENT, dead_letter_topic, retry_topic, topic_named
from services.mrr.processor import INPUTS
from services.mrr.schema import MIGRATIONS
from simulator.company.life import Growth
from simulator.company.periods import DAY
from simulator.founding import Company, found
from simulator.truth.report import mrr_by_customer
from tests.fixtures.stacks import wait_for
from tests.integration.mrr.tables import by_customer, query, standing, standing_of
from tests.unit.mrr.build import START, item, subscription
from tests.unit.mrr.feed import Feed, raw_record
from tests.unit.mrr.replay import Replay

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PASSWORD = "only-for-tests"
TOPICS = [*INPUTS, MRR_MOVEMENT, dead_letter_topic("mrr"), retry_topic("mrr")]


@dataclass
class Service:
    """The process under test, and the log that it reads."""

    url: str
    broker: Broker
    log: Path
    environment: dict[str, str]
    records: list[Record] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Service":
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "services.mrr"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        return self

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)

    def publish(self, records: Iterable[Record]) -> None:
        producer = Producer(self.broker, client_id="test")
        for record in records:
            producer.settle(
                [
                    producer.place(
                        record.topic,
                        partition=record.partition,
                        key=record.key or b"",
                        value=record.value,
                        headers=record.headers,
                    )
                ]
            )
            self.records.append(record)
        producer.close()

    def applied(self) -> int:
        return int(query(self.url, "SELECT coalesce(sum(next_offset), 0) FROM mrr.offsets")[0][0])

    def settle(self) -> None:
        """Wait until every record is applied and everything that follows is published."""

        def done() -> bool:
            waiting = query(self.url, "SELECT count(*) FROM mrr_io.outbox")[0][0]
            return self.applied() == len(self.records) and waiting == 0

        self.wait_for("mrr has applied and published everything", done)

    def wait_for(self, what: str, holds: Callable[[], bool]) -> None:
        """Look until it holds. Fails once the process has ended, which nobody starts again here, and shows its log."""
        assert self.process is not None
        ended = self.process.poll
        try:
            wait_for(what, lambda: ended() is not None or holds(), seconds=200)
            assert ended() is None, f"mrr ended with code {ended()} before this held: {what}"
        except AssertionError as error:
            applied = f"{self.applied()} of {len(self.records)} records are applied"
            raise AssertionError(f"{error}\n{applied}\n{self.log.read_text()[-6000:]}") from error

    def published(self) -> list[str]:
        """The ids of the movements on the topic."""
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=self.broker.bootstrap_servers, enable_auto_commit=False, group_id=None
        )
        name = MRR_MOVEMENT.full_name(self.broker.prefix)
        places = [kafka.TopicPartition(name, number) for number in range(MRR_MOVEMENT.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[str] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                found += [json.loads(record.value)["movement_id"] for record in batch]
        consumer.close()
        return found


@pytest.fixture(params=["faust", "kafka-python"])
def service(
    request: pytest.FixtureRequest, database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> Iterator[Service]:
    """mrr with empty tables and topics, not started yet."""
    source: SourceName = request.param
    migrate(database_url, [MIGRATIONS], passwords={"mrr": PASSWORD})
    broker = Broker(kafka_bootstrap, topic_prefix)
    create_topics(broker, TOPICS)
    parts = urlsplit(database_url)
    own = urlunsplit((parts.scheme, f"dropfix_mrr:{PASSWORD}@{parts.netloc.rpartition('@')[2]}", *parts[2:]))
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "DROPFIX_TOPIC_PREFIX": topic_prefix,
        "DATABASE_URL": own,
        "DROPFIX_SOURCE": source,
    }
    made = Service(database_url, broker, tmp_path / "mrr.log", environment)
    yield made
    if made.process is not None and made.process.poll() is None:
        assert made.end(signal.SIGTERM) == 0, made.log.read_text()[-4000:]


@pytest.fixture
def company() -> Company:
    return found(seed=21, now=int(NOW.timestamp()), growth=Growth(customers=120))


def test_an_account_becomes_its_true_mrr_although_the_service_is_killed(service: Service, company: Company) -> None:
    records = list(Feed(company).backfill(invoices_since=company.world.now - 90 * DAY))
    half = len(records) // 2
    service.start().publish(records[:half])
    service.wait_for("some of it is applied", lambda: service.applied() > half // 4)
    service.end(signal.SIGKILL)
    service.publish(records[half:])
    service.start().settle()
    assert by_customer(service.url) == mrr_by_customer(company.record, company.ids, company.world.now)
    assert standing(service.url) == standing_of(Replay().take(service.records).tick(NOW))
    ids = [str(name) for (name,) in query(service.url, "SELECT movement_id FROM mrr.movements")]
    assert set(service.published()) == set(ids)


def test_a_poisoned_record_in_every_topic_ends_in_the_dead_letters_and_the_rest_goes_on(service: Service) -> None:
    no_currency = {"id": "in_1", "customer": "cus_1", "currency": "zzz", "subscription": "sub_1"}
    poison = [
        raw_record("subscription", subscription(item(quantity=-1), name="sub_bad"), at=START, version=1),
        raw_record("customer", {"id": "cus_1", "object": "customer", "discount": _too_much()}, at=START, version=2),
        raw_record("invoice", no_currency, at=START, version=3),
    ]
    service.start().publish([*poison, raw_record("subscription", subscription(), at=START, version=4)])
    service.settle()
    assert by_customer(service.url) == {"cus_1": {"usd": 1000}}
    topics = "SELECT topic FROM mrr_io.dead_letters ORDER BY 1"
    assert [topic for (topic,) in query(service.url, topics)] == sorted(topic_named(one.topic).name for one in poison)


def _too_much() -> dict[str, object]:
    return {"id": "di_1", "coupon": {"id": "c", "percent_off": 400, "duration": "forever"}}
