"""`docs/running.md`: the blocks that are marked as run are run, in their order, on servers of their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.embedded.database import programs
from deploy.embedded.ports import choose_ports
from tests.fixtures.servers import database_address
from tests.fixtures.stacks import StackProcess, wait_for

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "running.md").read_text()
BLOCK = re.compile(r"^```sh run(?P<background> background)?\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)
METRIC = re.compile(r"\bdropfix_(?!owner|poller|console|operator|analyst|mirror)[a-z_]+")
PORT = "8102"


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the page, in a folder of their own."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def secured_tables(self, address: str) -> set[str]:
        """Tables of a database whose rows only their workspace's analyst sees."""
        with psycopg.connect(self.environment[address]) as db:
            rows = db.execute(
                "SELECT schemaname || '.' || tablename FROM pg_policies WHERE policyname = 'own_workspaces'"
            )
            return {name for (name,) in rows}

    @contextmanager
    def running(self, script: str, ready: str) -> Iterator[None]:
        """The block as a process, once it is ready; it must end well when it is asked to."""
        with (self.folder / "service.log").open("wb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", script.replace("dropfix service", "exec dropfix service")],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            wait_for("the service is ready", lambda: process.poll() is not None or is_ready(ready), seconds=90)
            assert process.poll() is None, (self.folder / "service.log").read_text()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def is_ready(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def reader(own_stack: StackProcess, tmp_path: Path) -> Reader:
    """Servers as the page describes them: an owner without superuser's rights, an empty database."""
    superuser, kafka = own_stack.addresses["database"], own_stack.addresses["kafka"]
    with psycopg.connect(superuser, autocommit=True) as admin:
        admin.execute("CREATE ROLE dropfix_owner LOGIN CREATEROLE PASSWORD 'owner'")
        admin.execute("ALTER DATABASE dropfix OWNER TO dropfix_owner")
        admin.execute("CREATE DATABASE empty OWNER dropfix_owner")
    host = superuser.rpartition("@")[2].partition("/")[0]
    owner = f"postgresql://dropfix_owner:owner@{host}/dropfix"
    folder = tmp_path / "reader"
    folder.mkdir()
    shim = folder / "dropfix"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
    shim.chmod(0o755)
    environment = {
        "PATH": f"{folder}:{programs()}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "OWNER_URL": owner,
        "EMPTY_URL": database_address(owner, "empty"),
        "DATABASE_HOST": host,
    }
    return Reader(folder, environment)


def test_what_the_page_says_can_be_done(reader: Reader) -> None:
    port = str(choose_ports(("mirror",), wanted={})["mirror"])
    page = PAGE.replace(PORT, port)
    (service,) = [found for found in BLOCK.finditer(page) if found["background"]]
    blocks = [found for found in BLOCK.finditer(page) if not found["background"]]
    for block in blocks:
        if block.start() < service.start():
            reader.run(block["script"])
    with reader.running(service["script"], f"http://127.0.0.1:{port}/readyz"):
        said = [reader.run(block["script"]) for block in blocks if block.start() > service.start()]
    assert any("dropfix_lag_records" in each for each in said)
    assert "mrr_by_customer" in said[-1]
    restored, original = reader.secured_tables("EMPTY_URL"), reader.secured_tables("OWNER_URL")
    assert restored == original != set()


def test_every_metric_that_the_page_names_is_there() -> None:
    named = {found.group() for found in METRIC.finditer(PAGE)}
    sources = [path.read_text() for room in ("runtime", "services", "pipeline") for path in (ROOT / room).rglob("*.py")]
    assert len(named) > 6
    assert {name for name in named if not any(f'"{name}"' in source for source in sources)} == set()
