"""When an object is read alone again."""

from dataclasses import replace

import pytest

from services.poller.kinds import Kind
from services.poller.publishing.changes import Changed, Known
from services.poller.reading.pages import Facts
from services.poller.steady.follow import (
    charges_to_look_at,
    due_at,
    intents_to_look_at,
    new_transactions,
    next_due,
    settled_intents,
    subscriptions_to_look_at,
    unmatched_customers,
)
from tests.unit.poller.builders import charge, read, subscription

NOW = 1_000_000


def changed(kind: Kind, facts: Facts, was: str | None = None) -> Changed:
    known = Known(kind, "con_1/cus_1", "f", 1, "i", 1, 2, facts.status)
    return Changed(f"{kind}_1", known, facts, deleted=False, was=was)


def test_an_open_invoice_is_read_ten_minutes_after_its_next_attempt() -> None:
    assert due_at("invoice", Facts(status="open", next_attempt=NOW + 60), seen_at=NOW) == NOW + 660
    assert due_at("invoice", Facts(status="paid", next_attempt=NOW + 60), seen_at=NOW) is None
    assert due_at("invoice", Facts(status="open"), seen_at=NOW) is None


def test_a_draft_is_read_ten_minutes_after_its_first_attempt_since_no_list_of_open_invoices_has_it() -> None:
    assert due_at("invoice", Facts(status="draft", next_attempt=NOW + 60), seen_at=NOW) == NOW + 660


def test_a_subscription_is_read_when_its_trial_ends_since_one_that_pauses_then_is_in_no_hot_list() -> None:
    assert due_at("subscription", Facts(status="trialing", trial_end=NOW + 60), seen_at=NOW) == NOW + 660
    sooner = Facts(status="trialing", trial_end=NOW + 60, ends_at=NOW + 30)
    assert due_at("subscription", sooner, seen_at=NOW) == NOW + 30
    assert due_at("subscription", Facts(status="active", trial_end=NOW + 60), seen_at=NOW) is None


def test_charges_on_no_known_invoice_lead_to_the_invoices_of_their_customers_failed_ones_first() -> None:
    def row(status: str, customer: str) -> Changed:
        one = changed("charge", Facts(status=status))
        return replace(one, known=replace(one.known, subject=f"con_1/{customer}"))

    settled = {"pi_1": row("succeeded", "cus_1"), "pi_2": row("failed", "cus_2"), "pi_3": row("failed", "cus_3")}
    assert unmatched_customers(settled, {"pi_3": "in_3"}) == [("cus_2", "open"), ("cus_1", None)]
    both = {"pi_1": row("failed", "cus_1"), "pi_2": row("succeeded", "cus_1")}
    assert unmatched_customers(both, {}) == [("cus_1", None)]
    failures = {"pi_1": row("failed", "cus_1"), "pi_2": row("failed", "cus_1")}
    assert unmatched_customers(failures, {}) == [("cus_1", "open")]
    assert unmatched_customers({"pi_1": row("succeeded", "ch_1")}, {}) == []


def test_what_is_past_already_is_put_off_so_that_it_is_not_read_at_every_poll() -> None:
    assert due_at("invoice", Facts(status="open", next_attempt=5), seen_at=NOW) == NOW + 3600


def test_what_was_read_alone_without_news_is_read_again_when_it_is_due_and_not_before() -> None:
    debit = read("charge", charge(status="pending"))
    assert next_due(debit, seen_at=NOW) == NOW + 4 * 3600
    assert next_due(read("subscription", subscription()), seen_at=NOW) is None
    assert next_due(replace(debit, deleted=True), seen_at=NOW) is None


def test_a_bank_debit_is_read_again_until_it_settles() -> None:
    due = due_at("charge", Facts(status="pending"), seen_at=NOW)
    assert due is not None
    assert NOW < due <= NOW + 86_400
    assert due_at("charge", Facts(status="failed"), seen_at=NOW) is None


def test_a_scheduled_end_is_read_when_it_comes() -> None:
    assert due_at("subscription", Facts(status="active", ends_at=NOW + 5), seen_at=NOW) == NOW + 5
    assert due_at("subscription", Facts(status="canceled", ends_at=NOW + 5), seen_at=NOW) is None


def test_an_open_dispute_is_read_daily() -> None:
    assert due_at("dispute", Facts(status="needs_response"), seen_at=NOW) == NOW + 86_400
    assert due_at("dispute", Facts(status="lost"), seen_at=NOW) is None


def test_charges_that_settled_lead_to_their_invoices() -> None:
    failed = changed("charge", Facts(status="failed", payment_intents=("pi_1",)))
    pending = changed("charge", Facts(status="pending", payment_intents=("pi_2",)))
    assert set(settled_intents([failed, pending])) == {"pi_1"}


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_payment_that_failed_and_then_went_through_has_an_invoice_that_is_open_no_longer(newest_first: bool) -> None:
    failed = changed("charge", Facts(status="failed", payment_intents=("pi_1",)))
    paid = changed("charge", Facts(status="succeeded", payment_intents=("pi_1",)))
    settled = settled_intents([paid, failed] if newest_first else [failed, paid])
    assert unmatched_customers(settled, {}) == [("cus_1", None)]


def test_an_invoice_that_failed_or_finished_leads_to_its_subscription_and_payment_intent() -> None:
    facts = Facts(subscription="sub_1", payment_intents=("pi_1",))
    failed = changed("invoice", replace(facts, status="open", attempted=True), was="open")
    voided = changed("invoice", replace(facts, status="void"), was="open")
    draft = changed("invoice", replace(facts, status="draft"))
    renewed = changed("invoice", replace(facts, status="paid"), was="draft")
    recovered = changed("invoice", replace(facts, status="paid"), was="open")
    upgrade = changed("invoice", replace(facts, status="paid", bills_a_change=True))
    assert subscriptions_to_look_at([renewed]) == []
    assert subscriptions_to_look_at([recovered]) == subscriptions_to_look_at([upgrade]) == ["sub_1"]
    assert subscriptions_to_look_at([failed]) == ["sub_1"]
    assert intents_to_look_at([voided], since=0) == ["pi_1"]
    assert subscriptions_to_look_at([draft]) == []


def test_a_charge_counts_as_a_transaction_once_when_it_succeeded() -> None:
    succeeded = Facts(status="succeeded", created=7)
    rows = (changed("charge", succeeded, was="pending"), changed("charge", succeeded, was="succeeded"))
    assert new_transactions(rows) == (7,)


def test_a_dispute_leads_to_its_charge() -> None:
    assert charges_to_look_at([changed("dispute", Facts(status="needs_response", charge="ch_1"))]) == ["ch_1"]


def test_the_payment_intents_of_what_was_finished_before_the_connection_was_made_are_history() -> None:
    facts = Facts(status="paid", created=1_000, payment_intents=("pi_1",))
    first_seen, finished = changed("invoice", facts), changed("invoice", facts, was="open")
    assert intents_to_look_at([first_seen], since=1_001) == []
    assert intents_to_look_at([first_seen], since=1_000) == intents_to_look_at([finished], since=1_001) == ["pi_1"]
