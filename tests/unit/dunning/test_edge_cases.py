"""The edge cases that someone shipped wrong, one by one: reference for the rules of an episode."""

from datetime import timedelta
from typing import Any

import pytest

from services.dunning.episode import Episode
from services.dunning.letter import Letter, letter_of
from services.dunning.protocol import is_captured
from tests.unit.dunning.build import (
    CUSTOMER,
    DAY,
    HOUR,
    START,
    Stage,
    charge,
    customer,
    dispute,
    intent,
    invoice,
    seconds,
    subscription,
)


def letter(stage: Stage, episode: Episode) -> Letter:
    found = letter_of(stage.facts, stage.image, episode, START + HOUR)
    assert found is not None
    return found


def test_a_canceled_subscription_ends_the_episode_though_its_last_invoice_keeps_retrying() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(status="canceled", ended_at=seconds(START + DAY)), at=START + DAY)
    stage.see(invoice(attempt_count=3), at=START + 2 * DAY)
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.reason, episode.ended_at) == ("closed", "canceled", START + DAY)


def test_a_subscription_set_to_end_holds_the_emails_and_the_founder_is_told() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    assert (stage.one(START + 2 * HOUR).state, stage.one(START + 2 * HOUR).reason) == ("held", "canceling")


def test_a_setting_lets_the_emails_go_on_though_the_subscription_is_set_to_end() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"stop_when_canceling": False}, at=START - DAY)
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    assert stage.one(START + 2 * HOUR).state == "due"


def test_a_cancellation_that_is_taken_back_lets_the_emails_go_on() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    stage.see(subscription(cancel_at_period_end=False), at=START + 2 * HOUR)
    assert stage.one(START + 3 * HOUR).state == "due"


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
    found = letter(stage, stage.one(START + 7 * DAY))
    assert (found.tone, found.standing) == ("final", "unpaid")


def test_invoices_that_pile_up_are_in_one_email() -> None:
    stage = Stage.armed()
    for day in range(4):
        stage.fail(f"in_{day}", at=START + day * DAY, amount=100)
    episode = stage.one(START + 3 * DAY + HOUR)
    assert len(letter(stage, episode).lines) == 4
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
    found = letter(stage, episode)
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
    found = letter(stage, due)
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
    assert (episode.state, letter(stage, episode).variant) == ("due", "update")


def test_an_issuers_advice_not_to_try_again_asks_for_another_card() -> None:
    stage = Stage.armed()
    stage.see(
        charge(reason="do_not_honor", outcome={"reason": "do_not_honor", "advice_code": "do_not_try_again"}), at=START
    )
    stage.fail()
    assert letter(stage, stage.one(START + HOUR)).variant == "update"


def test_without_an_address_the_episode_is_held() -> None:
    stage = Stage.armed()
    stage.see(customer(email=None), at=START)
    stage.fail()
    assert (stage.one(START + HOUR).state, stage.one(START + HOUR).reason) == ("held", "no_address")


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced", "complained"])
def test_a_suppressed_customer_is_held_and_says_why(reason: str) -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"reason": reason}, at=START + HOUR, about=True)
    assert stage.one(START + 2 * HOUR).reason == reason


def test_a_suppressed_address_holds_whoever_has_it_until_it_is_lifted() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"email": "ADA@example.com", "reason": "bounced"}, at=START)
    assert stage.one(START + HOUR).reason == "bounced"
    stage.decide("dunning.suppress", {"email": "ada@example.com", "lifted": True}, at=START + HOUR)
    assert stage.one(START + 2 * HOUR).state == "due"


def test_suppressing_one_address_holds_nobody_else() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"email": "bob@example.com"}, at=START)
    assert stage.one(START + HOUR).state == "due"


def test_an_address_that_was_refused_for_good_is_held_until_it_changes() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="failed")
    assert stage.one(START + 3 * DAY).reason == "refused"
    stage.see(customer(email="ada@new.example"), at=START + 3 * DAY)
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.step) == ("due", 2)
    assert letter(stage, episode).recipient == "ada@new.example"


