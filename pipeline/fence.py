"""The fence: which records of a batch are new, judged one by one against the offset in PostgreSQL.

Checking a batch's first record alone is not enough: after a rebalance a batch can hold the same stretch twice.
"""

from collections.abc import Sequence

from pipeline.errors import Gap
from pipeline.records import Record

ErasedRanges = Sequence[tuple[int, int]]
"""First and last offset, both included, of what an erasure took out of one partition."""


def admit(records: Sequence[Record], expected: int, erased: ErasedRanges = ()) -> list[Record]:
    """The records that were never applied, in order; `expected` is the next offset of their partition.

    Records below it are dropped. Raises Gap at a record above it, unless every offset between was erased.
    """
    fresh = []
    for record in records:
        if record.offset > expected:
            expected = _across(record, expected, erased)
        if record.offset == expected:
            fresh.append(record)
            expected += 1
    return fresh


def _across(record: Record, expected: int, erased: ErasedRanges) -> int:
    """The record's own offset, if all that lies between was erased."""
    if covers(erased, expected, record.offset):
        return record.offset
    raise Gap(topic=record.topic, partition=record.partition, expected=expected, found=record.offset)


def covers(erased: ErasedRanges, first: int, end: int) -> bool:
    """Whether every offset from `first` up to, not including, `end` was erased."""
    for low, high in sorted(erased):
        if low <= first <= high:
            first = high + 1
    return first >= end
