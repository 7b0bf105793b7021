"""The edge cases that someone shipped wrong, one by one: which invoices are asked for, when, and in which words."""

from datetime import timedelta
from typing import Any

import pytest

from services.dunning.cases import cases_of
from services.dunning.facts import Facts
from tests.unit.dunning.build import (
    CUSTOMER,
    DAY,
    HOUR,
    START,
    Stage,
    charge,
    intent,
    invoice,
    seconds,
    subscription,
)


def test_a_canceled_subscription_ends_the_episode_though_its_last_invoice_keeps_retrying() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(status="canceled", ended_at=seconds(START + DAY)), at=START + DAY)
    stage.see(invoice(attempt_count=3), at=START + 2 * DAY)
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.reason, episode.ended_at) == ("closed", "canceled", START + DAY)


def test_a_second_failing_invoice_joins_the_open_episode() -> None:
    stage = Stage.armed()
    stage.fail("in_1")
    stage.mailed(1, at=START + HOUR)
    stage.fail("in_2", at=START + DAY)
    episode = stage.one(START + DAY + HOUR)
    assert [case.id for case in episode.cases] == ["in_1", "in_2"]
    assert (episode.state, episode.step, episode.due_at) == ("waiting", 2, START + 3 * DAY)


def test_the_last_email_says_what_is_true_of_the_subscription_by_then() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(status="unpaid"), at=START + 6 * DAY)
    stage.mailed(1, at=START + HOUR)
    stage.mailed(2, at=START + 3 * DAY)
    found = stage.letter(stage.one(START + 7 * DAY))
    assert (found.tone, found.standing) == ("final", "unpaid")


def test_invoices_that_pile_up_are_in_one_email() -> None:
    stage = Stage.armed()
    for day in range(4):
        stage.fail(f"in_{day}", at=START + day * DAY, amount=100)
    episode = stage.one(START + 3 * DAY + HOUR)
    assert len(stage.letter(episode).lines) == 4
    assert episode.totals() == {"usd": 400}


def test_the_first_invoice_of_an_incomplete_subscription_is_no_dunning() -> None:
    stage = Stage.armed()
    stage.see(invoice(billing_reason="subscription_create"), at=START)
    assert stage.episodes(START + DAY) == ()


def test_an_attempt_count_that_grows_without_a_charge_changes_nothing() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(charge(reason="stolen_card"), at=START)
    before = stage.one(START + DAY)
    for count in (2, 3, 4):
        stage.see(invoice(attempt_count=count), at=START + count * HOUR)
    after = stage.one(START + DAY)
    assert (after.id, after.step, after.due_at) == (before.id, before.step, before.due_at)
    assert after.cases[0].failed_at == before.cases[0].failed_at


def test_an_invoice_in_its_first_hour_has_not_failed() -> None:
    stage = Stage.armed()
    stage.see(invoice(attempted=False), at=START)
    assert stage.episodes(START + DAY) == ()


def test_a_bank_debit_on_its_way_has_not_failed() -> None:
    stage = Stage.armed()
    stage.see(charge(status="pending", reason=None), at=START)
    stage.fail()
    assert stage.episodes(START + DAY) == ()


def test_a_bank_debit_that_fails_after_days_opens_an_episode() -> None:
    stage = Stage.armed()
    stage.see(charge(status="pending", reason=None), at=START)
    stage.fail()
    stage.see(charge(status="failed", reason="insufficient_funds"), at=START + 4 * DAY)
    assert stage.one(START + 4 * DAY).state == "due"


def test_an_overdue_invoice_is_called_overdue_and_never_a_card() -> None:
    stage = Stage.armed()
    due = START + 2 * DAY
    stage.see(invoice(collection_method="send_invoice", attempted=False, due_date=seconds(due)), at=START)
    assert stage.episodes(due - HOUR) == ()
    assert stage.outcome(START).timers == {"due_date": due}
    episode = stage.one(due + HOUR)
    found = stage.letter(episode)
    assert found.variant == "overdue"
    assert (episode.cases[0].kind, episode.cases[0].reason, found.lines[0].since) == ("overdue", None, due)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"status": "paid", "closed_at": START + DAY}, "paid"),
        ({"remaining": 0}, "cleared"),
    ],
)
def test_nothing_left_to_pay_is_recovered_however_it_came_about(change: dict[str, Any], end: str) -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(invoice(**change), at=START + DAY)
    episode = stage.one(START + 2 * DAY)
    assert (episode.state, episode.reason) == ("recovered", end)