def test_an_open_dispute_holds_the_episode_until_it_is_settled() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(dispute(), at=START)
    assert stage.one(START + HOUR).reason == "disputed"
    stage.see(dispute(status="won"), at=START + DAY)
    assert stage.one(START + DAY).state == "due"


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
    assert letter(stage, stage.one(START + HOUR)).totals == {"usd": 4900, "eur": 2000}


def test_what_is_below_the_threshold_is_not_mailed() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"thresholds": {"usd": 5000}}, at=START - DAY)
    stage.fail()
    assert stage.one(START + HOUR).reason == "below_threshold"


def test_an_episode_stopped_by_hand_stays_stopped_whatever_its_invoice_does() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.stop", at=START + HOUR, about=True)
    stage.see(charge("ch_2", at=START + 3 * DAY), at=START + 3 * DAY)
    stage.see(invoice(attempt_count=2), at=START + 3 * DAY)
    episode = stage.one(START + 4 * DAY)
    assert (episode.state, episode.reason) == ("closed", "stopped")


def test_a_new_invoice_after_a_stop_opens_a_new_episode() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.stop", at=START + HOUR, about=True)
    stage.fail("in_2", at=START + 10 * DAY)
    assert [one.state for one in stage.episodes(START + 10 * DAY + HOUR)] == ["closed", "due"]


def exhausted() -> Stage:
    stage = Stage.armed()
    stage.fail()
    for step, day in enumerate((0, 3, 7), start=1):
        stage.mailed(step, at=START + day * DAY + HOUR)
    return stage


def test_an_exhausted_episode_stays_so_when_its_invoice_fails_again() -> None:
    stage = exhausted()
    stage.see(invoice(attempt_count=5), at=START + 9 * DAY)
    assert stage.one(START + 10 * DAY).state == "exhausted"


def test_a_new_invoice_after_exhaustion_opens_a_new_episode() -> None:
    stage = exhausted()
    stage.fail("in_2", at=START + 20 * DAY)
    assert [one.state for one in stage.episodes(START + 20 * DAY + HOUR)] == ["exhausted", "due"]


@pytest.mark.parametrize(("days", "state"), [(29, "recovered"), (31, "exhausted")])
def test_money_counts_as_recovered_for_thirty_days_after_the_last_email(days: int, state: str) -> None:
    stage = exhausted()
    stage.pay(at=START + 7 * DAY + HOUR + timedelta(days=days))
    assert stage.one(START + 60 * DAY).state == state


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


def test_what_was_found_at_connect_is_proposed_and_never_mailed_whatever_its_retries_do() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    stage.see(charge("ch_2", at=START + 3 * DAY), at=START + 3 * DAY)
    stage.see(invoice(attempt_count=2), at=START + 3 * DAY, change="updated")
    assert stage.one(START + 30 * DAY).state == "proposed"


def test_an_invoice_already_overdue_at_connect_is_proposed() -> None:
    stage = Stage.armed()
    sent = invoice(collection_method="send_invoice", attempted=False, due_date=seconds(START - 5 * DAY))
    stage.see(sent, at=START, change="backfilled")
    assert stage.one(START + DAY).state == "proposed"


def test_an_invoice_that_falls_due_after_connect_starts_by_itself() -> None:
    stage = Stage.armed()
    sent = invoice(collection_method="send_invoice", attempted=False, due_date=seconds(START + DAY))
    stage.see(sent, at=START, change="backfilled")
    assert stage.one(START + DAY + HOUR).state == "due"


def test_what_failed_before_arming_stays_a_proposal() -> None:
    stage = Stage()
    stage.see(customer(), at=START)
    stage.see(subscription(), at=START)
    stage.fail()
    stage.decide("dunning.sender", {"address": "b@acme.example", "passed": True}, at=START + DAY)
    stage.decide("dunning.sending", {"mode": "on"}, at=START + DAY)
    assert stage.one(START + 2 * DAY).state == "proposed"


