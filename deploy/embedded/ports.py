"""Free ports of the loopback."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

LOOPBACK = "127.0.0.1"


class PortClaims:
    """Ports that this process has promised to what it is about to start, so that no other stack is given them.

    Each is a lock on a file, which the kernel gives up when the process ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"dropfix-ports-{os.getuid()}"
        self._locks = ExitStack()

    def __enter__(self) -> "PortClaims":
        self._folder.mkdir(exist_ok=True, mode=0o700)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._locks.close()

    def claim(self, port: int) -> bool:
        """Promise a port; False where it is promised already."""
        lock = (self._folder / str(port)).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._locks.enter_context(lock)
        return True


def is_free(port: int) -> bool:
    """Whether somebody could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_ports(
    names: Iterable[str], *, wanted: Mapping[str, int], claim: Callable[[int], bool] = lambda _: True
) -> dict[str, int]:
    """A free port for each name: the wanted one where it is still free, so that addresses survive a restart.

    `claim` says of a free port whether it may be had.
    """
    chosen: dict[str, int] = {}
    with ExitStack() as probes:  # held until all are chosen: no port is given out twice
        for name in names:
            port = wanted.get(name, 0)
            if not (port and port not in chosen.values() and is_free(port) and claim(port)):
                port = _any_port(probes, claim)
            chosen[name] = port
    return chosen


def _any_port(probes: ExitStack, claim: Callable[[int], bool]) -> int:
    while True:
        probe = probes.enter_context(socket.socket())
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        if claim(port):
            return port
