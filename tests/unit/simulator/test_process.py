"""The command: one line of JSON, a clock file, a port in use, and a quiet end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.clock import FileClock
from simulator.errors import SetupError

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--customers", "50", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def ask(ready: dict[str, Any], path: str) -> Any:
    headers = {"Authorization": f"Bearer {ready['keys']['full']}"}
    return httpx.get(f"{ready['address']}{path}", headers=headers, timeout=20).json()


def test_it_prints_where_it_is_and_its_keys_and_ends_on_sigterm(start: Start) -> None:
    process = start("--prefix", "/stripe")
    ready = first_line(process)
    assert ready["address"].endswith("/stripe")
    assert len(ask(ready, "/v1/customers?limit=100")["data"]) >= 49
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert errors == ""
    assert process.returncode in {0, -signal.SIGTERM}


def test_the_same_seed_and_anchor_give_the_same_account_again(start: Start) -> None:
    first = first_line(start("--anchor", "2026-11-01T00:00:00Z", "--clock", "manual"))
    second = first_line(start("--anchor", "2026-11-01T00:00:00Z", "--clock", "manual"))
    assert (first["keys"], first["account"]) == (second["keys"], second["account"])
    path = "/v1/customers?limit=100"
    assert ask(first, path) == ask(second, path)


def test_a_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert str(port) in errors
    assert "--port" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "options", [("--anchor", "yesterday"), ("--clock", "/nowhere/clock.json"), ("--customers", "0"), ("--days", "0")]
)
def test_a_setting_that_cannot_be_used_is_told_in_a_sentence(start: Start, options: tuple[str, ...]) -> None:
    process = start(*options)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors
    assert "Traceback" not in errors


def write(path: Path, simulated: str, rate: float) -> None:
    real = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    written = path.with_suffix(".new")
    written.write_text(json.dumps({"real": real, "simulated": simulated, "rate": rate}))
    written.replace(path)


def test_a_clock_file_sets_the_time_and_its_change_is_seen(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write(path, "2026-09-01T00:00:00Z", 0)
    ready = first_line(start("--clock", str(path)))
    assert ready["anchor"] == 1_788_220_800
    write(path, "2026-09-20T00:00:00Z", 0)
    clock = httpx.get(f"{ready['address']}/_clock", timeout=20).json()
    assert (clock["now"], clock["kind"]) == (1_789_862_400, "file")
    assert httpx.post(f"{ready['address']}/_clock", json={"advance": 1}, timeout=20).status_code == 409


def test_a_clock_file_that_breaks_leaves_the_last_time_in_force(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write(path, "2026-09-01T00:00:00Z", 0)
    clock = FileClock(path)
    path.write_text("{")
    assert clock.now() == 1_788_220_800
    path.unlink()
    assert clock.now() == 1_788_220_800
    with pytest.raises(SetupError):
        FileClock(path)


def test_a_rate_makes_time_pass(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write(path, "2026-09-01T00:00:00Z", 3600)
    clock = FileClock(path)
    before = clock.now()
    os.utime(path)
    time.sleep(0.05)
    assert clock.now() > before
