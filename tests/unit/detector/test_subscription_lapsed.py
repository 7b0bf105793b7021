"""Signal 2: a subscription lapsed and its customer has no other that counts toward MRR."""

from typing import Any

import pytest

from services.detector.rules.base import GRACE, Finding
from tests.unit.detector.builders import DAY, HOUR, NOW, Subject, charge, ended, invoice, only, subscription

LAPSED = NOW - 2 * DAY


def canceled(reason: str | None = "cancellation_requested", at: int = LAPSED, **changes: Any) -> dict[str, Any]:
    return subscription(
        status="canceled", canceled_at=at, ended_at=at, cancellation_details={"reason": reason}, **changes
    )


def lapses(*objects: dict[str, Any]) -> list[Finding]:
    return Subject().observe(*objects).findings("subscription_lapsed", now=NOW + GRACE)


def test_a_canceled_subscription_lapsed_when_it_ended() -> None:
    finding = only(lapses(canceled()))
    assert (finding.opened_at, finding.resolved_at, finding.severity) == (LAPSED, None, "critical")
    assert finding.sentence == (
        "The subscription was canceled on 19 September 2026, and the customer has no other that pays."
    )


@pytest.mark.parametrize(
    ("reason", "voluntary"),
    [("cancellation_requested", True), ("payment_failed", False), ("payment_disputed", False), (None, True)],
)
def test_it_says_whether_the_customer_wanted_it(reason: str | None, voluntary: bool) -> None:
    assert only(lapses(canceled(reason))).detail["voluntary"] is voluntary


def test_without_a_reason_an_end_after_failed_payments_is_involuntary() -> None:
    subject = Subject().observe(subscription(status="past_due"), at=NOW - 3 * DAY).observe(canceled(None))
    assert only(subject.findings("subscription_lapsed")).detail["voluntary"] is False


@pytest.mark.parametrize("status", ["active", "past_due"])
def test_another_subscription_that_counts_prevents_it(status: str) -> None:
    assert lapses(canceled(), subscription(id="sub_2", status=status)) == []


@pytest.mark.parametrize("status", ["trialing", "incomplete", "unpaid"])
def test_another_subscription_that_does_not_count_does_not(status: str) -> None:
    other = subscription(id="sub_2", status=status, start_date=NOW - DAY, trial_end=NOW + DAY)
    assert LAPSED in [finding.opened_at for finding in lapses(canceled(), other)]


def test_another_whose_collection_is_paused_does_not_count() -> None:
    paused = subscription(id="sub_2", pause_collection={"behavior": "void"})
    assert len(lapses(canceled(), paused)) == 1


def test_pausing_collection_is_no_lapse() -> None:
    assert lapses(subscription(), subscription(pause_collection={"behavior": "void"})) == []


def test_the_last_of_several_opens_it() -> None:
    other = canceled(at=NOW - HOUR, id="sub_2")
    assert only(lapses(canceled(), other)).opened_at == NOW - HOUR


def test_it_is_resolved_by_a_new_subscription_that_counts() -> None:
    new = subscription(id="sub_2", start_date=NOW - DAY, created=NOW - DAY)
    finding = only(lapses(canceled(), new))
    assert (finding.resolved_at, finding.resolution) == (NOW - DAY, "paying_again")
    assert finding.sentence.endswith("; the customer has paid again since 20 September 2026.")


def test_a_new_trial_resolves_it_only_when_it_converts() -> None:
    trial = subscription(id="sub_2", status="trialing", start_date=NOW - DAY, trial_end=NOW + 6 * DAY)
    subject = Subject().observe(canceled(), trial)
    assert only(subject.findings("subscription_lapsed")).resolved_at is None
    subject.observe({**trial, "status": "active"}, at=NOW + 7 * DAY)
    assert only(subject.findings("subscription_lapsed")).resolved_at == NOW + 6 * DAY


def test_a_second_lapse_after_paying_again_is_a_signal_of_its_own() -> None:
    again = canceled(at=NOW - HOUR, id="sub_2", start_date=NOW - DAY)
    first, second = lapses(canceled(), again)
    assert (first.resolved_at, second.opened_at) == (NOW - DAY, NOW - HOUR)


def test_a_trial_that_was_canceled_never_was_a_paying_subscription() -> None:
    assert lapses(canceled(start_date=NOW - 5 * DAY, trial_end=NOW + 2 * DAY)) == []


