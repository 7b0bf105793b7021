"""Which partition a subject lives on.

Every producer places a record by murmur2 of its *subject*, not of its key, so that all that is said of one
subject is in order, whatever the key. The function is the one that Kafka's Java client applies to keys, so
that a platform team can find a subject's partition with the tools it has.
"""

from functools import lru_cache

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of `data`, as an unsigned integer."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * _M) & _MASK
        k ^= k >> 24
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    if tail := data[whole:]:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=8192)
def partition_of(subject: str, partitions: int) -> int:
    """The partition, from 0, on which `subject` lives in a topic of that many partitions.

    Asked for as often as a subject has records: of those in hand it is remembered.
    """
    return (murmur2(subject.encode()) & 0x7FFFFFFF) % partitions
