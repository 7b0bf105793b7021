"""The poller in one process with a simulated account: no network, no waiting, time that moves poll by poll.

Everything but four seams is the real thing, PostgreSQL included: requests reach the simulator's ASGI application
without a socket, records go into a list instead of Kafka, work in the database is done where it is asked for instead of
on threads, and requests are not paced, since simulated time stands while they are made.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import patch

import httpx
import psycopg
from psycopg import sql
from starlette.types import ASGIApp, Message, Scope

from runtime.database import Connection, Database
from runtime.errors import BrokerError
from runtime.kafka import Broker, Producer
from runtime.migrations import migrate
from runtime.settings import load_settings
from runtime.vault import Keyring, PrivateKey
from schemas.catalogue import RAW_TOPICS, Topic
from schemas.envelope import Headers
from services.console.schema import MIGRATIONS as CONSOLE
from services.poller import lease as leases
from services.poller.audit.audit import Audit
from services.poller.kinds import Kind
from services.poller.lease import Room
from services.poller.outside import Outside
from services.poller.reading.limits import Limits
from services.poller.reading.transport import StripeAddress, open_client
from services.poller.schema import MIGRATIONS as POLLER
from services.poller.session import Clients, Shell
from services.poller.settings import Settings
from services.poller.work import Work
from simulator.app import Simulator
from simulator.clock import ManualClock

T = TypeVar("T")
ADDRESS = "http://127.0.0.1:9"
WORKSPACE = "ws_1"
_KINDS = {topic.name: cast(Kind, kind) for kind, topic in RAW_TOPICS.items()}


@dataclass(frozen=True, slots=True)
class Logged:
    """A raw record as the log has it."""

    kind: Kind
    key: str
    id: str
    version: int
    value: bytes
    change: str


@dataclass(frozen=True, slots=True)
class _Placed:
    raw: bool
    partition: int = 0
    offset: int = 0

    def get(self, timeout: float | None = None) -> "_Placed":
        return self


@dataclass
class MemoryLog:
    """Takes the place of a producer. `keep` is given every raw record; of the next `lose_next` groups of raw ones the
    acknowledgement is lost, though they are in the log: what a crash between publishing and committing leaves."""

    keep: Callable[[Logged], object]
    lose_next: int = 0
    records: int = 0

    def send(self, topic: Topic, *, subject: str, key: str, value: bytes | None, headers: Headers) -> _Placed:
        return self.place(topic.name, partition=0, key=key.encode(), value=value, headers=headers)

    def place(self, topic: str, *, partition: int, key: bytes, value: bytes | None, headers: Headers) -> _Placed:
        self.records += 1
        if (kind := _KINDS.get(topic)) is not None:
            said = {name: text.decode() for name, text in headers}
            version, change = int(said["ce_objectversion"]), said["ce_change"]
            self.keep(Logged(kind, key.decode(), said["ce_id"], version, value or b"", change))
        return _Placed(raw=kind is not None, partition=partition)

    def settle(self, acknowledgements: Sequence[Any], *, timeout: float = 60.0) -> None:
        if self.lose_next and any(each.raw for each in acknowledgements):
            self.lose_next -= 1
            raise BrokerError("the acknowledgement was lost")

    def close(self, *, timeout: float = 5.0) -> None:
        """There is nothing to let go of."""


class _MemoryOutside(Outside):
    """One connection, used on the loop itself: each piece of work is still one transaction."""

    def __init__(self, database: Database, log: MemoryLog) -> None:
        super().__init__(database, Broker("nowhere:9"))
        self._log = log
        self._connection = database.connect()

    def open(self) -> None:
        """It is open from the beginning."""

    def close(self) -> None:
        self._connection.close()

    async def run(self, work: Callable[[Connection], T]) -> T:
        try:
            done = work(self._connection)
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        return done

    @property
    def producer(self) -> Producer:
        return cast(Producer, self._log)


class _InProcess(httpx.AsyncBaseTransport):
    """Hands a GET to an application: httpx's own, less what it looks at in every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, parts = 500, list[tuple[bytes, bytes]](), list[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                parts.append(message.get("body", b""))

        await self._app(_scope_of(request), receive, send)
        return httpx.Response(status, headers=headers, content=b"".join(parts))


def _scope_of(request: httpx.Request) -> Scope:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


class _InProcessClients(Clients):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(25.0)
        self._app = app

    def of(self, address: StripeAddress) -> httpx.AsyncClient:
        if address not in self._open:
            self._open[address] = open_client(address, inner=_InProcess(self._app))
        return self._open[address]


class _Unpaced(Limits):
    """Requests may be sent at once."""

    def reserve(self, endpoint: str, now: float) -> float:
        return now