def test_a_partial_payment_lessens_what_is_asked_for() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(invoice(remaining=900), at=START + HOUR)
    episode = stage.one(START + 2 * HOUR)
    assert episode.totals() == {"usd": 900}
    assert episode.cases[0].recovered == 4000


def test_a_credit_note_is_no_money_that_came_back() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(invoice(status="paid", closed_at=START + DAY, pre_payment_credit_notes_amount=1900), at=START + DAY)
    assert stage.one(START + 2 * DAY).cases[0].recovered == 3000


@pytest.mark.parametrize("end", ["void", "uncollectible"])
def test_an_invoice_that_is_given_up_closes_the_episode(end: str) -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(invoice(status=end, closed_at=START + DAY), at=START + DAY)
    episode = stage.one(START + 2 * DAY)
    assert (episode.state, episode.reason) == ("closed", end)
    assert episode.cases[0].recovered == 0


def test_authentication_waits_its_hour_and_then_asks_to_confirm() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(charge(reason="authentication_required"), at=START)
    stage.see(intent(status="requires_action"), at=START)
    early, due = stage.one(START + timedelta(minutes=59)), stage.one(START + HOUR)
    assert (early.state, early.due_at, due.state) == ("waiting", START + HOUR, "due")
    found = stage.letter(due)
    assert (found.variant, found.pay_url) == ("confirm", "https://invoice.stripe.com/i/in_1")


@pytest.mark.parametrize(
    "reason",
    [
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "highest_risk_level",
        "transaction_not_allowed",
    ],
)
def test_a_hard_decline_does_not_wait_and_asks_for_another_card(reason: str) -> None:
    stage = Stage.armed()
    stage.see(charge(reason=reason), at=START)
    stage.fail()
    episode = stage.one(START + timedelta(minutes=5))
    assert (episode.state, stage.letter(episode).variant) == ("due", "update")


def test_an_issuers_advice_not_to_try_again_asks_for_another_card() -> None:
    stage = Stage.armed()
    stage.see(
        charge(reason="do_not_honor", outcome={"reason": "do_not_honor", "advice_code": "do_not_try_again"}), at=START
    )
    stage.fail()
    assert stage.letter(stage.one(START + HOUR)).variant == "update"


def test_a_deleted_customer_closes_the_episode() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see({"id": CUSTOMER, "object": "customer", "deleted": True}, at=START + HOUR, change="deleted")
    episode = stage.one(START + DAY)
    assert (episode.state, episode.reason) == ("closed", "customer_deleted")


def test_two_currencies_are_in_one_email_and_never_added() -> None:
    stage = Stage.armed()
    stage.fail("in_1")
    stage.fail("in_2", currency="eur", amount=2000)
    assert stage.letter(stage.one(START + HOUR)).totals == {"usd": 4900, "eur": 2000}


def test_steps_missed_while_nothing_ran_are_one_email_not_a_burst() -> None:
    stage = Stage.armed()
    stage.fail()
    episode = stage.one(START + 5 * DAY)
    assert (episode.state, episode.step) == ("due", 2)
    stage.mailed(2, at=START + 5 * DAY)
    after = stage.one(START + 5 * DAY + HOUR)
    assert (after.state, after.step, after.due_at) == ("waiting", 3, START + 7 * DAY)


def test_two_emails_are_at_least_a_day_apart() -> None:
    stage = Stage.armed()
    stage.fail()
    late = START + 7 * DAY - HOUR
    stage.mailed(2, at=late)
    assert stage.one(late).due_at == late + DAY


def test_a_disconnected_account_closes_its_episodes() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("connection.ended", at=START + HOUR)
    assert (stage.one(START + DAY).state, stage.one(START + DAY).reason) == ("closed", "disconnected")


def test_a_link_that_is_no_address_of_a_page_is_in_no_email() -> None:
    stage = Stage.armed()
    recorded = {"user_id": "u_1", "amount": 1500, "currency": "eur", "pay_url": "javascript:alert(1)"}
    stage.decide("dunning.recorded", recorded, at=START)
    (case,) = cases_of(Facts(workspace_id="ws_1", user_id="u_1"), stage.image, START + HOUR)
    assert case.pay_url is None
