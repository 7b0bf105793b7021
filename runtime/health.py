"""Health means progress: a service is alive while it gets on with what there is to do.

A service reports what it processed and how far behind it is; the watchdog ends a process that has work and does not
get on. `/healthz` says whether the process should live, `/readyz` whether it does its work now.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

STALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What `/readyz` and `dropfix status` show. Ages in seconds, by the machine's monotonic clock."""

    service: str
    alive: bool
    ready: bool
    reasons: tuple[str, ...]
    lag: int
    processed: int
    seconds_since_progress: float
    detail: Mapping[str, object]


@dataclass
class Health:
    """The progress of one process; safe to use from several threads."""

    service: str
    stall_seconds: float = STALL_SECONDS
    now: Callable[[], float] = monotonic
    _lock: Lock = field(default_factory=Lock, repr=False)
    _lag: dict[str, int] = field(default_factory=dict, repr=False)
    _processed: int = 0
    _progress_at: float = 0.0
    _waiting: dict[str, str] = field(default_factory=lambda: {"start": "starting"}, repr=False)
    _detail: dict[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._progress_at = self.now()

    def progressed(self, records: int = 0) -> None:
        """Something was done; `records` of it were records."""
        with self._lock:
            self._processed += records
            self._progress_at = self.now()

    def behind(self, what: str, records: int) -> None:
        """How many records of `what` (a topic's partition) are still to be processed."""
        with self._lock:
            if records <= 0:
                self._lag.pop(what, None)
                return
            if not self._lag:
                self._progress_at = self.now()  # there was nothing to do until now
            self._lag[what] = records

    def forget(self, what: str) -> None:
        """A partition that is another worker's now."""
        with self._lock:
            self._lag.pop(what, None)

    def waits(self, what: str, reason: str) -> None:
        """Not ready, and why: `what` names the thing, so that `resumes` can take it back."""
        with self._lock:
            self._waiting[what] = reason

    def resumes(self, what: str = "start") -> None:
        """What was waited for is there."""
        with self._lock:
            if self._waiting.pop(what, None) is not None:
                self._progress_at = self.now()

    def note(self, name: str, value: object) -> None:
        """A detail to show beside the rest."""
        with self._lock:
            self._detail[name] = value

    def report(self) -> HealthReport:
        """The state now."""
        with self._lock:
            idle = self.now() - self._progress_at
            stalled = bool(self._lag) and idle > self.stall_seconds
            reasons = list(self._waiting.values())
            if stalled:
                reasons.append(f"{sum(self._lag.values())} records behind and no progress for {idle:.0f} s")
            return HealthReport(
                service=self.service,
                alive=not stalled,
                ready=not reasons,
                reasons=tuple(reasons),
                lag=sum(self._lag.values()),
                processed=self._processed,
                seconds_since_progress=round(idle, 1),
                detail=dict(self._detail),
            )
