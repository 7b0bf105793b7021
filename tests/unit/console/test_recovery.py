"""What is said of an episode."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.console.recovery import GROUPS, Email, Episode, Recovery

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOLDS = frozenset(
    """
    sending_off held needs_review disputed no_address unsubscribed bounced complained suppressed refused canceling
    below_threshold
    """.split()
)
"""Reasons by which dunning holds an episode (services/dunning/holds.py)."""


def episode(**given: Any) -> Episode:
    known: dict[str, Any] = {
        "episode_id": "ep_1",
        "connection_id": "con_1",
        "customer_id": "cus_1",
        "user_id": None,
        "state": "waiting",
        "reason": None,
        "opened_at": NOW,
        "ended_at": None,
        "step": 2,
        "steps": 3,
        "due_at": NOW,
        "mailed": 1,
        "mailed_at": NOW,
        "decline_reason": None,
        "at_stake": {"usd": 4900},
        "remaining": {"usd": 4900},
        "recovered": {"usd": 0},
        "waits_for": None,
        "policy": {"days": [0, 3, 7], "first_hour": 10, "last_hour": 16},
    }
    return Episode(**known | given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Email 2 of 3 is next"),
        ({"state": "due"}, "Email 2 of 3 is due"),
        (
            {"state": "due", "waits_for": "a fresh read was asked for"},
            "Email 2 of 3 is due: a fresh read was asked for",
        ),
        ({"state": "held", "reason": "disputed"}, "Held: a payment is disputed"),
        ({"state": "held", "reason": "some_new_reason"}, "Held: some new reason"),
        ({"state": "proposed"}, "Waits for you to start it"),
        ({"state": "recovered", "reason": "paid"}, "Paid after email 1 of 3"),
        ({"state": "recovered", "reason": "paid", "mailed": 0}, "Paid before any email"),
        ({"state": "recovered", "reason": "cleared", "mailed": 0}, "Credited, or paid outside Stripe"),
        ({"state": "closed", "reason": "void"}, "Closed: the invoice was voided"),
        ({"state": "exhausted"}, "All 3 emails went, and it is still unpaid"),
    ],
)
def test_an_episode_says_where_it_stands(given: dict[str, Any], says: str) -> None:
    assert episode(**given).says == says


def test_the_next_email_says_why_it_goes_then() -> None:
    assert episode().next_why == "Day 3 after the first failure, from 10:00 to 16:00 where the customer is"
    assert episode(state="held").next_why is None


def test_only_what_can_still_change_can_be_decided() -> None:
    assert episode(state="proposed").acts == ("start", "skip")
    assert {state: episode(state=state).acts for state in ("recovered", "closed", "exhausted")} == {
        "recovered": (),
        "closed": (),
        "exhausted": (),
    }


@pytest.mark.parametrize("reason", ["held", "needs_review", "refused"])
def test_what_a_person_can_release_is_released_here(reason: str) -> None:
    held = episode(state="held", reason=reason)
    assert held.acts == ("release", "stop")
    assert held.goes_on is None


@pytest.mark.parametrize("reason", sorted(HOLDS - {"held", "needs_review", "refused"}))
def test_of_what_no_release_lifts_the_page_says_what_does(reason: str) -> None:
    held = episode(state="held", reason=reason)
    assert held.acts == ("stop",)
    assert held.goes_on


def test_only_an_email_of_unknown_fate_or_refused_can_go_again() -> None:
    def email(state: str) -> Email:
        return Email(1, "", state, NOW, None, None, None, {}, None)

    assert email("unknown").acts == ("resend", "leave")
    assert email("failed").acts == ("resend",)
    assert email("sent").acts == email("captured").acts == ()


def test_every_state_is_in_one_group() -> None:
    states = [state for _, group in GROUPS.values() for state in group]
    assert sorted(states) == ["closed", "due", "exhausted", "held", "proposed", "recovered", "waiting"]


def test_what_is_in_hand_is_what_is_open_or_held() -> None:
    counts = {"waiting": 1, "due": 2, "held": 4, "proposed": 8, "recovered": 16}
    recovery = Recovery(counts, {}, {}, recovered_episodes=0, after_an_email=0, emails={})
    assert (recovery.in_hand, recovery.count("open"), recovery.count("exhausted")) == (7, 3, 0)
