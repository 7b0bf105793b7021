"""When time that steps stands still, and how far it jumps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.stepping import LONGEST_STEP, Left, lag_of, mail_is_blocked, next_step

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("next_due", "jumps"),
    [(None, LONGEST_STEP), (timedelta(minutes=5), timedelta(minutes=5)), (timedelta(hours=3), LONGEST_STEP)],
)
def test_time_jumps_to_what_happens_next_an_hour_at_most(next_due: timedelta | None, jumps: timedelta) -> None:
    left = Left(lag=0, outbox_rows=0, due=0, next_due=NOW + next_due if next_due else None)
    assert next_step(NOW, left) == NOW + jumps


@pytest.mark.parametrize(
    ("report", "lag"),
    [(None, 1), ({"lag": 3, "ready": True}, 3), ({"lag": 0, "ready": False}, 1), ({"lag": 0, "ready": True}, 0)],
)
def test_a_service_that_is_away_has_something_left_to_do(report: dict[str, Any] | None, lag: int) -> None:
    assert lag_of(report) == lag


@pytest.mark.parametrize(
    ("report", "blocked"),
    [
        (None, False),
        ({"detail": {}}, False),
        ({"detail": {"mail": {"due": 2, "blocked": None}}}, False),
        ({"detail": {"mail": {"due": 2, "blocked": "sending is disarmed"}}}, True),
    ],
)
def test_emails_that_may_not_go_hold_no_time_up(report: dict[str, Any] | None, blocked: bool) -> None:
    assert mail_is_blocked(report) is blocked