@dataclass
class SteppedClock:
    """Domain time that stands until it is moved; `at` in Unix seconds."""

    at: int
    rate: float = 1.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def machine_now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class PolledAccount:
    """One connected account and the poller that reads it. `polls` counts polls after the first sync; `ahead` are the
    seconds by which the server's clock is ahead of the poller's."""

    simulator: Simulator
    clock: SteppedClock
    work: Work
    shell: Shell
    log: MemoryLog
    admin: psycopg.Connection
    connection_id: str
    polls: int = 0
    ahead: int = 0
    _loop: asyncio.Runner = field(default_factory=asyncio.Runner)

    @property
    def now(self) -> int:
        return self.clock.at

    def move_to(self, at: int) -> None:
        """Let time pass for the poller and the server; the company lives on when it is next asked, or told to."""
        self.clock.at = at
        cast(ManualClock, self.simulator.clock).set(at + self.ahead)

    def poll(self) -> None:
        """One turn of the connection, if it is due: its first sync, or a poll. What it asked is written down."""
        self.run(self._poll())

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Run work on the poller's loop, on which its connections live."""
        self._loop.run(work)

    async def _poll(self) -> None:
        for lease in await self.shell.outside.run(
            lambda conn: leases.take_leases(conn, owner="in process", now=self.clock.now(), room=Room(1, 1))
        ):
            await self.work.work(lease)
            self.polls += lease.synced
        await self.shell.audit.flush()

    def said(self) -> dict[str, Any]:
        """What the connection's card shows."""
        found: dict[str, Any] = self.rows("SELECT to_jsonb(s) FROM poller.connection_status AS s")[0][0]
        return found

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the poller's database, as its administrator sees them."""
        cursor = self.admin.execute(cast(Any, statement), parameters)
        return list(cursor.fetchall()) if cursor.description else []

    def forget_pauses(self) -> None:
        """After a failure the connection is taken up at the next turn, whatever the machine's time."""
        self.rows("UPDATE poller.connections SET retry_at = NULL")

    def close(self) -> None:
        self._loop.run(self.shell.clients.close())
        self._loop.close()
        self.shell.outside.close()
        self.admin.close()


@contextmanager
def polled_account(
    simulator: Simulator,
    *,
    admin_url: str,
    folder: Path,
    keep: Callable[[Logged], object],
    app: ASGIApp | None = None,
    key: str = "disputes",
    ahead: int = 0,
    connection_id: str | None = None,
    fill: Callable[[psycopg.Connection, str], None] | None = None,
    must_sync: bool = True,
) -> Iterator[PolledAccount]:
    """A poller with tables of its own in the fresh database at `admin_url`, the account's key submitted and its first
    sync made; `keep` gets every raw record; the server's clock is `ahead` seconds of the poller's. `app` stands before
    the simulator's, where requests are to be seen; `fill` writes into the poller's tables, by the connection's id, what
    is to be there before the first turn; a first sync that does not succeed is an error where it `must_sync`. When its
    polls are follows from `connection_id`; None is another every time.
    """
    migrate(admin_url, [CONSOLE, POLLER])
    _write_soon(admin_url)
    private = PrivateKey.generate()
    (folder / "vault").write_text(private.encode())
    keyring = Keyring([private])
    connection_id = connection_id or f"con_{secrets.token_hex(8)}"
    _submit(admin_url, keyring, connection_id, simulator.keys.named(key).secret)
    log = MemoryLog(keep)
    outside = _MemoryOutside(Database(admin_url, schema="poller", application="dropfix-poller"), log)
    outside.open()
    clock = SteppedClock(simulator.clock.now() - ahead)
    shell = Shell(outside, _settings(admin_url, folder), clock, Audit(outside), _InProcessClients(app or simulator.app))
    admin = psycopg.connect(admin_url, autocommit=True)
    account = PolledAccount(simulator, clock, Work(shell, keyring), shell, log, admin, connection_id, ahead=ahead)
    try:
        with patch("services.poller.session.Limits", _Unpaced):
            with psycopg.connect(admin_url) as db:
                db.execute("SET search_path = poller")
                leases.discover(db, now=clock.now())
                if fill is not None:
                    fill(db, connection_id)
            for _ in ("its key is validated", "it is synced"):
                account.poll()
            if must_sync and not account.rows("SELECT synced FROM poller.connections")[0][0]:
                said = account.rows("SELECT state, reason FROM poller.connection_status")
                raise RuntimeError(f"the first sync did not succeed: {said}")
            yield account
    finally:
        account.close()


def _settings(admin_url: str, folder: Path) -> Settings:
    return load_settings(
        Settings,
        database_url=admin_url,
        kafka_bootstrap_servers="nowhere:9",
        stripe_api_base=ADDRESS,
        vault_private_keys=folder / "vault",
    )


def _write_soon(admin_url: str) -> None:
    """No commit waits for the disk: nothing of the database outlives its block."""
    with psycopg.connect(admin_url, autocommit=True) as db:
        name = sql.Identifier(db.info.dbname)
        db.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))


def _submit(admin_url: str, keyring: Keyring, connection_id: str, key: str) -> None:
    sealed = keyring.public.seal(key.encode(), associated=b"stripe_key:" + connection_id.encode())
    with psycopg.connect(admin_url) as db:
        db.execute("INSERT INTO control.workspaces VALUES (%s, 'Acme', now())", (WORKSPACE,))
        db.execute(
            "INSERT INTO control.connections (connection_id, workspace_id, sealed_key, key_id, key_kind, key_hint,"
            " livemode_claimed, state, submitted_at)"
            " VALUES (%s, %s, %s, %s, 'restricted', 'rk_test_…', false, 'submitted', now())",
            (connection_id, WORKSPACE, sealed, keyring.public.key_id),
        )
