"""A poller as a process of its own, a Stripe-compatible server in this one, and what passed between them."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString, cast
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from psycopg.sql import Composed
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.clock import Anchor, write_clock
from runtime.kafka import Broker, create_topics
from runtime.migrations import migrate
from runtime.vault import Keyring, PrivateKey
from schemas.catalogue import RAW_TOPICS, Topic
from schemas.envelope import Envelope, parse_envelope
from services.console.schema import MIGRATIONS as CONSOLE
from services.poller.app import TOPICS
from services.poller.kinds import KINDS, OBJECTS, Kind
from services.poller.reading.pages import ReadObject, read_page
from services.poller.reading.queries import Query, encode
from services.poller.schema import MIGRATIONS as POLLER
from simulator.app import ServerSettings, Simulator, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found
from simulator.server import running
from tests.fixtures.counting import plain_read
from tests.fixtures.stacks import wait_for

PASSWORD = "only-for-tests"
WORKSPACE = "ws_1"


class Recorder:
    """Keeps the bodies that the server sent, so that a record can be found in what was really sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            parts.append(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, keep)
        with self._lock:
            self.bodies.append(b"".join(parts))


class Nameless:
    """A server that does not say whose key it is: no page of the account, and nothing that names it."""

    def __init__(self, app: ASGIApp, account_id: str) -> None:
        self._app = app
        self._account_id = account_id.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mask(message: Message) -> None:
            if "body" in message:
                message["body"] = message["body"].replace(self._account_id, b"-" * len(self._account_id))
            await send(message)

        if scope["path"] == "/v1/account":
            scope = {**scope, "path": "/v1/nowhere"}
        await self._app(scope, receive, mask)


@dataclass
class Account:
    """A simulated account behind a real address."""

    address: str
    simulator: Simulator
    recorder: Recorder

    def key(self, name: str = "full") -> str:
        return self.simulator.keys.named(name).secret

    @property
    def now(self) -> int:
        return self.simulator.clock.now()

    def advance(self, seconds: int) -> None:
        """Let the company live on."""
        httpx.post(f"{self.address}/_clock", json={"advance": seconds}, timeout=60).raise_for_status()

    def fail(self, **wanted: object) -> None:
        """Let things go wrong; without arguments everything is in order again."""
        httpx.post(f"{self.address}/_faults", json=wanted, timeout=10).raise_for_status()

    @property
    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.address}/_stats", timeout=10).json()
        return found

    def listing(self, kind: Kind) -> dict[str, ReadObject]:
        """Every object of a kind, read whole, as an independent client sees it."""
        filters = {"status": "all"} if kind == "subscription" else {}
        query = Query(kind, filters=filters, expand=frozenset(OBJECTS[kind].belongs))
        key = self.key("disputes")
        listed: dict[str, ReadObject] = {}
        after: str | None = None
        while True:
            url = f"{self.address}{query.path}?{encode(query.parameters(after=after))}"
            answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
            if answer.status_code == 429:
                continue
            page = read_page(answer.content, kind, query.expand_in_list)
            listed.update({found.id: found for found in page.listed})
            if not page.has_more or page.oldest is None:
                return listed
            after = page.oldest.id


