"""What can go wrong, sorted by what is to be done about it.

PipelineError
 ├─ BadRecord           this record cannot be processed: it goes to the dead-letter topic, the partition moves on
 ├─ PassingFault        it will pass: the batch is retried in place with backoff, the partition is held
 └─ Fatal               the process ends at once and starts again from PostgreSQL
     ├─ Gap             offsets are missing that no erasure wrote down
     ├─ LogReplaced     the log is not the one the offsets belong to: cut, or made anew
     ├─ OffsetExpired   the next record is gone from a topic that is kept for ever
     ├─ DeadLetterFlood too many dead letters in a short time: the fault is not in the records
     ├─ SlotLost        another process holds this worker's slot
     └─ Stalled         there is lag and nothing moves

Whatever else a core, a store or a library raises is treated like Fatal.
"""


class PipelineError(Exception):
    """Base of everything that `pipeline` raises."""


class BadRecord(PipelineError):
    """A record that cannot be processed, ever. `reason` is for a person: what is wrong and where, never a secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PassingFault(PipelineError):
    """Something outside is away for a while; nothing was written, and the same call may go through later."""


class Fatal(PipelineError):
    """The process must end; nothing of the open transaction was written."""


class Gap(Fatal):
    """A record came whose offset is above the one expected."""

    def __init__(self, *, topic: str, partition: int, expected: int, found: int) -> None:
        super().__init__(f"{topic}/{partition}: expected offset {expected}, found {found}")
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.found = found


class LogReplaced(Fatal):
    """The topic was cut or made anew since the offsets in PostgreSQL were written."""


class OffsetExpired(Fatal):
    """The log of a topic that is kept for ever begins after the next offset."""


class DeadLetterFlood(Fatal):
    """The limit on the rate of dead letters is reached."""


class SlotLost(Fatal):
    """The slot this worker leased belongs to another process now."""


class Stalled(Fatal):
    """There is lag, and no record was processed for too long."""
