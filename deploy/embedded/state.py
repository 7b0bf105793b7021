"""What is known of a stack from outside: the lock on its data folder, and the file that says what runs where.

A process is known by its id together with the time it started, since ids are used again.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from deploy.embedded.errors import DataDirBusy
from deploy.embedded.places import DataDir, write_whole
from deploy.embedded.process import MARK

TOLERANCE_SECONDS = 1.0
StackState = Literal["starting", "running", "stopping", "stopped"]
ProcessState = Literal["starting", "healthy", "unhealthy", "restarting", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that ran or runs: `started` is in Unix seconds."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """None where no such process lives."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Whether this very process still lives; another one with its id does not count, nor does a dead child."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return bool(abs(process.create_time() - self.started) < TOLERANCE_SECONDS)
        except psutil.Error:
            return False


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One process as the supervisor sees it."""

    name: str
    state: ProcessState
    identity: Identity | None
    restarts: int
    log: str
    health_url: str | None = None
    last_exit: int | None = None


@dataclass(frozen=True, slots=True)
class StackReport:
    """The stack as its supervisor sees it. `addresses` by what is there: kafka, database, mail, …"""

    state: StackState
    supervisor: Identity
    data_dir: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[ProcessReport, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)

    def process(self, name: str) -> ProcessReport:
        """The process of that name; raises KeyError."""
        return {process.name: process for process in self.processes}[name]

    @property
    def runs(self) -> bool:
        """Whether the supervisor that wrote this still lives."""
        return self.state != "stopped" and self.supervisor.alive


def write_state(data: DataDir, report: StackReport) -> None:
    """Replace the state file. It is for its owner alone: the database's address holds a password."""
    write_whole(data.state, json.dumps(asdict(report), indent=1) + "\n")


def read_state(root: Path) -> StackReport | None:
    """What the last supervisor wrote; None where none ever did or the file is damaged."""
    try:
        return _report(json.loads(DataDir(root).state.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _report(content: dict[str, Any]) -> StackReport:
    processes = tuple(
        ProcessReport(**{**process, "identity": _identity(process["identity"])}) for process in content["processes"]
    )
    return StackReport(**{**content, "supervisor": Identity(**content["supervisor"]), "processes": processes})


def _identity(content: dict[str, Any] | None) -> Identity | None:
    return Identity(**content) if content else None


@contextmanager
def held(data: DataDir) -> Iterator[None]:
    """Hold the data folder; raises DataDirBusy naming who has it. The kernel lets go when the process ends."""
    with data.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise DataDirBusy(
                f"a stack already runs in {data.root} (process {holder}); see `dropfix status`, stop it with Ctrl-C "
                "where it was started, or give this one another folder with --data-dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def orphans(data: DataDir) -> list[psutil.Process]:
    """Processes that an earlier supervisor of this folder left behind. Only whoever holds the folder may ask."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in ours and _marked(process, data)]


def _marked(process: psutil.Process, data: DataDir) -> bool:
    try:
        return bool(process.environ().get(MARK) == str(data.root))
    except (psutil.Error, OSError):
        return False


def end_orphans(data: DataDir, *, patience: float = 15.0) -> int:
    """Stop what an earlier supervisor left, by asking and then by force; returns how many there were."""
    left = orphans(data)
    for process in left:
        _unless_gone(process.terminate)
    _, stubborn = psutil.wait_procs(left, timeout=patience)
    for process in stubborn:
        _unless_gone(process.kill)
    psutil.wait_procs(stubborn, timeout=patience)
    return len(left)


def _unless_gone(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
