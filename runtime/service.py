"""The frame of a service's process: signals, the health server, and an end that others can read.

    def main() -> int:
        return run_service(Settings, serve)

`serve(settings, frame)` runs until `frame.stopping` is set. Exit codes: 0 stopped as asked; 2 the settings are
wrong; 1 anything else, after one line that says what and where. The supervisor starts it again from PostgreSQL.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from types import FrameType
from typing import TypeVar

from runtime.clock import Clock, clock_from
from runtime.errors import RuntimeFault, SettingsError
from runtime.health import Health
from runtime.health_server import HealthServer
from runtime.logs import configure_logs, get_logger, redact
from runtime.metrics import expose_health
from runtime.settings import ServiceSettings, load_settings

S = TypeVar("S", bound=ServiceSettings)
WATCH_SECONDS = 2.0
GARBAGE_THRESHOLD = 10_000
"""Objects made, less those freed, before the youngest are searched for cycles; Python's own is 700."""
STALLED = 70
"""Exit code of a process that its watchdog ended: it had work and did not get on."""

log = get_logger(__name__)


@dataclass
class Frame:
    """What a service is given beside its settings."""

    clock: Clock
    health: Health
    stopping: Event = field(default_factory=Event)


def run_service(settings_type: type[S], serve: Callable[[S, Frame], None], *, own_http: bool = False) -> int:
    """Run one service to its end; returns the exit code. `own_http` leaves the health pages to the service itself."""
    try:
        settings = load_settings(settings_type)
        clock = clock_from(settings.clock)
    except SettingsError as error:
        sys.stderr.write(f"{redact(str(error))}\n")
        return 2
    configure_logs(service=settings.service, level=settings.log_level)
    frame = Frame(clock=clock, health=Health(settings.service))
    _stop_on_signals(frame)
    expose_health(frame.health)
    server = None if own_http else HealthServer(frame.health, settings.http_host, settings.http_port)
    try:
        if server is not None:
            server.start()
        _watch(frame)
        _collect_seldom()
        log.info("started", pid=os.getpid())
        serve(settings, frame)
    except RuntimeFault as error:
        log.error("ended", reason=str(error))
        return 1
    except Exception:
        log.exception("ended by a fault that nobody expected")
        return 1
    finally:
        frame.stopping.set()
        if server is not None:
            server.stop()
    log.info("stopped")
    return 0


def _collect_seldom() -> None:
    """Spare what was imported from every search for cycles, and search less often: batches of facts make none, and
    the searches cost a consumer a tenth of its time."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def _stop_on_signals(frame: Frame) -> None:
    def stop(_: int, __: FrameType | None) -> None:
        frame.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _watch(frame: Frame) -> None:
    """End the process at once when it has work and does not get on: a restart is the cure."""

    def watch() -> None:
        while not frame.stopping.wait(WATCH_SECONDS):
            report = frame.health.report()
            if not report.alive:
                log.error("ended by the watchdog", reasons=report.reasons, lag=report.lag)
                os._exit(STALLED)

    Thread(target=watch, name="watchdog", daemon=True).start()
