"""Rate limits as Stripe has them, in the machine's time, and a count of who ran into them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests a second. `enforced` False counts violations and answers all the same."""

    live: float = 100
    test: float = 25
    endpoint: float = 25
    search: float = 20
    enforced: bool = True


@dataclass(slots=True)
class _Bucket:
    """A second's worth of requests, refilled continuously."""

    rate: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> bool:
        """Whether one request more is within the rate."""
        self.tokens = min(self.rate, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class Limits:
    rates: Rates = field(default_factory=Rates)
    clock: Callable[[], float] = time.monotonic
    violations: dict[str, int] = field(default_factory=dict)
    _buckets: dict[tuple[str, bool], _Bucket] = field(default_factory=dict)

    def admit(self, operation: str, *, live: bool, search: bool) -> None:
        """Count one request of an operation; raises Stripe's 429 when a bucket is empty."""
        whole = self.rates.live if live else self.rates.test
        self._take("global-rate", ("", live), whole)
        self._take("endpoint-rate", (operation, live), self.rates.endpoint)
        if search:
            self._take("endpoint-rate", ("search", live), self.rates.search)

    def _take(self, reason: str, name: tuple[str, bool], rate: float) -> None:
        now = self.clock()
        bucket = self._buckets.get(name)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[name] = _Bucket(rate, rate, now)
        if bucket.take(now):
            return
        self.violations[reason] = self.violations.get(reason, 0) + 1
        if self.rates.enforced:
            raise limited(reason)


def limited(reason: str) -> ApiError:
    """Stripe's 429 for a reason; `lock` is another request that holds the object."""
    message = (
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        if reason != "lock"
        else "This object cannot be accessed right now because another API request or Stripe process is accessing it."
    )
    if reason == "lock":
        return ApiError(429, message, code="lock_timeout", headers={"Stripe-Should-Retry": "true"})
    return ApiError(429, message, code="rate_limit", headers={"Stripe-Rate-Limited-Reason": reason})
