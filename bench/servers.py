"""The servers that benchmarks run against: what the environment names, else an embedded stack of this run alone."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.embedded.state import read_state

Tell = Callable[[str], None]
START_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Kafka's address, and a database address that may create databases."""

    kafka: str
    database: str

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The address of an empty database; dropped afterwards."""
        name = f"bench_{uuid4().hex[:12]}"
        with psycopg.connect(self.database, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            parts = conninfo_to_dict(self.database)
            credentials = f"{parts.get('user', '')}:{parts.get('password', '')}"
            yield f"postgresql://{credentials}@{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{name}"
        finally:
            with psycopg.connect(self.database, autocommit=True) as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def choose_servers(tell: Tell) -> Iterator[Servers]:
    """The servers of this run."""
    kafka, database = os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), os.environ.get("DATABASE_URL")
    if kafka and database:
        yield Servers(kafka, database)
        return
    with tempfile.TemporaryDirectory(prefix="dropfix-bench-") as folder:
        tell("starting Kafka and PostgreSQL")
        stack = subprocess.Popen(
            [sys.executable, "-m", "deploy.embedded", folder], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        try:
            addresses = _wait_running(stack, Path(folder))
            yield Servers(kafka or addresses["kafka"], database or addresses["database"])
        finally:
            stack.send_signal(signal.SIGTERM)
            stack.wait(60)


def _wait_running(stack: "subprocess.Popen[bytes]", folder: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if stack.poll() is not None:
            raise RuntimeError(f"the embedded stack ended with code {stack.returncode}; try python -m deploy.embedded")
        report = read_state(folder)
        if report is not None and report.state == "running":
            return dict(report.addresses)
        time.sleep(0.1)
    raise RuntimeError(f"the embedded stack was not ready within {START_SECONDS:.0f} s")
