"""Limits on tries."""

from hypothesis import given
from hypothesis import strategies as st

from services.console.throttle import Bucket, Rate, Throttle


def test_a_burst_is_allowed_and_then_one_at_a_time() -> None:
    now = [0.0]
    throttle = Throttle(Rate(per_second=0.5, burst=3), time=lambda: now[0])
    assert [throttle.take("a") for _ in range(4)] == [0, 0, 0, 2.0]
    now[0] = 2.0
    assert throttle.take("a") == 0
    assert throttle.take("a") > 0


def test_keys_do_not_share_a_limit() -> None:
    throttle = Throttle(Rate(per_second=1, burst=1), time=lambda: 0.0)
    assert throttle.take("a") == 0
    assert throttle.take("b") == 0
    assert throttle.take("a") > 0


def test_the_least_recently_used_keys_are_forgotten() -> None:
    throttle = Throttle(Rate(per_second=1, burst=1), keys=2, time=lambda: 0.0)
    for key in ("a", "b", "c"):
        assert throttle.take(key) == 0
    assert throttle.take("a") == 0
    assert throttle.take("c") > 0


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 20)), max_size=60),
    st.floats(0.1, 10),
    st.floats(1, 20),
)
def test_never_more_is_taken_than_the_rate_allows(
    tries: list[tuple[float, float]], per_second: float, burst: float
) -> None:
    rate, now, taken = Rate(per_second, burst), 0.0, 0.0
    bucket = Bucket(burst, 0.0)
    for later, count in tries:
        now += later
        bucket, wait = bucket.take(rate, count, now)
        taken += count if wait == 0 else 0
    assert taken <= burst + now * per_second + 1e-6
