"""Stripe's limits are kept in every second, and a slower pace is gone back from."""

from hypothesis import given
from hypothesis import strategies as st

from services.poller.reading.limits import Limits, TokenBucket, full_jitter


def most_in_a_second(instants: list[float]) -> int:
    return max(sum(at <= other < at + 1.0 for other in instants) for at in instants)


@given(
    st.lists(
        st.sampled_from(["/v1/charges", "/v1/invoices", "/v1/charges/search", "/v1/customers/search"]),
        min_size=1,
        max_size=150,
    )
)
def test_no_second_sees_more_than_stripe_allows(endpoints: list[str]) -> None:
    for livemode, overall in ((True, 100), (False, 25)):
        limits = Limits(livemode=livemode)
        sent = [(endpoint, limits.reserve(endpoint, 0.0)) for endpoint in endpoints]
        assert most_in_a_second([at for _, at in sent]) <= overall
        for endpoint in set(endpoints):
            assert most_in_a_second([at for each, at in sent if each == endpoint]) <= 25
        searches = [at for endpoint, at in sent if endpoint.endswith("search")]
        assert not searches or most_in_a_second(searches) <= 20


def test_a_limited_endpoint_is_slowed_by_half_and_recovers() -> None:
    bucket = TokenBucket(24.0)
    bucket.slow_down(100.0)
    assert bucket.current_rate(100.0) == 12.0
    bucket.slow_down(100.0)
    assert bucket.current_rate(100.0) == 6.0
    assert bucket.current_rate(110.0) > 6.0
    assert bucket.current_rate(200.0) == 24.0


def test_a_bucket_never_stands_still() -> None:
    bucket = TokenBucket(24.0)
    for _ in range(50):
        bucket.slow_down(1.0)
    assert bucket.current_rate(1.0) == 0.5


def test_too_many_at_once_halves_how_many_are_under_way() -> None:
    limits = Limits(livemode=True)
    before = limits.concurrency
    limits.limited("/v1/charges", "endpoint-concurrency", 1.0)
    assert limits.concurrency == before // 2
    for _ in range(10):
        limits.limited("/v1/charges", "global-concurrency", 1.0)
    assert limits.concurrency == 1


def test_a_global_limit_slows_everything() -> None:
    limits = Limits(livemode=False)
    limits.limited("/v1/charges", "global-rate", 0.0)
    first, second = (limits.reserve("/v1/invoices", 0.0) for _ in range(2))
    assert second - first > 1 / 24 * 1.5


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_the_wait_before_another_attempt_has_full_jitter_and_a_ceiling(attempt: int, draw: float) -> None:
    assert 0.0 <= full_jitter(attempt, draw=lambda: draw) <= 8.0
    assert full_jitter(attempt, draw=lambda: 0.0) == 0.0
