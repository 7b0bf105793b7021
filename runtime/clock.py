"""The clock: every process takes the time from here.

`now()` is domain time: what rules about days and deadlines go by. `machine_now()` is the machine's: leases,
time-outs, sessions, freshness. They differ only where a clock file makes simulated time run at another rate.
The file is JSON: `{"real": RFC 3339, "simulated": RFC 3339, "rate": number}`; simulated time is the second anchor
plus `rate` times what has passed since the first. It is re-read when it changes.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from runtime.errors import SettingsError


class Clock(Protocol):
    """Where time comes from. Both methods give aware UTC datetimes."""

    def now(self) -> datetime:
        """Domain time."""
        ...

    def machine_now(self) -> datetime:
        """The machine's time."""
        ...

    @property
    def rate(self) -> float:
        """Seconds of domain time in a second of the machine's."""
        ...


class RealClock:
    """Domain time is the machine's."""

    rate = 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def machine_now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A pair of instants that coincide, and how fast simulated time runs from there; rate 0 stands still."""

    real: datetime
    simulated: datetime
    rate: float

    def at(self, machine_now: datetime) -> datetime:
        """The simulated time at an instant of the machine's."""
        return self.simulated + (machine_now - self.real) * self.rate

    def encode(self) -> str:
        return json.dumps({"real": self.real.isoformat(), "simulated": self.simulated.isoformat(), "rate": self.rate})

    @classmethod
    def decode(cls, text: str) -> "Anchor":
        """Raises ValueError or KeyError where the text is not an anchor."""
        content = json.loads(text)
        real, simulated = (datetime.fromisoformat(content[name]) for name in ("real", "simulated"))
        if real.tzinfo is None or simulated.tzinfo is None:
            raise ValueError("both instants need a zone")
        return cls(real=real.astimezone(UTC), simulated=simulated.astimezone(UTC), rate=float(content["rate"]))


class FileClock:
    """Simulated time by a clock file that several processes share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._anchor = self._load()

    @property
    def rate(self) -> float:
        return self._current().rate

    def now(self) -> datetime:
        return self._current().at(self.machine_now())

    def machine_now(self) -> datetime:
        return datetime.now(UTC)

    def _current(self) -> Anchor:
        """The anchor in force. The file is asked each time: who is woken because time moved must see that it did."""
        status = self._path.stat()
        if (status.st_mtime_ns, status.st_ino) != self._stamp:
            self._anchor = self._load()
        return self._anchor

    def _load(self) -> Anchor:
        try:
            status = self._path.stat()
            anchor = Anchor.decode(self._path.read_text())
        except OSError as error:
            raise SettingsError(f"the clock file {self._path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"the clock file {self._path} is not a clock: {error}") from error
        self._stamp = (status.st_mtime_ns, status.st_ino)
        return anchor


def write_clock(path: Path, anchor: Anchor) -> None:
    """Replace a clock file whole, so that no reader sees half of it."""
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(anchor.encode())
    beside.replace(path)


def clock_from(setting: str) -> Clock:
    """The clock that the setting `DROPFIX_CLOCK` names: `real`, or a file."""
    return RealClock() if setting == "real" else FileClock(Path(setting))
