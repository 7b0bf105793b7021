"""A poller as a process of its own on the real Kafka and PostgreSQL, and a connection that it reads."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString
from uuid import uuid4

import psutil
import psycopg

from bench.servers import Servers
from runtime.kafka import Broker, create_topics
from runtime.migrations import migrate
from runtime.vault import Keyring, PrivateKey
from services.console.schema import MIGRATIONS as CONSOLE
from services.poller.app import TOPICS
from services.poller.schema import MIGRATIONS as POLLER

WORKSPACE = "ws_bench"
START_SECONDS = 60.0


@dataclass(frozen=True)
class ConnectedPoller:
    """The poller that is measured, and its database as the administrator sees it."""

    process: psutil.Process
    database: psycopg.Connection[tuple[Any, ...]]
    keyring: Keyring

    def rows(self, statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        return self.database.execute(statement, parameters).fetchall()

    def connect(self, key: str) -> str:
        """Submit a key as the console does; the connection's id."""
        connection_id = f"con_{secrets.token_hex(8)}"
        sealed = self.keyring.public.seal(key.encode(), associated=b"stripe_key:" + connection_id.encode())
        self.database.execute(
            "INSERT INTO control.connections (connection_id, workspace_id, sealed_key, key_id, key_kind, key_hint,"
            " livemode_claimed, state, submitted_at)"
            " VALUES (%s, %s, %s, %s, 'restricted', 'rk_…', true, 'submitted', now())",
            (connection_id, WORKSPACE, sealed, self.keyring.public.key_id),
        )
        return connection_id

    def status(self, connection_id: str) -> dict[str, Any]:
        """What the card has; empty until the poller took the connection up."""
        found = self.rows("SELECT to_jsonb(s) FROM poller.connection_status s WHERE connection_id = %s", connection_id)
        return dict(found[0][0]) if found else {}

    def objects(self) -> int:
        """Objects whose record Kafka has acknowledged."""
        return int(self.rows("SELECT count(*) FROM poller.objects")[0][0])

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def connected_poller(servers: Servers, base: str, **environment: str) -> Iterator[ConnectedPoller]:
    """A poller with tables and topics of its own, ready for connections; `base` is where its Stripe is."""
    broker = Broker(servers.kafka, f"bench-{uuid4().hex[:8]}.")
    create_topics(broker, TOPICS)
    with servers.fresh_database() as database, TemporaryDirectory(prefix="dropfix-bench-") as folder:
        migrate(database, [CONSOLE, POLLER])
        private, vault = PrivateKey.generate(), Path(folder) / "vault"
        vault.write_text(private.encode())
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
            "DATABASE_URL": database,
            "DROPFIX_TOPIC_PREFIX": broker.prefix,
            "DROPFIX_VAULT_PRIVATE_KEYS": str(vault),
            "DROPFIX_LOG_LEVEL": "ERROR",
            "STRIPE_API_BASE": base,
        }
        process = subprocess.Popen([sys.executable, "-m", "services.poller"], env=os.environ | settings | environment)
        try:
            with psycopg.connect(database, autocommit=True) as conn:
                conn.execute("INSERT INTO control.workspaces VALUES (%s, 'Acme', now())", (WORKSPACE,))
                _wait_listening(conn, process)
                yield ConnectedPoller(psutil.Process(process.pid), conn, Keyring([private]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait_listening(conn: psycopg.Connection[tuple[Any, ...]], process: "subprocess.Popen[bytes]") -> None:
    """The poller is ready once it listens for connections; its consumer has had a moment to join its group."""
    deadline = time.monotonic() + START_SECONDS
    listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the poller ended with code {process.returncode}")
        if (row := conn.execute(listening).fetchone()) and row[0]:
            time.sleep(2.0)
            return
        time.sleep(0.05)
    raise RuntimeError(f"the poller was not ready within {START_SECONDS:.0f} s")