def test_a_sender_that_did_not_pass_its_test_arms_nothing() -> None:
    stage = Stage()
    stage.decide("dunning.sender", {"address": "b@acme.example"}, at=START - DAY)
    stage.decide("dunning.sending", {"mode": "on"}, at=START - DAY)
    stage.see(customer(), at=START)
    stage.fail()
    assert stage.one(START + DAY).state == "proposed"


def test_a_proposal_that_is_started_counts_its_days_from_then() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    proposed = stage.one(START + 20 * DAY)
    stage.decide("dunning.start", at=START + 20 * DAY, about=True)
    episode = stage.one(START + 20 * DAY + HOUR)
    assert (episode.id, episode.state, episode.step) == (proposed.id, "due", 1)
    stage.mailed(1, at=START + 20 * DAY + HOUR)
    assert stage.one(START + 21 * DAY).due_at == START + 23 * DAY


def test_a_proposal_that_is_skipped_is_closed() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    stage.decide("dunning.skip", at=START + DAY, about=True)
    assert (stage.one(START + 2 * DAY).state, stage.one(START + 2 * DAY).reason) == ("closed", "skipped")


def test_a_new_failure_starts_by_itself_beside_a_proposal() -> None:
    stage = Stage.armed()
    stage.fail("in_1", change="backfilled")
    stage.fail("in_2", at=START + DAY)
    assert [one.state for one in stage.episodes(START + DAY + HOUR)] == ["proposed", "due"]


def test_a_person_holds_and_releases() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.hold", at=START + HOUR, about=True)
    assert stage.one(START + 2 * HOUR).reason == "held"
    stage.decide("dunning.release", at=START + 4 * DAY, about=True)
    episode = stage.one(START + 4 * DAY)
    assert (episode.state, episode.step) == ("due", 2)


def test_an_email_of_unknown_fate_holds_the_episode_until_a_person_has_looked() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="unknown")
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.reason) == ("held", "needs_review")
    stage.decide("dunning.leave", {"episode_id": episode.id, "step": 1}, at=START + 3 * DAY, about=True)
    after = stage.one(START + 3 * DAY + HOUR)
    assert (after.state, after.step) == ("due", 2)


def test_an_email_of_unknown_fate_is_sent_again_only_because_a_person_asks() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="unknown")
    episode = stage.one(START + DAY)
    stage.decide("dunning.resend", {"episode_id": episode.id, "step": 1}, at=START + DAY, name="again", about=True)
    due = stage.one(START + DAY)
    assert (due.state, due.step, due.attempt) == ("due", 1, "again")
    stage.mailed(1, at=START + DAY, attempt="again")
    assert (stage.one(START + DAY).state, stage.one(START + DAY).step) == ("waiting", 2)


def test_a_disconnected_account_closes_its_episodes() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("connection.ended", at=START + HOUR)
    assert (stage.one(START + DAY).state, stage.one(START + DAY).reason) == ("closed", "disconnected")


def test_switching_sending_off_holds_what_is_open() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.sending", {"mode": "off"}, at=START + HOUR)
    assert stage.one(START + 2 * HOUR).reason == "sending_off"


@pytest.mark.parametrize(
    ("entries", "captured"),
    [((), True), (("@example.com",), False), (("ADA@example.com",), False), (("@other.example",), True)],
)
def test_test_mode_mails_only_the_allow_list(entries: tuple[str, ...], captured: bool) -> None:
    stage = Stage.armed(livemode=False)
    stage.fail()
    stage.decide("dunning.allow_list", {"entries": entries}, at=START - DAY)
    assert is_captured(stage.state(), stage.image) is captured


def test_shadow_mode_runs_everything_and_sends_nothing() -> None:
    stage = Stage.armed()
    stage.decide("dunning.sending", {"mode": "shadow"}, at=START - DAY)
    stage.fail()
    assert stage.one(START + HOUR).state == "due"
    assert is_captured(stage.state(), stage.image)
    stage.mailed(1, at=START + HOUR, state="captured")
    assert stage.one(START + 3 * DAY).step == 2
