"""When a connection is polled next."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.poller.work import next_turn

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.text("abcdef0123456789", min_size=1), st.integers(0, 86_400), st.sampled_from([60, 300, 900]))
def test_a_connection_has_a_turn_of_its_own_in_every_interval(name: str, after: int, every: int) -> None:
    now = NOW + timedelta(seconds=after)
    due = next_turn(now, every=every, connection_id=name)
    assert timedelta() < due - now <= timedelta(seconds=every)
    assert next_turn(due, every=every, connection_id=name) == due + timedelta(seconds=every)


def test_connections_are_spread_over_the_interval() -> None:
    due = Counter(
        int((next_turn(NOW, every=300, connection_id=f"con_{number}") - NOW).total_seconds()) // 30
        for number in range(3_000)
    )
    assert len(due) in {10, 11}
    assert max(due.values()) < 400
