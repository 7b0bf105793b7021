"""Free ports of the loopback."""

import socket
from collections.abc import Iterable, Mapping

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether somebody could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_ports(names: Iterable[str], *, wanted: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the wanted one where it is still free, so that addresses survive a restart."""
    chosen: dict[str, int] = {}
    probes: list[socket.socket] = []
    try:
        for name in names:
            port = wanted.get(name, 0)
            if port and port not in chosen.values() and is_free(port):
                chosen[name] = port
                continue
            probe = socket.socket()
            probes.append(probe)  # held until all are chosen: no port is given out twice
            probe.bind((LOOPBACK, 0))
            chosen[name] = probe.getsockname()[1]
    finally:
        for probe in probes:
            probe.close()
    return chosen
