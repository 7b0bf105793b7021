"""When time that steps stands still, and how far it jumps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.left import Left, behind, mail_is_blocked
from cli.stepping import LONGEST_STEP, next_step
from pipeline.records import LogPartition

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("next_due", "jumps"),
    [(None, LONGEST_STEP), (timedelta(minutes=5), timedelta(minutes=5)), (timedelta(hours=3), LONGEST_STEP)],
)
def test_time_jumps_to_what_happens_next_an_hour_at_most(next_due: timedelta | None, jumps: timedelta) -> None:
    left = Left(lag=0, outbox_rows=0, due=0, next_due=NOW + next_due if next_due else None)
    assert next_step(NOW, left) == NOW + jumps


@pytest.mark.parametrize(("reached", "lag"), [({}, 1), ({0: 3, 1: 5}, 2), ({0: 5, 1: 5}, 0), ({0: 7, 1: 5}, 0)])
def test_a_service_is_behind_by_what_it_has_not_applied_and_if_it_has_not_begun(
    reached: dict[int, int], lag: int
) -> None:
    """An end that was looked up before the offsets could be lower; one that is higher is what is left."""
    ends = {LogPartition("topic", partition): 5 for partition in (0, 1)}
    assert behind({LogPartition("topic", partition): at for partition, at in reached.items()}, ends) == lag


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
