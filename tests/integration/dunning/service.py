"""Dunning as a process on the real servers, with a stand-in for the poller that answers requests for a fresh read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import kafka
import psycopg
from aiosmtpd.controller import Controller

from deploy.embedded.ports import LOOPBACK, choose_ports
from pipeline.records import Record
from runtime.clock import Anchor, write_clock
from runtime.kafka import Broker, Producer
from runtime.migrations import migrate
from schemas.catalogue import CONTROL_DECISION, DUNNING_EVENT, STRIPE_REFRESH_REQUEST, STRIPE_REFRESH_RESULT
from services.dunning.processor import INPUTS
from services.dunning.schema import MIGRATIONS
from tests.fixtures.counting import eventually
from tests.fixtures.mails import MailBox
from tests.integration.consumers import Consumer
from tests.unit.dunning.build import (
    CONNECTION,
    CUSTOMER,
    DAY,
    SENDER,
    START,
    customer,
    decision,
    invoice,
    raw,
    refresh_result,
    subscription,
)

OUTPUTS = (DUNNING_EVENT, CONTROL_DECISION, STRIPE_REFRESH_REQUEST, STRIPE_REFRESH_RESULT)


class Poller:
    """Answers every request: a little later, from `outcome` and `versions`, or not at all while `silent`."""

    def __init__(self, broker: Broker) -> None:
        self.outcome, self.silent = "unchanged", False
        self.versions: Mapping[str, int] = {}
        self.answered: list[dict[str, Any]] = []
        self._broker = broker
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        producer = Producer(self._broker, client_id="stand-in")
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=self._broker.bootstrap_servers, enable_auto_commit=False, group_id=None
        )
        name = STRIPE_REFRESH_REQUEST.full_name(self._broker.prefix)
        places = [kafka.TopicPartition(name, number) for number in range(STRIPE_REFRESH_REQUEST.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        while not self._stopping.is_set():
            for batch in consumer.poll(timeout_ms=100).values():
                for request in (json.loads(record.value) for record in batch):
                    if not self.silent:
                        self._answer(producer, request)
        consumer.close()
        producer.close()

    def _answer(self, producer: Producer, request: dict[str, Any]) -> None:
        record = refresh_result(
            request["request_id"], read_at=datetime.now(UTC), outcome=self.outcome, versions=self.versions
        )
        place(producer, record)
        self.answered.append(request)


def place(producer: Producer, record: Record) -> None:
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


@dataclass
class SmtpServer:
    """A mail server that gives each message the next of `replies` (`cut`: none at all), and 250 when there are none.
    A 5xx is given to the recipient."""

    replies: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: list[str]) -> str:  # noqa: N802
        self.conversations.append(address)
        if self.replies and self.replies[0].startswith("5"):
            return self.replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _: Any, envelope: Any) -> str:  # noqa: N802
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply == "cut":
            server.transport.abort()
        if reply.startswith("2"):
            self.taken.append(envelope.content)
        return reply

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address, for SMTP_URL."""
        port = choose_ports(("smtp",), wanted={})["smtp"]
        controller = Controller(self, hostname=LOOPBACK, port=port)
        controller.start()
        try:
            yield f"smtp://{LOOPBACK}:{port}"
        finally:
            controller.stop()