def account(
    *,
    customers: int = 60,
    days: int = 60,
    seed: int = 5,
    settings: ServerSettings | None = None,
    nameless: bool = False,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> Iterator[Account]:
    """A company that lived up to now, served; its time moves when it is told to. `wrap` puts something before it."""
    now = int(datetime.now(UTC).timestamp())
    company = found(seed=seed, now=now, growth=Growth(customers=customers, days=days))
    simulator = simulate(company, clock=ManualClock(now), settings=settings)
    served: ASGIApp = Nameless(simulator.app, company.ids.account) if nameless else simulator.app
    recorder = Recorder(wrap(served))
    with running(replace(simulator, app=cast(Any, recorder))) as address:
        yield Account(address, simulator, recorder)


@dataclass(frozen=True)
class Published:
    """A record of a raw topic."""

    kind: Kind
    envelope: Envelope
    key: str
    value: bytes
    partition: int
    offset: int


@dataclass
class RunningPoller:
    """The poller under test, its database as the administrator sees it, and its topics."""

    admin_url: str
    broker: Broker
    base: str
    folder: Path
    keyring: Keyring
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def prepare(cls, *, admin_url: str, kafka_bootstrap: str, prefix: str, base: str, folder: Path) -> "RunningPoller":
        """Tables, topics, a keyring, and a clock that stands at the present."""
        migrate(admin_url, [CONSOLE, POLLER], passwords={"poller": PASSWORD})
        broker = Broker(kafka_bootstrap, prefix)
        create_topics(broker, TOPICS)
        private = PrivateKey.generate()
        (folder / "vault").write_text(private.encode())
        poller = cls(admin_url, broker, base, folder, Keyring([private]))
        poller.run_time(1.0)
        poller.rows("INSERT INTO control.workspaces VALUES (%s, 'Acme', now())", WORKSPACE)
        return poller

    def run_time(self, rate: float) -> None:
        """Let the poller's simulated time pass at a rate, from the present on."""
        now = datetime.now(UTC)
        write_clock(self.folder / "clock", Anchor(real=now, simulated=now, rate=rate))

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "DROPFIX_TOPIC_PREFIX": self.broker.prefix,
            "DATABASE_URL": urlunsplit((parts.scheme, f"dropfix_poller:{PASSWORD}@{host}", *parts[2:])),
            "DROPFIX_VAULT_PRIVATE_KEYS": str(self.folder / "vault"),
            "STRIPE_API_BASE": self.base,
            "DROPFIX_CLOCK": str(self.folder / "clock"),
            "DROPFIX_STRIPE_TIMEOUT_SECONDS": "2",
        }
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.poller"],
                env=os.environ | settings | environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the newest process; its exit code."""
        process = self.processes[-1]
        if process.poll() is None:
            process.send_signal(how)
        return process.wait(20)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def rows(self, statement: LiteralString | Composed, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.admin_url, autocommit=True) as db:
            cursor = db.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def connect(self, key: str, *, base: str | None = None) -> str:
        """Submit a key, sealed, as the console does; gives the connection's id."""
        connection_id = f"con_{secrets.token_hex(8)}"
        sealed = self.keyring.public.seal(key.encode(), associated=b"stripe_key:" + connection_id.encode())
        self.rows(
            "INSERT INTO control.connections (connection_id, workspace_id, sealed_key, key_id, key_kind, key_hint,"
            " livemode_claimed, api_base, state, submitted_at)"
            " VALUES (%s, %s, %s, %s, 'restricted', 'rk_test_…', %s, %s, 'submitted', now())",
            connection_id,
            WORKSPACE,
            sealed,
            self.keyring.public.key_id,
            "_live_" in key,
            base,
        )
        return connection_id

    def disconnect(self, connection_id: str) -> None:
        self.rows(
            "UPDATE control.connections SET state = 'ended', sealed_key = NULL, ended_at = now()"
            " WHERE connection_id = %s",
            connection_id,
        )

    def status(self, connection_id: str) -> dict[str, Any]:
        """The card's row; empty until the poller took the connection up."""
        found = self.rows(
            "SELECT to_jsonb(s) FROM poller.connection_status AS s WHERE connection_id = %s", connection_id
        )
        return dict(found[0][0]) if found else {}

    def wait(self, connection_id: str, *states: str, seconds: float = 60.0) -> dict[str, Any]:
        """The status once it is one of these."""
        self.until(
            f"the connection is {' or '.join(states)}; it is {self.status(connection_id)}",
            lambda: self.status(connection_id).get("state") in states,
            seconds=seconds,
        )
        return self.status(connection_id)

    def until(self, what: str, holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
        try:
            wait_for(what, holds, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-3000:]}") from None

    def ticks(self, connection_id: str) -> int:
        """Polls made so far."""
        return int(self.rows("SELECT tick FROM poller.connections WHERE connection_id = %s", connection_id)[0][0])

    def records(self) -> list[Published]:
        """Every record of the raw topics, in order within each partition."""
        return [record for kind in KINDS for record in self._records(kind)]

    def _records(self, kind: Kind) -> Iterator[Published]:
        for record in read_topic(self.broker, RAW_TOPICS[kind]):
            yield Published(
                kind,
                parse_envelope(record.headers),
                record.key.decode(),
                record.value,
                record.partition,
                record.offset,
            )

    def fingerprints(self, connection_id: str) -> dict[Kind, dict[str, str]]:
        """What the poller holds for the present state of each object that is not deleted."""
        found: dict[Kind, dict[str, str]] = {kind: {} for kind in KINDS}
        for kind, object_id, fingerprint in self.rows(
            "SELECT kind, object_id, fingerprint FROM poller.objects WHERE connection_id = %s AND NOT deleted",
            connection_id,
        ):
            found[cast(Kind, kind)][object_id] = fingerprint
        return found

    def calls(self) -> Counter[str]:
        """Requests by purpose."""
        return Counter(dict(self.rows("SELECT purpose, count(*) FROM analytics.api_calls GROUP BY purpose")))


def read_topic(broker: Broker, topic: Topic) -> list[Any]:
    """Every record of a topic, from its beginning to its present end."""
    return plain_read(broker.bootstrap_servers, broker.prefix, [topic.name])


def latest(records: list[Published]) -> dict[str, Published]:
    """Of each object the record with the highest version."""
    found: dict[str, Published] = {}
    for record in records:
        before = found.get(record.envelope.object_id)
        if before is None or version_of(record) > version_of(before):
            found[record.envelope.object_id] = record
    return found


def version_of(record: Published) -> int:
    return int(record.envelope.extra["objectversion"])


def content(record: Published) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(record.value)
    return parsed
