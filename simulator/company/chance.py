"""Chance that depends on a seed alone.

Every customer carries a generator of its own, so a customer's life is a function of the company's seed and the
customer's number, whatever happens to others and however the clock is advanced. A Mersenne state of 2.5 KB each would
cost 250 MB for 100,000 customers; splitmix64 is one integer.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Chance:
    """A splitmix64 stream."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, stream: int = 0) -> None:
        self._state = (seed * 0xD1342543DE82EF95 + stream * 0xAF251AF3B0F025B5 + 1) & _MASK
        self.bits()

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def unit(self) -> float:
        """A number in [0, 1)."""
        return (self.bits() >> 11) / 9007199254740992.0

    def happens(self, probability: float) -> bool:
        return self.unit() < probability

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + self.bits() % (high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.bits() % len(options)]

    def weighted(self, options: Sequence[tuple[float, T]]) -> T:
        """One of `(weight, value)`; weights need not add up to 1."""
        point = self.unit() * sum(weight for weight, _ in options)
        for weight, value in options:
            point -= weight
            if point < 0:
                return value
        return options[-1][1]