@dataclass
class Dunning(Consumer):
    """The service, its poller and its mail sink."""

    box: MailBox | None = None
    poller: Poller = field(init=False)
    _versions: int = 0

    def open(self) -> "Dunning":
        """Topics, tables, an armed workspace, and a customer with a subscription."""
        self.prepare(now=START - 10 * DAY)
        migrate(self.database, [MIGRATIONS], passwords={"dunning": PASSWORD})
        self.poller = Poller(self._broker)
        self.poller.start()
        armed = START - 30 * DAY
        self.produce(
            [
                decision("workspace.settings", {"name": "Acme Analytics"}, at=armed),
                decision("dunning.sender", SENDER, at=armed),
                decision("dunning.sending", {"mode": "on"}, at=armed),
            ]
        )
        self.see(customer(), at=START - 20 * DAY)
        self.see(subscription(), at=START - 20 * DAY)
        return self

    def start(self, *, failpoints: str = "") -> None:
        """As the service's own role, with what it may do."""
        admin, self.database = self.database, own_url(self.database)
        super().start(failpoints=failpoints)
        self.database = admin

    def see(self, obj: Mapping[str, Any], *, at: datetime, **options: Any) -> int:
        """The poller saw an object; gives the version."""
        self._versions += 1
        self.produce([raw(obj, at=at, version=self._versions, **options)])
        return self._versions

    def fail(self, name: str = "in_1", *, at: datetime = START, **options: Any) -> int:
        return self.see(invoice(name, failed_at=at), at=at + timedelta(minutes=5), **options)

    def pay(self, name: str = "in_1", *, at: datetime) -> int:
        return self.see(invoice(name, status="paid", closed_at=at), at=at)

    def decide(self, kind: str, detail: Mapping[str, Any] | None = None, *, at: datetime, name: str = "") -> None:
        self.produce(
            [decision(kind, {"customer_id": CUSTOMER, **(detail or {})}, at=at, name=name, connection=CONNECTION)]
        )

    def set_clock(self, now: datetime) -> None:
        """Simulated time stands at `now`."""
        write_clock(self.folder / "clock.json", Anchor(real=datetime.now(UTC), simulated=now, rate=0))
        self._now = now

    def until(self, what: str, holds: Any, *, seconds: float = 40) -> None:
        try:
            eventually(what, holds, seconds=seconds)
        except AssertionError as error:
            due = self.rows("SELECT episode_id, step, why FROM due")
            raise AssertionError(f"{error}\ndue: {due}\nledger: {self.ledger()}\n{self.logs()}") from error

    def mails(self) -> list[tuple[str, str]]:
        """(recipient, subject) of what the sink took, the oldest first."""
        assert self.box is not None
        return [(mail.recipients[0], mail.subject) for mail in reversed(self.box.mails)]

    def until_mails(self, count: int) -> list[tuple[str, str]]:
        """Wait until so many mails came, and were written down."""
        self.until(f"{count} mails came", lambda: len(self.mails()) >= count)
        self.until("what went is written down", lambda: not self.rows(_UNSETTLED))
        self.settle()
        assert len(self.mails()) == count
        return self.mails()

    def another(self) -> Consumer:
        """A second worker of the same service, started."""
        folder = self.folder / "another"
        folder.mkdir()
        (folder / "clock.json").write_bytes((self.folder / "clock.json").read_bytes())
        database = own_url(self.database)
        worker = Consumer(self.schema, self.inputs, self.kafka, self.prefix, database, folder, self.outputs)
        worker.start()
        return worker

    def woke(self) -> bool:
        """Whether a worker that was frozen went on, or found that it is none any more and ended."""
        assert self._process is not None
        return self._process.poll() is not None or "taken over by another process" in self.logs()

    def execute(self, *statements: LiteralString) -> None:
        """Change the tables behind the service's back."""
        with psycopg.connect(self.database, options="-c search_path=dunning") as connection:
            for statement in statements:
                connection.execute(statement)

    def waits_for(self) -> str | None:
        """What the only due email waits for; None where none is due."""
        rows = self.rows("SELECT why FROM due")
        return rows[0][0] if rows else None

    def ledger(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT step, attempt, state, tries, reply FROM dunning_io.mails ORDER BY announced_at")

    def episode(self) -> tuple[Any, ...]:
        """(state, reason, mailed) of the only one; Nones while there is none."""
        rows = self.rows("SELECT state, reason, mailed FROM analytics.dunning_episodes")
        return rows[0] if rows else (None, None, None)

    def events(self) -> list[str]:
        """What was published about episodes and emails, in order."""
        return [json.loads(record.value)["kind"] for record in self.published(DUNNING_EVENT)]

    def close(self) -> None:
        self.poller.stop()
        super().close()


def own_url(admin_url: str) -> str:
    """The database's address for the service's own role."""
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(netloc=f"dropfix_dunning:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"))


PASSWORD = "only-for-tests"
_UNSETTLED = "SELECT 1 FROM dunning_io.mails WHERE state = 'sending'"


def dunning_on(kafka_bootstrap: str, topic_prefix: str, database_url: str, folder: Path, box: MailBox) -> Dunning:
    return Dunning(MIGRATIONS, INPUTS, kafka_bootstrap, topic_prefix, database_url, folder, OUTPUTS, box=box)
