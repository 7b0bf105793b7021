"""`dropfix demo` as a newcomer runs it: the first minute, what it leaves behind, and the next start."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.places import DataDir
from deploy.embedded.state import orphans
from tests.fixtures.stacks import wait_for
from tests.fixtures.system import RunningDropFix, dropfix

CONDITIONS = ["tracked users", "payments failed in 30 days", "subscriptions lapsed in 30 days", "MRR"]
SERVICES = {"poller", "mirror", "mrr", "detector", "console"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that no process outlives."""
    yield tmp_path / "demo"
    for process in orphans(DataDir(tmp_path / "demo")):
        process.kill()


def demo(folder: Path) -> RunningDropFix:
    """A demo that shows its dashboard's address, which is when its account is connected."""
    running = RunningDropFix.begin(folder, "demo", "--headless", "--customers", "120")
    running.wait_started()
    wait_for("the demo is presented", lambda: "Dashboard" in running.output, seconds=60)
    return running


def synced(running: RunningDropFix) -> bool:
    return running.rows("SELECT synced FROM poller.connections") == [(True,)] and running.lag() == 0


def test_the_first_minute_of_the_demo_shows_the_truth(folder: Path) -> None:
    ended = dropfix("demo", "--check", "--json", "--customers", "300", "--data-dir", str(folder))
    assert ended.code == 0, ended.errors
    assert [condition["name"] for condition in ended.json] == CONDITIONS
    for condition in ended.json:
        assert condition["holds"], condition
        assert condition["shown"] == condition["truth"]
    assert ended.json[0]["shown"] not in {"0", "None"}
    assert orphans(DataDir(folder)) == []


def test_a_demo_tells_its_state_stops_without_a_trace_and_goes_on_where_it_was(folder: Path) -> None:
    first = demo(folder)
    wait_for("the account was read", lambda: synced(first))
    told = dropfix("status", "--json", "--data-dir", str(folder))
    assert told.code == 0, told.errors
    assert told.json["addresses"].keys() >= {"console", "kafka", "database", "mail", "smtp", "simulator"}
    processes = {process["name"]: process for process in told.json["processes"]}
    assert processes.keys() >= SERVICES | {"kafka", "postgres", "mail", "simulator"}
    assert [name for name in SERVICES if processes[name]["lag"] != 0 or not processes[name]["ready"]] == []
    assert all(process["memory_pss_bytes"] > 0 for process in processes.values())

    busy = dropfix("demo", "--headless", "--data-dir", str(folder))
    assert busy.code == 1
    assert f"a stack already runs in {folder}" in busy.errors
    assert "Traceback" not in busy.errors

    account = json.loads((folder / "demo.json").read_text())
    connections = first.rows("SELECT connection_id FROM control.connections")
    customers = first.rows("SELECT count(*) FROM analytics.customers")
    assert first.stop(signal.SIGINT) == 0
    assert orphans(DataDir(folder)) == []
    assert dropfix("status", "--data-dir", str(folder)).code == 3

    second = demo(folder)
    assert json.loads((folder / "demo.json").read_text()) == account
    assert second.rows("SELECT connection_id FROM control.connections") == connections
    assert second.rows("SELECT count(*) FROM analytics.customers") >= customers > [(0,)]
    wait_for("everything works", lambda: not second.unready(), seconds=30)
    assert second.stop(signal.SIGTERM) == 0
    assert orphans(DataDir(folder)) == []
