"""Partitions that are behind and do not get on, while others do: progress as a whole does not show them.

A client can stop fetching one partition and say nothing, and a group can be shared out so that nobody has it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from pipeline.records import LogPartition

STUCK_SECONDS = 300.0
"""How long a partition may wait for its turn while a long backlog of others is read."""


@dataclass
class Stragglers:
    """Remembers since when each partition stands where it is."""

    now: Callable[[], float] = monotonic
    _since: dict[LogPartition, tuple[int, float]] = field(default_factory=dict)

    def look(self, reached: Mapping[LogPartition, int], ends: Mapping[LogPartition, int]) -> set[LogPartition]:
        """Those of `ends` (the offset after the last record) that were behind for STUCK_SECONDS and have not moved.

        `reached` has the next offset of those that were ever taken up.
        """
        now = self.now()
        behind = {place: reached.get(place, 0) for place, end in ends.items() if reached.get(place, 0) < end}
        before, self._since = self._since, {}
        for place, offset in behind.items():
            stood = before.get(place)
            self._since[place] = stood if stood is not None and stood[0] == offset else (offset, now)
        return {place for place, (_, since) in self._since.items() if now - since >= STUCK_SECONDS}
