"""How fast requests may go: Stripe's documented limits, kept a little below, and slowed where Stripe says so.

Pure in time: `now` is seconds of a monotonic clock, handed in. Source of the figures: Stripe's rate limits (100
requests a second in live mode, 25 in test mode, 25 for each endpoint, 20 for search in all).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

LIVE_PER_SECOND = 96.0
TEST_PER_SECOND = 24.0
ENDPOINT_PER_SECOND = 24.0
SEARCH_PER_SECOND = 19.0
SLOWEST = 0.5
RECOVERY_SECONDS = 20.0
CONCURRENCY = 24


@dataclass
class TokenBucket:
    """Lets `rate` requests a second pass, evenly: at most one at once, so that no second sees more than the limit.

    `slow_down` halves the rate; it grows back to the full one within `RECOVERY_SECONDS`.
    """

    rate: float
    _allowed_at: float = 0.0
    _slowed: float = 1.0
    _slowed_at: float = 0.0

    def reserve(self, now: float) -> float:
        """Take a place; gives the instant at which it may be used."""
        at = max(now, self._allowed_at)
        self._allowed_at = at + 1.0 / self.current_rate(now)
        return at

    def current_rate(self, now: float) -> float:
        regained = (now - self._slowed_at) / RECOVERY_SECONDS * (1.0 - self._slowed)
        return max(SLOWEST, self.rate * min(1.0, self._slowed + max(0.0, regained)))

    def slow_down(self, now: float) -> None:
        self._slowed = max(SLOWEST / self.rate, self.current_rate(now) / self.rate / 2)
        self._slowed_at = now


@dataclass
class Limits:
    """The buckets of one key, and how many requests may be under way at once."""

    livemode: bool
    concurrency: int = CONCURRENCY
    _endpoints: dict[str, TokenBucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all = TokenBucket(LIVE_PER_SECOND if self.livemode else TEST_PER_SECOND)
        self._search = TokenBucket(SEARCH_PER_SECOND)

    def reserve(self, endpoint: str, now: float) -> float:
        """The instant at which a request to this endpoint may be sent."""
        at = now
        for bucket in self._buckets(endpoint):
            at = max(at, bucket.reserve(now))
        return at

    def limited(self, endpoint: str, reason: str, now: float) -> None:
        """Stripe answered 429; `reason` is its `Stripe-Rate-Limited-Reason`, empty where it gives none."""
        if reason.endswith("concurrency"):
            self.concurrency = max(1, self.concurrency // 2)
            return
        buckets = self._buckets(endpoint)
        for bucket in buckets[:1] if reason.startswith("global") else buckets:
            bucket.slow_down(now)

    def _buckets(self, endpoint: str) -> list[TokenBucket]:
        own = self._endpoints.setdefault(endpoint, TokenBucket(ENDPOINT_PER_SECOND))
        return [self._all, own, self._search] if endpoint.endswith("/search") else [self._all, own]


def full_jitter(attempt: int, *, draw: Callable[[], float], base: float = 0.5, ceiling: float = 8.0) -> float:
    """Seconds to wait before attempt `attempt` (1 is the first retry); `draw` gives numbers in [0, 1)."""
    return draw() * min(ceiling, base * 2.0 ** (attempt - 1))
