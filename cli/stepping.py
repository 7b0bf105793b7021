"""Time that steps: above 60 times real time the clock stands until all work is done, then jumps ahead.

Running that fast would let a service see an hour pass in the middle of a batch. So the clock stands while records
lag, outboxes hold rows, an email can go or something is due, and jumps to the next thing that is to happen, an hour at
most.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from cli.left import Left, Looker
from runtime.clock import Anchor, write_clock

RUNS_UP_TO = 60.0
LONGEST_STEP = timedelta(hours=1)
LOOK_SECONDS = 0.05


def next_step(now: datetime, left: Left, *, longest: timedelta = LONGEST_STEP) -> datetime:
    """Where to jump: the next thing that is to happen, `longest` ahead at most, and always ahead."""
    furthest = now + longest
    if left.next_due is None or left.next_due <= now:
        return furthest
    return min(furthest, left.next_due)


class SteppingClock:
    """Drives a clock file, as fast as the work gets done and at most `speed` simulated seconds in a second."""

    def __init__(self, path: Path, looker: Looker, *, speed: float) -> None:
        self._path = path
        self._looker = looker
        self._speed = speed
        self._stopping = Event()

    async def run(self) -> None:
        """Step until cancelled."""
        try:
            while True:
                await asyncio.to_thread(self.step)
        finally:
            self._stopping.set()

    def run_until(self, instant: datetime) -> None:
        """Step to an instant and do all that is to be done there."""
        while self.now < instant:
            self.step(latest=instant)
        self._settled(self.now)

    def step(self, *, latest: datetime | None = None) -> None:
        """Wait until nothing is left to do, then jump; not beyond `latest`."""
        now, began = self._stand(), time.monotonic()
        ahead = next_step(now, self._settled(now))
        ahead = ahead if latest is None else min(ahead, latest)
        took = time.monotonic() - began
        if not self._stopping.wait(max(0.0, (ahead - now).total_seconds() / self._speed - took)):
            self._set(ahead)
            self._looker.wake()

    @property
    def now(self) -> datetime:
        """Simulated time."""
        return Anchor.decode(self._path.read_text()).at(datetime.now(UTC))

    def _stand(self) -> datetime:
        """Stand where time is, if it runs."""
        anchor, now = Anchor.decode(self._path.read_text()), self.now
        if anchor.rate:
            self._set(now)
        return now

    def _set(self, simulated: datetime) -> None:
        write_clock(self._path, Anchor(real=datetime.now(UTC), simulated=simulated, rate=0.0))

    def _settled(self, now: datetime) -> Left:
        while not (left := self._looker.look(now)).nothing and not self._stopping.wait(LOOK_SECONDS):
            pass
        return left
