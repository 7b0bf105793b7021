"""The version of a raw observation: a number that only grows for an object.

A version is the epoch of the lease under which the request was made (Unix milliseconds, or one more than the
epoch before if that is greater) and a sequence drawn before the request was sent, packed into one 63-bit
integer so that a consumer compares two integers and a column holds it.
"""

SEQUENCE_BITS = 20
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1


def pack_version(*, epoch_ms: int, sequence: int) -> int:
    """The version as one integer; `sequence` must fit its bits, a poller renews its lease long before."""
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"the sequence {sequence} does not fit {SEQUENCE_BITS} bits; renew the lease")
    return (epoch_ms << SEQUENCE_BITS) | sequence


def unpack_version(version: int) -> tuple[int, int]:
    """(epoch in Unix milliseconds, sequence)."""
    return version >> SEQUENCE_BITS, version & MAX_SEQUENCE
