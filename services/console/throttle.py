"""Limits on how often something may be tried: a bucket of tokens per key, filled at a steady rate."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` at once, and `per_second` in the long run."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens left at an instant (seconds of a monotonic clock)."""

    tokens: float
    at: float

    def take(self, rate: Rate, count: float, now: float) -> "tuple[Bucket, float]":
        """The bucket afterwards, and the seconds to wait: 0 where the tokens were there and were taken."""
        filled = min(rate.burst, self.tokens + max(0.0, now - self.at) * rate.per_second)
        if filled >= count:
            return Bucket(filled - count, now), 0.0
        return Bucket(filled, now), (count - filled) / rate.per_second


class Throttle:
    """Buckets by key, the least recently used forgotten beyond `keys` of them. Safe among threads."""

    def __init__(self, rate: Rate, *, keys: int = 10_000, time: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._limit = keys
        self._time = time
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, count: float = 1) -> float:
        """Seconds until `count` may be taken; 0 where they were taken now."""
        now = self._time()
        with self._lock:
            bucket = self._buckets.pop(key, None) or Bucket(self._rate.burst, now)
            self._buckets[key], wait = bucket.take(self._rate, count, now)
            while len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        return wait
