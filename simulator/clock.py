"""What time it is for the company."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from simulator.errors import SetupError


class Clock(Protocol):
    def now(self) -> int:
        """Simulated time, Unix seconds."""

    def describe(self) -> dict[str, object]:
        """For people: where this time comes from."""


class RealClock:
    """The machine's time."""

    def now(self) -> int:
        return int(time.time())

    def describe(self) -> dict[str, object]:
        return {"kind": "real"}


class ManualClock:
    """Stands until it is told otherwise (`POST /_clock`)."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def set(self, now: int) -> None:
        """Go to `now`; time never goes back."""
        self._now = max(self._now, now)

    def describe(self) -> dict[str, object]:
        return {"kind": "manual"}


class FileClock:
    """Time from a file that several processes share: `{"real": ..., "simulated": ..., "rate": 1.0}`.

    `real` and `simulated` are RFC 3339 instants that belong together; from there `rate` simulated seconds pass in a
    real one. The file is read again whenever it changes; what cannot be read leaves the last anchor in force.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._anchor = (0.0, 0.0, 1.0)
        if not self._refresh():
            raise SetupError(f"The clock file {path} is missing or is not {{real, simulated, rate}}.")

    def now(self) -> int:
        self._refresh()
        real, simulated, rate = self._anchor
        return int(simulated + (time.time() - real) * rate)

    def describe(self) -> dict[str, object]:
        return {"kind": "file", "path": str(self._path), "rate": self._anchor[2]}

    def _refresh(self) -> bool:
        try:
            stat = self._path.stat()
            if self._seen == (stat.st_mtime_ns, stat.st_ino):
                return True
            content = json.loads(self._path.read_bytes())
            self._anchor = (instant(content["real"]), instant(content["simulated"]), float(content["rate"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        self._seen = (stat.st_mtime_ns, stat.st_ino)
        return True


def instant(text: str) -> float:
    """Unix seconds of an RFC 3339 instant; one without a zone is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
