"""Where records come from: one seam, several sources, one conformance suite.

A source joins the group, says what it was assigned, seeks where it is told, and delivers batches of one partition in
the order of their offsets. It may deliver a stretch twice, and after a rebalance it may deliver what is no longer
its own: the fence sorts that out. It never skips, and it never lets Kafka's offset move on its own.
"""

from collections.abc import Collection, Mapping, Sequence
from threading import Event
from typing import Protocol

from pipeline.records import LogPartition, Record

BATCH_RECORDS = 1000
"""At most so many records are in one transaction: more is no faster, and holds its locks longer."""

SESSION_TIMEOUT_MS = 8_000
HEARTBEAT_MS = 1_000
MAX_POLL_INTERVAL_MS = 60_000
METADATA_MAX_AGE_MS = 30_000
"""How late a partition can be noticed that was not there, or not known, when the group was balanced."""
RETRY_SECONDS = (0.1, 0.3, 1.0, 3.0)
"""How long a batch waits after its first, second … passing fault; the last for all that follow."""


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row (at least one)."""
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]


class Sink(Protocol):
    """What a source delivers to. All calls come from one thread, one after the other."""

    def assigned(self, places: Collection[LogPartition]) -> Mapping[LogPartition, int]:
        """These are ours now: where each goes on. Blocks while the log is checked; raises PassingFault or Fatal."""

    def revoked(self, places: Collection[LogPartition]) -> None:
        """These are no longer ours."""

    def batch(self, records: Sequence[Record]) -> None:
        """Records of one partition, at least one. Raises PassingFault: deliver them again later; or Fatal."""

    def tick(self) -> None:
        """To be called between batches and while there are none, several times a second. Raises Fatal."""

    def hints(self) -> Mapping[LogPartition, int]:
        """The offsets that Kafka may be told since the last call: applied, and what they caused is published."""


class Source(Protocol):
    """A way to consume. `run` ends when `stopping` is set, or raises what ended it."""

    def run(self, sink: Sink, stopping: Event) -> None: ...
