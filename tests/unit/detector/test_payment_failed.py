"""Signal 1: an automatic payment of a running subscription failed."""

from typing import Any

import pytest

from services.detector.rules.base import Finding, Policy
from tests.unit.detector.builders import DAY, HOUR, NOW, Subject, charge, ended, intent, invoice, only

ATTEMPT = NOW - 3 * DAY + HOUR


def failures(*objects: dict[str, Any], now: int = NOW) -> list[Finding]:
    return Subject().observe(*objects).findings("payment_failed", now=now)


def test_it_opens_at_the_first_failed_charge() -> None:
    retry = charge(id="ch_2", created=NOW - DAY)
    finding = only(failures(invoice(attempt_count=2), retry, charge()))
    assert finding.opened_at == ATTEMPT
    assert finding.resolved_at is None
    assert finding.severity == "high"


def test_its_sentence_says_how_much_why_and_what_comes_next() -> None:
    finding = only(failures(invoice(), charge()))
    assert finding.sentence == (
        "A payment of $49.00 failed on 18 September 2026: insufficient funds. Stripe tries again on 22 September 2026."
    )


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(4900, "jpy", "¥4,900"), (4900, "kwd", "4.900 KWD"), (123456, "eur", "€1,234.56"), (4900, "sek", "49.00 SEK")],
)
def test_amounts_have_the_decimals_of_their_currency(amount: int, currency: str, text: str) -> None:
    finding = only(failures(invoice(amount_remaining=amount, currency=currency), charge()))
    assert f"A payment of {text} failed" in finding.sentence


@pytest.mark.parametrize(
    "other",
    [
        {"billing_reason": "subscription_create"},
        {"billing_reason": "manual", "parent": None},
        {"collection_method": "send_invoice"},
        {"status": "draft"},
    ],
    ids=["first invoice", "by hand", "sent to be paid", "draft"],
)
def test_what_is_no_failed_payment_of_a_running_subscription_opens_nothing(other: dict[str, Any]) -> None:
    assert failures(invoice(**other), charge()) == []


def test_an_invoice_that_was_not_tried_yet_has_not_failed() -> None:
    assert failures(invoice(attempted=False, attempt_count=0)) == []


def test_an_invoice_paid_outside_of_stripe_after_an_attempt_had_failed() -> None:
    by_hand = ended("paid", NOW - DAY) | {"payments": {"data": []}}
    assert only(failures(by_hand)).opened_at == ATTEMPT


@pytest.mark.parametrize("link", ["intent of the invoice", "invoice of the charge", "order reference of the intent"])
def test_a_charge_is_linked_by_whichever_object_says_so(link: str) -> None:
    bare = invoice(payments=None)
    objects = {
        "intent of the invoice": (invoice(), charge()),
        "invoice of the charge": (bare, charge(invoice="in_1", payment_intent=None)),
        "order reference of the intent": (bare, charge(), intent(payment_details={"order_reference": "in_1"})),
    }[link]
    assert only(failures(*objects)).detail["invoices"][0]["reason"] == "insufficient_funds"


def test_a_read_that_did_not_ask_for_the_payments_does_not_forget_them() -> None:
    finding = only(failures(invoice(), charge(), invoice(payments=None)))
    assert finding.detail["invoices"][0]["failed_charges"] == 1


@pytest.mark.parametrize(
    ("status", "said"), [("paid", "paid"), ("void", "voided"), ("uncollectible", "written off as uncollectible")]
)
def test_it_is_resolved_when_the_invoice_is_settled(status: str, said: str) -> None:
    finding = only(failures(invoice(), charge(), ended(status, NOW - DAY)))
    assert (finding.resolved_at, finding.resolution) == (NOW - DAY, status)
    assert finding.sentence == f"A payment of $49.00 that failed on 18 September 2026 was {said} on 20 September 2026."


def test_it_is_resolved_when_nothing_remains_due() -> None:
    finding = only(failures(invoice(), charge(), invoice(amount_remaining=0)))
    assert (finding.resolved_at, finding.resolution) == (NOW, "cleared")


def test_an_invoice_seen_only_once_it_was_paid_had_failed_if_a_charge_of_it_had() -> None:
    finding = only(failures(ended("paid", NOW - DAY), charge()))
    assert (finding.opened_at, finding.resolved_at) == (ATTEMPT, NOW - DAY)


def test_a_second_attempt_is_only_made_after_a_failed_one() -> None:
    assert only(failures(ended("paid", NOW - DAY, attempt_count=2))).opened_at == ATTEMPT


def test_an_invoice_paid_at_its_first_attempt_has_not_failed() -> None:
    paid = charge(status="succeeded", outcome={"type": "authorized"})
    assert failures(ended("paid", ATTEMPT), paid) == []


def test_a_charge_made_long_after_the_finalization_paid_what_had_failed_without_one() -> None:
    paid = charge(status="succeeded", created=NOW - DAY)
    assert only(failures(ended("paid", NOW - DAY), paid)).opened_at == ATTEMPT


def test_an_attempt_without_a_charge_opens_at_the_finalization() -> None:
    finding = only(failures(invoice(next_payment_attempt=None), intent()))
    assert finding.opened_at == ATTEMPT
    assert finding.severity == "critical"
    assert finding.sentence.endswith("no charge could be made. No further attempt is scheduled.")


