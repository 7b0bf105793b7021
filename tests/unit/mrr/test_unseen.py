"""What began and ended between two observations, and is known by Stripe's stamps alone."""

from typing import Any

import pytest

from tests.unit.mrr.build import Json, subscription
from tests.unit.mrr.story import Story, day


def _ended(on: float, **more: Any) -> Json:
    return subscription(status="canceled", ended_at=day(on), canceled_at=day(on), **more)


def _reconstructed(told: Story) -> list[bool]:
    return [movement.reconstructed for movement in told.play().movements]


def test_what_began_and_ended_before_it_was_first_seen_counted_from_its_start_to_its_end() -> None:
    told = Story().see(_ended(3), 4, change="created")
    assert told.rows() == [(0, 0, 1000, "new"), (3, 1000, 0, "churn")]
    assert _reconstructed(told) == [True, True]


def test_what_is_unpaid_when_it_is_first_seen_counted_until_then() -> None:
    told = Story().see(subscription(status="unpaid"), 40, change="created")
    assert told.rows() == [(0, 0, 1000, "new"), (40, 1000, 0, "churn")]


def test_a_trial_that_went_on_and_ended_unseen_counted_from_its_end_to_the_subscriptions() -> None:
    told = Story().see(subscription(status="trialing", trial_end=day(14)), 0, change="created")
    told.see(_ended(44, trial_end=day(14)), 45)
    assert told.rows() == [(14, 0, 1000, "new"), (44, 1000, 0, "churn")]
    assert _reconstructed(told) == [True, True]


def test_a_trial_that_went_on_unseen_and_is_unpaid_now_counted_until_that_was_seen() -> None:
    told = Story().see(subscription(status="trialing", trial_end=day(14)), 0, change="created")
    told.see(subscription(status="unpaid", trial_end=day(14)), 45)
    assert told.rows() == [(14, 0, 1000, "new"), (45, 1000, 0, "churn")]


@pytest.mark.parametrize("ended", [7, 14, 14.1])
def test_a_trial_that_was_canceled_before_or_at_its_end_never_counted(ended: float) -> None:
    told = Story().see(subscription(status="trialing", trial_end=day(14)), 0, change="created")
    assert told.see(_ended(ended, trial_end=day(14)), 15).rows() == []


def test_a_first_payment_and_the_end_that_were_both_unseen_count_from_start_to_end() -> None:
    told = Story().see(subscription(status="incomplete"), 0, change="created").see(_ended(20), 21)
    assert told.rows() == [(0, 0, 1000, "new"), (20, 1000, 0, "churn")]
    assert _reconstructed(told) == [True, True]


def test_what_was_canceled_before_its_first_payment_fell_due_for_good_never_counted() -> None:
    """Stripe lets an incomplete subscription expire within a day: only one that was paid can be canceled later."""
    told = Story().see(subscription(status="incomplete"), 0, change="created").see(_ended(0.5), 0.6)
    assert told.rows() == []
