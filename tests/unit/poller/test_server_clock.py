"""A server's own time is told apart from a quiet account."""

from hypothesis import given
from hypothesis import strategies as st

from services.poller.reading.server_clock import offset_seconds

NOW = 1_795_000_000
DAY = 86_400


def test_stripe_itself_has_our_time() -> None:
    assert offset_seconds(now=NOW, newest=NOW - 5, active_until=NOW + 20 * DAY) == 0


@given(days=st.integers(0, 400))
def test_a_quiet_account_is_no_other_time(days: int) -> None:
    assert offset_seconds(now=NOW, newest=NOW - days * DAY, active_until=NOW + DAY) == 0
    assert offset_seconds(now=NOW, newest=NOW - days * DAY, active_until=None) == 0


def test_an_empty_account_says_nothing() -> None:
    assert offset_seconds(now=NOW, newest=None, active_until=None) == 0


@given(days=st.integers(60, 4000))
def test_an_active_subscription_whose_period_is_long_over_tells_of_a_clock_behind(days: int) -> None:
    newest = NOW - days * DAY
    assert offset_seconds(now=NOW, newest=newest, active_until=newest + 30 * DAY) == newest - NOW


@given(hours=st.integers(2, 100_000))
def test_an_object_from_tomorrow_tells_of_a_clock_ahead(hours: int) -> None:
    newest = NOW + hours * 3600
    assert offset_seconds(now=NOW, newest=newest, active_until=newest + 30 * DAY) == newest - NOW
