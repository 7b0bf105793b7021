"""What the Stripe card says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.console.card import ANSWER_WITHIN, PERMISSIONS, Card, card_of
from services.console.model import Connection, Status, Watched

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONNECTION = Connection("con_1", "restricted", "rk_live_…4f2a", True, "submitted", None, NOON)


def card(
    state: str | None, *, waited: timedelta = timedelta(0), connection: Connection = CONNECTION, **said: Any
) -> Card:
    status = None if state is None else Status("con_1", state, **said)
    return card_of(Watched(connection, status), machine_now=NOON + waited, now=NOON)


def test_without_an_answer_in_time_the_card_says_that_no_poller_runs() -> None:
    assert card(None, waited=ANSWER_WITHIN - timedelta(milliseconds=1)).phase == "waiting"
    silent = card(None, waited=ANSWER_WITHIN)
    assert (silent.phase, silent.tone, silent.headline) == ("no_poller", "bad", "No poller is running")
    assert silent.remedy


@pytest.mark.parametrize("state", ["validating", "refused", "first_minute", "syncing", "live", "stopped"])
def test_every_state_of_the_poller_has_a_headline(state: str) -> None:
    shown = card(state)
    assert shown.phase == state
    assert shown.headline


def test_the_pollers_reason_and_remedy_are_shown_as_they_are() -> None:
    shown = card("refused", reason="The key was deleted.", remedy="Create a new one.")
    assert (shown.note, shown.remedy, shown.wants_key) == ("The key was deleted.", "Create a new one.", True)


def test_a_missing_permission_is_named_with_what_does_not_work() -> None:
    granted = {permission.resource: "granted" for permission in PERMISSIONS}
    shown = card("live", permissions=granted | {"invoices": "missing", "disputes": "missing"})
    assert [permission.label for permission in shown.missing] == ["Invoices"]
    assert [permission.label for permission in shown.offered] == ["Disputes"]
    assert all(permission.without for permission in shown.missing)


def test_permissions_may_be_named_in_the_singular() -> None:
    assert [p.resource for p in card("live", permissions={"payment_intent": "missing"}).missing] == ["payment_intents"]


def test_a_warning_about_a_permission_that_is_listed_is_not_said_twice() -> None:
    said = ["The permission “Invoices: Read” is missing: this and that.", "This account has no search."]
    assert card("live", permissions={"invoice": "missing"}, warnings=said).warnings == ("This account has no search.",)
    assert card("live", permissions={}, warnings=said).warnings == tuple(said)


def test_a_secret_key_is_warned_of_once() -> None:
    secret = replace(CONNECTION, key_kind="secret")
    assert len(card("live", connection=secret).warnings) == 1
    assert len(card("live", connection=secret, warnings=["This is a secret key: replace it."]).warnings) == 1
    assert card("live").warnings == ()


def test_progress_is_shown_while_the_account_is_read_and_not_after() -> None:
    progress = {
        "stage": "customers",
        "percent": 46,
        "customers": {"done": 1240, "total": 2037},
        "lapsed": {"done": 38, "total": 38},
        "charges": {"done": 0, "total": None},
    }
    reading = card("first_minute", progress=progress)
    assert [(step.label, step.done, step.total, step.complete) for step in reading.steps] == [
        ("Customers", 1240, 2037, False),
        ("Lapsed subscriptions, 30 days", 38, 38, True),
        ("Charges, 90 days", 0, None, False),
    ]
    assert reading.percent == 46
    assert card("live", progress=progress).steps == ()


def test_an_overdue_poll_is_told() -> None:
    assert card("live", next_poll_at=NOON - timedelta(minutes=1)).tone == "good"
    late = card("live", next_poll_at=NOON - timedelta(minutes=16))
    assert (late.tone, late.headline) == ("bad", "Polling has stopped")


def test_an_account_that_cannot_be_read_for_long_says_why_and_not_that_no_poller_runs() -> None:
    """Stripe may ask to be left alone for an hour: that is no reason to look for a poller."""
    slow = "Stripe asks to slow down."
    late = NOON - timedelta(minutes=50)
    shown = card("live", reason=slow, last_error=slow, next_poll_at=late, updated_at=NOON - timedelta(minutes=40))
    assert (shown.tone, shown.headline, shown.note) == ("bad", "Stripe cannot be read at the moment", slow)
    at_once = card("live", reason=slow, last_error=slow, next_poll_at=NOON, updated_at=NOON)
    assert at_once.tone == "bad"
    dead = card("live", reason=slow, last_error=slow, next_poll_at=late, updated_at=NOON - timedelta(hours=2))
    assert dead.headline == "Polling has stopped"


def test_a_key_that_cannot_be_checked_yet_is_no_success_and_no_refusal() -> None:
    shown = card("validating", reason="https://example.com cannot be reached.")
    assert (shown.tone, shown.note, shown.wants_key) == ("bad", "https://example.com cannot be reached.", False)