def test_an_attempt_without_a_charge_stays_the_first_though_a_retry_made_one() -> None:
    assert only(failures(invoice(attempt_count=2), charge(created=NOW - DAY))).opened_at == ATTEMPT


def test_a_confirmation_that_is_missing_is_named() -> None:
    finding = only(failures(invoice(), intent(status="requires_action")))
    assert "the customer has to confirm it with the bank" in finding.sentence


def test_a_bank_debit_on_its_way_has_not_failed_and_once_it_bounces_it_failed_at_its_attempt() -> None:
    subject = Subject().observe(invoice(), charge(status="pending", payment_method_details={"type": "sepa_debit"}))
    assert subject.findings("payment_failed") == []
    bounced = charge(payment_method_details={"type": "sepa_debit"}, failure_code="debit_not_authorized", outcome=None)
    finding = only(subject.observe(bounced).findings("payment_failed"))
    assert finding.opened_at == ATTEMPT
    assert "did not authorize the debit" in finding.sentence


def test_a_bank_debit_that_went_through_never_was_a_failure() -> None:
    settled = charge(status="succeeded", payment_method_details={"type": "us_bank_account"})
    assert failures(invoice(), ended("paid", NOW), settled) == []


def test_an_attempt_without_a_charge_waits_until_its_charge_would_have_arrived() -> None:
    subject = Subject().observe(invoice(created=NOW - HOUR - 60))
    assert subject.findings("payment_failed") == []
    assert subject.findings("payment_failed", now=NOW + HOUR) != []


def test_a_hard_decline_is_critical() -> None:
    stolen = charge(outcome={"type": "issuer_declined", "reason": "stolen_card"})
    finding = only(failures(invoice(), stolen))
    assert finding.severity == "critical"
    assert finding.detail["invoices"][0]["hard_decline"] is True


def test_the_issuers_advice_not_to_try_again_is_a_hard_decline() -> None:
    advised = charge(outcome={"reason": "do_not_honor", "advice_code": "do_not_try_again"})
    assert only(failures(invoice(), advised)).severity == "critical"


def test_the_counter_that_goes_on_after_a_hard_decline_is_no_further_failure() -> None:
    stolen = charge(outcome={"reason": "lost_card"})
    finding = only(failures(invoice(), stolen, invoice(attempt_count=3)))
    assert finding.detail["invoices"][0]["failed_charges"] == 1
    assert finding.opened_at == ATTEMPT


def second(**changes: Any) -> dict[str, Any]:
    return invoice(
        id="in_2",
        created=NOW - DAY,
        payments={"data": [{"payment": {"payment_intent": "pi_2"}}]},
        currency="eur",
        amount_due=2000,
        amount_remaining=2000,
        **changes,
    )


def test_a_second_failing_invoice_joins_the_open_signal() -> None:
    finding = only(
        failures(invoice(), charge(), second(), charge(id="ch_2", payment_intent="pi_2", created=NOW - DAY + HOUR))
    )
    assert finding.opened_at == ATTEMPT
    assert [one["invoice_id"] for one in finding.detail["invoices"]] == ["in_1", "in_2"]
    assert finding.sentence.startswith("2 payments, €20.00 and $49.00 in all, have failed since 18 September 2026")


def test_it_stays_open_until_the_last_invoice_is_settled() -> None:
    late = charge(id="ch_2", payment_intent="pi_2", created=NOW - DAY + HOUR)
    finding = only(failures(ended("paid", NOW - HOUR), charge(), second(), late))
    assert finding.resolved_at is None
    assert finding.sentence.startswith("A payment of €20.00 failed") or "2 payments" in finding.sentence


def test_an_invoice_that_fails_after_the_first_was_settled_is_a_signal_of_its_own() -> None:
    late = charge(id="ch_2", payment_intent="pi_2", created=NOW - DAY + HOUR)
    first, other = failures(ended("paid", NOW - 2 * DAY), charge(), second(), late)
    assert first.resolved_at == NOW - 2 * DAY
    assert (other.opened_at, other.resolved_at) == (NOW - DAY + HOUR, None)
    assert first.cause != other.cause


def test_what_failed_longer_than_thirty_days_before_the_first_look_opens_nothing() -> None:
    old = ended("paid", NOW - 31 * DAY, created=NOW - 41 * DAY)
    assert failures(old, charge(created=NOW - 41 * DAY + HOUR)) == []


def test_an_old_failure_counts_as_long_as_a_newer_one_joins_it() -> None:
    old = invoice(created=NOW - 41 * DAY)
    late = charge(id="ch_2", payment_intent="pi_2", created=NOW - DAY + HOUR)
    finding = only(failures(old, charge(created=NOW - 41 * DAY + HOUR), second(), late))
    assert finding.opened_at == NOW - 41 * DAY + HOUR


def test_how_far_back_history_counts_is_the_policys() -> None:
    old = ended("paid", NOW - 31 * DAY, created=NOW - 41 * DAY)
    subject = Subject().observe(old, charge(created=NOW - 41 * DAY + HOUR))
    assert subject.findings("payment_failed", policy=Policy(history_days=60)) != []


def test_its_evidence_names_the_records_that_count() -> None:
    finding = only(failures(invoice(), charge(), ended("paid", NOW - DAY)))
    assert [(one.kind, one.object_id, one.seen.offset) for one in finding.evidence] == [
        ("invoice", "in_1", 1),
        ("charge", "ch_1", 2),
        ("invoice", "in_1", 3),
    ]
