"""The truth, told by hand: small stories whose end can be reckoned on paper."""

from typing import Any

import pytest

from simulator.company import customers, invoicing, payments, subscriptions
from simulator.company.habits import AUTHENTICATE, DEBIT_FAILED, INSUFFICIENT, LOST, new_method
from simulator.company.invariants import violations
from simulator.company.periods import DAY, HOUR
from simulator.company.subscriptions import Terms
from tests.unit.simulator.story import START, Story, plan


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_trial_counts_from_its_end(story: Story) -> None:
    story.sell((plan(1900), 1), terms=Terms(trial_days=14))
    story.wait(14 * DAY - 1)
    assert story.mrr() == {}
    story.wait(1)
    assert story.mrr() == {"usd": 1900}


def test_a_renewal_is_a_draft_for_an_hour_and_is_then_collected(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(30 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.status, bill.reason, bill.intent, bill.attempt_count) == ("draft", "subscription_cycle", None, 0)
    assert bill.next_payment_attempt == story.world.now + HOUR
    story.wait(HOUR)
    assert (bill.status, bill.attempt_count, bill.amount_paid) == ("paid", 1, 1900)


def test_a_failure_is_told_and_its_retry_resolves_it(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(INSUFFICIENT)
    story.wait(30 * DAY + HOUR)
    failed_at = START + 30 * DAY + HOUR
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["first_failed_at"], failure["resolved_at"], failure["charged"]) == (failed_at, None, True)
    assert sold.status == "past_due"
    assert story.mrr() == {"usd": 1900}
    story.wait(4 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (sold.status, bill.status, bill.attempt_count) == ("active", "paid", 2)
    [signal] = story.truth()["signals"]["payment_failed"]
    assert (signal["opened_at"], signal["resolved_at"]) == (failed_at, bill.paid_at)
    assert [each["invoice"] for each in story.truth()["recovered_invoices"]] == signal["invoices"]


def test_a_failed_first_payment_is_an_abandoned_checkout_and_no_signal(story: Story) -> None:
    story.life.outcomes.append(INSUFFICIENT)
    sold = story.sell((plan(1900), 1))
    statuses: list[str] = [sold.status]
    story.wait(23 * HOUR)
    assert [*statuses, sold.status] == ["incomplete", "incomplete_expired"]
    assert story.truth()["failed_payments"]["count"] == 0
    assert story.truth()["lapsed_subscriptions"]["count"] == 0
    assert story.mrr() == {}


def test_an_attempt_without_a_payment_method_makes_no_charge_and_counts(story: Story) -> None:
    story.sell((plan(1900), 1))
    customers.replace_method(story.who, None)
    story.wait(30 * DAY + HOUR)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["charged"], failure["reason"]) == (False, "no_payment_method")
    assert len(story.world.charges) == 1


def test_a_customer_who_must_confirm_makes_no_charge_and_counts(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(AUTHENTICATE)
    story.wait(30 * DAY + HOUR)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    bill = sold.latest_invoice
    assert bill is not None
    assert bill.intent is not None
    assert (failure["charged"], bill.intent.status) == (False, "requires_action")


def test_after_a_hard_decline_only_the_count_goes_up_until_there_is_another_card(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(LOST)
    story.wait(30 * DAY + HOUR + 10 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.attempt_count, len(story.world.charges), bill.status) == (3, 2, "open")
    customers.replace_method(story.who, new_method(story.who, "good", story.world.now))
    story.wait(8 * DAY)
    assert (bill.attempt_count, len(story.world.charges), bill.status) == (4, 3, "paid")


@pytest.mark.parametrize(("end", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")])
def test_when_the_retries_are_used_up_the_accounts_rule_decides(story: Story, end: str, status: str) -> None:
    story.who.dunning_end = end  # type: ignore[assignment]
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.extend([INSUFFICIENT] * 4)
    story.wait(30 * DAY + HOUR + 17 * DAY)
    assert sold.status == status
    lapsed = story.truth()["lapsed_subscriptions"]
    assert lapsed["count"] == (0 if status == "past_due" else 1)
    assert story.mrr() == ({"usd": 1900} if status == "past_due" else {})
    for [lapse] in lapsed["customers"].values():
        assert (lapse["status"], lapse["voluntary"]) == (status, False)


def test_a_bank_debit_fails_days_after_its_attempt(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(4 * DAY)
    story.life.debits.append(DEBIT_FAILED)
    story.wait(30 * DAY + HOUR)
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("active", 0)
    story.wait(4 * DAY)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert failure["known_at"] - failure["first_failed_at"] == 4 * DAY
    assert sold.status == "past_due"


@pytest.mark.parametrize("how", ["void", "uncollectible", "paid"])
def test_voiding_giving_up_and_being_paid_elsewhere_resolve_a_failure(story: Story, how: str) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(INSUFFICIENT)
    story.wait(30 * DAY + 2 * HOUR)
    bill = sold.latest_invoice
    assert bill is not None
    if how == "void":
        story.world.act(invoicing.void, bill)
    elif how == "uncollectible":
        story.world.act(invoicing.give_up, bill)
    else:
        story.world.act(lambda world: invoicing.paid(world, bill, charge=None, out_of_band=True))
    assert violations(story.world) == []
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["resolution"], failure["resolved_at"], sold.status) == (how, story.world.now, "active")


def test_two_failing_invoices_that_overlap_are_one_signal(story: Story) -> None:
    for amount_due in (1900, 4900):
        story.sell((plan(amount_due), 1))
        story.wait(DAY)
    story.life.outcomes.extend([INSUFFICIENT] * 2)
    story.wait(36 * DAY)
    [signal] = story.truth()["signals"]["payment_failed"]
    assert len(signal["invoices"]) == 2
    assert signal["resolved_at"] is not None


def test_cancelling_now_lapses_and_a_new_subscription_resolves_it(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(DAY)
    story.world.act(subscriptions.cancel_now, sold)
    story.wait(DAY)
    [signal] = story.truth()["signals"]["subscription_lapsed"]
    assert (signal["opened_at"], signal["resolved_at"], signal["voluntary"]) == (START + DAY, None, True)
    story.sell((plan(2900), 1))
    [signal] = story.truth()["signals"]["subscription_lapsed"]
    assert signal["resolved_at"] == START + 2 * DAY


def test_a_lapse_needs_that_nothing_else_pays(story: Story) -> None:
    first, second = story.sell((plan(1900), 1)), story.sell((plan(2900), 1))
    story.wait(DAY)
    story.world.act(subscriptions.cancel_now, first)
    assert story.truth()["lapsed_subscriptions"]["count"] == 0
    assert story.mrr() == {"usd": 2900}
    story.world.act(subscriptions.cancel_now, second)
    assert story.truth()["lapsed_subscriptions"]["count"] == 1


def test_a_trial_that_is_left_never_lapsed(story: Story) -> None:
    sold = story.sell((plan(1900), 1), terms=Terms(trial_days=14))
    story.world.act(subscriptions.cancel_later, sold)
    story.wait(15 * DAY)
    assert (sold.status, sold.ended_at) == ("canceled", START + 14 * DAY)
    assert story.truth()["lapsed_subscriptions"]["count"] == 0


def test_a_trial_that_ends_without_a_card_pauses_and_that_is_a_lapse(story: Story) -> None:
    customers.replace_method(story.who, None)
    sold = story.sell((plan(1900), 1), terms=Terms(trial_days=14, missing_method="pause"))
    story.wait(14 * DAY)
    [[lapse]] = story.truth()["lapsed_subscriptions"]["customers"].values()
    assert (sold.status, lapse["status"]) == ("paused", "paused")
    story.wait(DAY)
    customers.replace_method(story.who, new_method(story.who, "good", story.world.now))
    story.world.act(subscriptions.resume_paused, sold)
    assert (sold.status, story.mrr()) == ("active", {"usd": 1900})
    assert story.truth()["signals"]["subscription_lapsed"][0]["resolved_at"] == story.world.now


def test_a_scheduled_cancellation_counts_until_it_happens_and_may_be_taken_back(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.world.act(subscriptions.cancel_later, sold)
    assert (sold.cancel_at_period_end, sold.canceled_at, story.mrr()) == (True, START, {"usd": 1900})
    story.world.act(subscriptions.keep, sold)
    story.wait(31 * DAY)
    assert (sold.status, sold.canceled_at) == ("active", None)
    story.world.act(subscriptions.cancel_later, sold)
    story.wait(31 * DAY)
    assert (sold.status, story.mrr()) == ("canceled", {})


@pytest.mark.parametrize(("behaviour", "mrr"), [("void", 0), ("mark_uncollectible", 0), ("keep_as_draft", 1900)])
def test_paused_collection_counts_only_while_invoices_are_kept(story: Story, behaviour: Any, mrr: int) -> None:
    sold = story.sell((plan(1900), 1))
    story.world.act(subscriptions.pause_collection, sold, behaviour, START + 40 * DAY)
    assert story.mrr() == ({"usd": mrr} if mrr else {})
    story.wait(35 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    expected = {"void": "void", "mark_uncollectible": "uncollectible", "keep_as_draft": "draft"}
    assert bill.status == expected[behaviour]
    story.wait(5 * DAY)
    assert story.mrr() == {"usd": 1900}


def test_a_downgrade_that_is_settled_at_once_leaves_a_credit_for_the_next_invoice(story: Story) -> None:
    sold = story.sell((plan(4900), 1))
    story.wait(15 * DAY)
    cheap = plan(1900)
    story.world.act(
        lambda world: subscriptions.change(world, sold, sold.items[0], plan=cheap, proration="always_invoice")
    )
    assert story.mrr() == {"usd": 1900}
    assert story.who.balance == -1500
    story.wait(15 * DAY + HOUR)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.total, bill.starting_balance, bill.amount_due, bill.status) == (1900, -1500, 400, "paid")


def test_another_interval_begins_a_new_period_and_is_billed_at_once(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(10 * DAY)
    yearly = plan(19_000, interval="year")
    story.world.act(lambda world: subscriptions.change(world, sold, sold.items[0], plan=yearly))
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.reason, bill.status, len(bill.lines)) == ("subscription_update", "paid", 2)
    assert (sold.items[0].start, story.mrr()) == (story.world.now, {"usd": 1583})


def test_deleting_a_customer_ends_everything_of_theirs(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(DAY)
    story.world.act(customers.delete, story.who)
    assert (sold.status, story.mrr(), story.truth()["customers"]) == ("canceled", {}, 0)


def test_a_failing_invoice_of_an_update_counts(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(10 * DAY)
    story.life.outcomes.append(INSUFFICIENT)
    dear = plan(9900)
    story.world.act(
        lambda world: subscriptions.change(world, sold, sold.items[0], plan=dear, proration="always_invoice")
    )
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("past_due", 1)
    assert story.mrr() == {"usd": 9900}


def test_a_sent_invoice_makes_its_subscription_past_due_but_is_no_failed_payment(story: Story) -> None:
    sold = story.sell((plan(1900), 1), terms=Terms(collection_method="send_invoice", days_until_due=14))
    assert sold.status == "active"
    story.wait(14 * DAY)
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("past_due", 0)
    bill = sold.latest_invoice
    assert bill is not None
    story.world.act(payments.collect, bill)
    assert (sold.status, bill.status) == ("active", "paid")


def test_currencies_never_mix(story: Story) -> None:
    story.sell((plan(1900), 1))
    story.sell((plan(5000, currency="jpy"), 1))
    assert story.mrr() == {"jpy": 5000, "usd": 1900}