def test_an_abandoned_checkout_never_was_a_paying_subscription() -> None:
    assert lapses(subscription(status="incomplete_expired", ended_at=LAPSED)) == []


def test_an_expired_one_that_had_been_active_lapsed() -> None:
    subject = Subject().observe(subscription(), at=NOW - 3 * DAY)
    subject.observe(subscription(status="incomplete_expired", ended_at=LAPSED))
    assert only(subject.findings("subscription_lapsed")).opened_at == LAPSED


def test_a_trial_that_ended_without_a_payment_method_lapsed_when_it_ended() -> None:
    finding = only(lapses(subscription(status="paused", start_date=NOW - 9 * DAY, trial_end=LAPSED)))
    assert finding.opened_at == LAPSED
    assert finding.sentence.startswith("The trial ended on 19 September 2026 without a payment method")


def test_a_paused_one_that_is_resumed_is_resolved_when_its_billing_began_anew() -> None:
    paused = subscription(status="paused", start_date=NOW - 9 * DAY, trial_end=LAPSED)
    resumed = {**paused, "status": "active", "billing_cycle_anchor": NOW + DAY}
    subject = Subject().observe(paused).observe(resumed, at=NOW + DAY + HOUR)
    assert only(subject.findings("subscription_lapsed")).resolved_at == NOW + DAY


def test_a_pause_that_was_over_before_the_first_look_is_seen_by_the_invoice_that_is_missing() -> None:
    resumed = subscription(start_date=NOW - 19 * DAY, trial_end=NOW - 9 * DAY, billing_cycle_anchor=LAPSED)
    finding = only(lapses(resumed))
    assert (finding.opened_at, finding.resolved_at) == (NOW - 9 * DAY, LAPSED)
    converted = invoice(created=NOW - 9 * DAY)
    assert lapses(resumed, converted) == []


def test_unpaid_lapsed_at_the_last_failed_charge() -> None:
    retried = invoice(attempt_count=2, next_payment_attempt=None, created=NOW - 10 * DAY)
    first, last = charge(created=NOW - 10 * DAY + HOUR), charge(id="ch_2", created=LAPSED)
    finding = only(lapses(subscription(status="unpaid"), retried, first, last))
    assert (finding.opened_at, finding.detail["voluntary"]) == (LAPSED, False)


def test_unpaid_lapsed_when_it_was_seen_to_change_if_the_retries_made_no_charge() -> None:
    subject = Subject().observe(subscription(status="past_due"), at=NOW - 3 * DAY)
    subject.observe(invoice(attempt_count=4, created=NOW - 20 * DAY), charge(created=NOW - 20 * DAY + HOUR))
    subject.observe(subscription(status="unpaid"), at=LAPSED)
    assert only(subject.findings("subscription_lapsed")).opened_at == LAPSED


def test_when_it_became_unpaid_stays_what_it_was_once_it_is_paid_and_renewed() -> None:
    retried = invoice(attempt_count=2, next_payment_attempt=None, created=NOW - 10 * DAY)
    first, last = charge(created=NOW - 10 * DAY + HOUR), charge(id="ch_2", created=LAPSED)
    subject = Subject().observe(subscription(status="unpaid"), retried, first, last)
    subject.observe(subscription(), ended("paid", NOW + DAY, attempt_count=2, created=NOW - 10 * DAY), at=NOW + DAY)
    renewed = ended("paid", NOW + 5 * DAY, created=NOW + 5 * DAY - HOUR, id="in_2", payments=None)
    finding = only(subject.observe(renewed, at=NOW + 5 * DAY).findings("subscription_lapsed", now=NOW + 6 * DAY))
    assert (finding.opened_at, finding.resolved_at) == (LAPSED, NOW + DAY)


def test_deleting_a_customer_ends_what_it_had_though_nobody_read_the_subscription_again() -> None:
    gone = {"id": "cus_1", "object": "customer", "deleted": True}
    subject = Subject().observe(subscription()).observe(gone, at=LAPSED)
    assert only(subject.findings("subscription_lapsed", now=LAPSED + GRACE)).opened_at == LAPSED
    assert subject.findings("subscription_lapsed", now=LAPSED) == []


def test_who_left_longer_than_thirty_days_before_the_first_look_is_no_news() -> None:
    assert lapses(canceled(at=NOW - 31 * DAY)) == []
