"""Failpoints are strict about their setting, and nothing without it."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = "from pipeline.failpoints import failpoint\nfor _ in range(3): failpoint('here'); print('passed', flush=True)"


def _run(setting: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DROPFIX_FAILPOINTS": setting}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize(("setting", "passed"), [("here=kill", 0), ("here=kill@3", 2), ("elsewhere=kill", 3), ("", 3)])
def test_a_process_dies_at_the_time_that_was_named(setting: str, passed: int) -> None:
    ended = _run(setting)
    assert ended.stdout.count("passed") == passed
    assert ended.returncode == (-signal.SIGKILL if passed < 3 else 0)


def test_a_frozen_process_goes_on_by_itself() -> None:
    ended = _run("here=freeze:0.3@2")
    assert (ended.stdout.count("passed"), ended.returncode) == (3, 0)
    assert "failpoint here: freeze" in ended.stderr


@pytest.mark.parametrize("setting", ["here", "here=explode", "here=freeze", "here=kill:3", "=kill"])
def test_a_setting_that_means_nothing_is_refused(setting: str) -> None:
    ended = _run(setting)
    assert ended.returncode != 0
    assert "DROPFIX_FAILPOINTS" in ended.stderr
