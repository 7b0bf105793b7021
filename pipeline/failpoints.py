"""Named places where a test makes the process die or freeze.

`DROPFIX_FAILPOINTS` arms them: `after_commit=kill`, `after_commit=kill@3` (the third time it is reached),
`before_commit=freeze:12` (stops the process as SIGSTOP does; seconds until it goes on), several separated by commas.
Without the variable a failpoint is one look into an empty dictionary.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

VARIABLE = "DROPFIX_FAILPOINTS"
NAMES = (
    "after_fence",
    "before_commit",
    "after_commit",
    "relay_before_send",
    "relay_after_send",
    "relay_before_commit",
    "relay_after_commit",
    "timers_before_commit",
    "timers_after_commit",
    "assigned",
    "hint",
)
"""The failpoints of the pipeline itself; a service may have more of its own."""


@dataclass
class _Armed:
    action: str
    seconds: float
    countdown: int


def _parse(setting: str) -> dict[str, _Armed]:
    armed = {}
    for item in filter(None, (part.strip() for part in setting.split(","))):
        name, _, rest = item.partition("=")
        rest, _, nth = rest.partition("@")
        action, _, seconds = rest.partition(":")
        if not name or action not in {"kill", "freeze"} or (action == "freeze") != bool(seconds):
            raise ValueError(f"{VARIABLE}: {item!r} is not NAME=kill, NAME=kill@N or NAME=freeze:SECONDS")
        armed[name] = _Armed(action, float(seconds or 0), int(nth or 1))
    return armed


_armed = _parse(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Does nothing, unless `DROPFIX_FAILPOINTS` armed this name: then the process dies or freezes right here."""
    if _armed and (found := _armed.get(name)):
        found.countdown -= 1
        if found.countdown == 0:
            _strike(name, found)


def _strike(name: str, armed: _Armed) -> None:
    sys.stderr.write(f"failpoint {name}: {armed.action}\n")
    sys.stderr.flush()
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    # Only another process can wake a stopped one.
    wake = f"sleep {armed.seconds}; kill -CONT {os.getpid()}"
    subprocess.Popen(["/bin/sh", "-c", wake], start_new_session=True)
    os.kill(os.getpid(), signal.SIGSTOP)
