"""A console that runs: its own process on a real database and a real broker, and browsers that talk to it."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from runtime.kafka import Broker, create_topics
from runtime.migrations import migrate
from runtime.vault import Keyring, PrivateKey
from schemas.catalogue import CONTROL_DECISION, PRODUCT_IDENTIFY, PRODUCT_TRACK, Topic
from services.console.schema import MIGRATIONS
from services.detector.schema import MIGRATIONS as DETECTOR
from services.dunning.schema import MIGRATIONS as DUNNING
from services.mirror.schema import MIGRATIONS as MIRROR
from services.mrr.schema import MIGRATIONS as MRR
from services.poller.schema import MIGRATIONS as POLLER
from tests.fixtures.servers import ROLE_PASSWORD, TestServers, fresh_database

PASSWORD = "correct horse battery staple"
STRIPE_KEY = "rk_test_51PgC6tB7WZ01zgkWsecretPartOfTheKey4f2a"
UNSUBSCRIBE_KEY = b"the key that links are signed with"
SCHEMAS = [MIGRATIONS, POLLER, MIRROR, MRR, DETECTOR, DUNNING]
READY_WITHIN_S = 30.0
_FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


@dataclass
class Browser:
    """A browser of one person: keeps cookies, and sends a form as the page that holds it would."""

    client: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(path, **options)

    def form_token(self, page: str) -> str:
        """The token that forms of this page carry."""
        found = _FORM_TOKEN.search(self.get(page).text)
        assert found, f"{page} has no form"
        return unescape(found[1])

    def send(self, page: str, path: str, fields: dict[str, str]) -> httpx.Response:
        """Open `page`, then send the form that goes to `path`."""
        return self.client.post(path, data={"form_token": self.form_token(page), **fields})

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.send("/sign-in", "/sign-in", {"email": email, "password": password})

    def connect(self, key: str) -> httpx.Response:
        return self.send("/settings/integrations", "/settings/integrations/stripe", {"key": key})


@dataclass(frozen=True)
class Company:
    """A workspace with its first member, who is signed in."""

    workspace_id: str
    email: str
    write_key: str
    browser: Browser


@dataclass(frozen=True)
class Stored:
    """A connection as its row has it."""

    connection_id: str
    sealed_key: bytes | None
    key_hint: str
    state: str
    adopted_by: str | None


@dataclass
class RunningConsole:
    """The console under test, its database as the administrator sees it, its log, and the poller's keyring."""

    address: str
    environment: dict[str, str]
    admin_url: str
    broker: Broker
    keyring: Keyring
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    browsers: list[Browser] = field(default_factory=list)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.console"], env=self.environment, stderr=log, stdout=log
            )
        deadline = monotonic() + READY_WITHIN_S
        while not self._ready():
            assert self.process.poll() is None, self.log
            assert monotonic() < deadline, self.log
            sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(20)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def browser(self, **headers: str) -> Browser:
        """A browser at an address of its own, as the proxy tells it."""
        headers = {"X-Forwarded-For": f"198.51.{secrets.randbelow(250)}.{secrets.randbelow(250)}", **headers}
        browser = Browser(httpx.Client(base_url=self.address, headers=headers, timeout=20))
        self.browsers.append(browser)
        return browser

    @property
    def operator(self) -> Browser:
        """The local command line."""
        return self.browser(Authorization=f"Bearer {(self.folder / 'operator').read_text()}")

    @property
    def first_run_link(self) -> str:
        """The path of the link that the console wrote down."""
        return (self.folder / "first-run").read_text().strip().removeprefix(self.address)

    def company(self, name: str = "Acme") -> Company:
        """A new workspace."""
        email = f"{secrets.token_hex(6)}@example.com"
        made = self.operator.post("/api/setup", json={"workspace": name, "email": email, "password": PASSWORD})
        assert made.status_code == 201, made.text
        browser = self.browser()
        assert browser.sign_in(email).status_code == 303
        return Company(made.json()["workspace_id"], email, made.json()["write_key"], browser)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the database's administrator."""
        with psycopg.connect(self.admin_url, autocommit=True) as db:
            cursor = db.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def add(self, table: str, **columns: object) -> None:
        """Insert a row as the service that owns the table would."""
        values = [Jsonb(value) if isinstance(value, dict | list) else value for value in columns.values()]
        marks = ", ".join(["%s"] * len(columns))
        self.rows(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", *values)

    def connections(self, company: Company) -> list[Stored]:
        """The company's connections, the newest first."""
        found = self.rows(
            "SELECT connection_id, sealed_key, key_hint, state, adopted_by FROM control.connections"
            " WHERE workspace_id = %s ORDER BY submitted_at DESC",
            company.workspace_id,
        )
        return [Stored(*row) for row in found]

    def poller_says(self, company: Company, state: str, **said: object) -> str:
        """Answer as the poller would for the company's newest connection; its id."""
        connection_id = self.connections(company)[0].connection_id
        self.rows("DELETE FROM poller.connection_status WHERE connection_id = %s", connection_id)
        self.add(
            "poller.connection_status",
            connection_id=connection_id,
            workspace_id=company.workspace_id,
            state=state,
            connected_at="2026-11-24T12:00:00Z",
            updated_at="2026-11-24T12:00:00Z",
            **said,
        )
        return connection_id


@contextmanager
def console_on(servers: TestServers, folder: Path, *, topics: Sequence[Topic]) -> Iterator[RunningConsole]:
    """A console with a database and topics of its own, ready to be started; behind a proxy that is trusted."""
    prefix, private, port = f"t{secrets.token_hex(6)}.", PrivateKey.generate(), _free_port()
    broker = Broker(servers.kafka, prefix)
    with fresh_database(servers.database) as database_url:
        migrate(database_url, SCHEMAS, passwords={"console": ROLE_PASSWORD})
        create_topics(broker, topics)
        (folder / "unsubscribe").write_bytes(UNSUBSCRIBE_KEY)
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
            "DROPFIX_TOPIC_PREFIX": prefix,
            "DATABASE_URL": _as_console(database_url),
            "DROPFIX_HTTP_PORT": str(port),
            "DROPFIX_VAULT_PUBLIC_KEY": private.public.encode(),
            "DROPFIX_OPERATOR_TOKEN_FILE": str(folder / "operator"),
            "DROPFIX_FIRST_RUN_LINK_FILE": str(folder / "first-run"),
            "DROPFIX_UNSUBSCRIBE_KEY_FILE": str(folder / "unsubscribe"),
            "DROPFIX_TRUSTED_PROXIES": "127.0.0.1",
            "DROPFIX_LOG_LEVEL": "DEBUG",
        }
        console = RunningConsole(
            f"http://127.0.0.1:{port}", environment, database_url, broker, Keyring([private]), folder
        )
        yield console
        for browser in console.browsers:
            browser.client.close()
        if console.process is not None and console.process.poll() is None:
            assert console.stop() == 0, console.log


@pytest.fixture
def own_console(servers: TestServers, tmp_path: Path) -> Iterator[RunningConsole]:
    """A console of this test alone, without anybody in it, ready to be started."""
    with console_on(servers, tmp_path, topics=[CONTROL_DECISION]) as console:
        yield console


@pytest.fixture(scope="session")
def console(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console that runs, shared by tests that each bring companies of their own."""
    topics = [CONTROL_DECISION, PRODUCT_IDENTIFY, PRODUCT_TRACK]
    with console_on(servers, tmp_path_factory.mktemp("console"), topics=topics) as shared:
        shared.start()
        yield shared


@pytest.fixture
def company(console: RunningConsole) -> Company:
    """A workspace of this test alone on the shared console."""
    return console.company()


def _as_console(admin_url: str) -> str:
    """The address under the console's own role."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"dropfix_console:{ROLE_PASSWORD}@{host}", *parts[2:]))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
