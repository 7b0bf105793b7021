"""The three pages of a process: `/healthz`, `/readyz` and `/metrics`, on a thread of their own."""

import json
from contextlib import suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime.errors import RuntimeFault
from runtime.health import Health

Answer = tuple[int, str, bytes]


def answer_to(path: str, health: Health) -> Answer | None:
    """(status, content type, body) of a health page; None where the path is none."""
    match path.partition("?")[0]:
        case "/healthz":
            report = health.report()
            return (200 if report.alive else 503), "application/json", json.dumps(asdict(report)).encode()
        case "/readyz":
            report = health.report()
            return (200 if report.ready else 503), "application/json", json.dumps(asdict(report)).encode()
        case "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        case _:
            return None


class HealthServer:
    """Serves the pages until stopped. `port` 0 takes a free one; `address` says which."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(health))
        except OSError as error:
            raise RuntimeFault(
                f"{health.service} cannot listen on {host}:{port} ({error.strerror}); "
                "set DROPFIX_HTTP_PORT to a free port"
            ) from error
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(1.0,), name="health", daemon=True)

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answer_to(self.path, health) or (404, "text/plain", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # whoever asked has gone: this process was slow to answer
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Health checks are no news."""

    return Handler
