"""The simulator as a server: in this thread for the command line, in another for tests."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from simulator.app import Simulator
from simulator.errors import SetupError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises SetupError when the port is in use."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise SetupError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    sock.listen(128)
    return sock


def address_of(sock: socket.socket, prefix: str) -> str:
    host, port = sock.getsockname()[:2]
    path = prefix.strip("/")
    return f"http://{host}:{port}" + (f"/{path}" if path else "")


def server_of(simulator: Simulator) -> uvicorn.Server:
    """Quiet, and gone a second after it was told to stop, even while it hangs on purpose."""
    config = uvicorn.Config(
        simulator.app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return uvicorn.Server(config)


@contextmanager
def running(simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in another thread; gives the base address (prefix included, without `/v1`)."""
    sock = listen(host, port)
    server = server_of(simulator)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="simulator", daemon=True)
    thread.start()
    try:
        yield address_of(sock, simulator.settings.prefix)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        sock.close()
