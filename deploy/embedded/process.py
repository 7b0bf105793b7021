"""One process of the stack: how it is started, told healthy and stopped."""

import asyncio
import http.client
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

MARK = "DROPFIX_STACK"
"""Set in the environment of every process of a stack to its data folder: how a new supervisor knows its orphans."""

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_TAIL_LINES = 12
PROBE_SECONDS = 3.0

Probe = Callable[[], Awaitable[bool]]
"""Whether a process is healthy now."""


PLAIN = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


def plain_environment() -> dict[str, str]:
    """What a program needs to run at all, and no setting of anybody."""
    return {name: os.environ[name] for name in PLAIN if name in os.environ}


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """What the supervisor is to keep running. Times in seconds.

    `environment` is all it is given: nothing of the supervisor's own gets to it by accident. `probe` says whether it
    is healthy; a process without one is healthy while it lives. `ready` says whether it does its work, where it can be
    healthy without: a start waits for that, or for a while of health. `user` is whom root lets it run as.
    `hopeless_exits` are exit codes that no restart cures, since its settings are wrong: it stays down. `health_url` is
    shown to whoever asks.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=plain_environment)
    probe: Probe | None = None
    ready: Probe | None = None
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    user: str = ""
    health_url: str | None = None
    hopeless_exits: frozenset[int] = frozenset({2})


def http_probe(url: str, *, accept: Callable[[int], bool] = lambda status: status < 400) -> Probe:
    """Healthy while GET `url` is answered with an accepted status."""
    parts = urlsplit(url)

    def ask() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", parts.path or "/")
            return accept(connection.getresponse().status)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    async def probe() -> bool:
        return await asyncio.to_thread(ask)

    return probe


def tcp_probe(host: str, port: int) -> Probe:
    """Healthy while somebody accepts connections there."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe


async def spawn(spec: ProcessSpec, *, log: Path, mark: str) -> asyncio.subprocess.Process:
    """Start it in a session of its own (a Ctrl-C is the supervisor's to pass on), its output added to `log`."""
    command = (
        *(sys.executable, "-I", "-S", str(LAUNCHER)),
        *(str(os.getpid()), str(int(spec.stop_signal)), spec.user, "--"),
        *spec.argv,
    )
    with log.open("ab") as output:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**spec.environment, MARK: mark},
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            process = await starting  # nobody would know of it
            _signal(process, signal.SIGKILL)
            await process.wait()
            raise


async def end(process: asyncio.subprocess.Process, spec: ProcessSpec) -> None:
    """Ask it to stop, and after `stop_seconds` make it."""
    if process.returncode is not None:
        return
    _signal(process, spec.stop_signal)
    try:
        async with asyncio.timeout(spec.stop_seconds):
            await process.wait()
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    try:
        process.send_signal(which)
    except ProcessLookupError:
        return  # it ended by itself meanwhile


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
