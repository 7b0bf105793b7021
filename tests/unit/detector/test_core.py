"""What is said of a signal over its life: opened, updated, resolved, withdrawn; nothing twice."""

import json

from services.detector import core
from services.detector.messages import event_id, event_of, row_of
from services.detector.rules.base import Policy
from tests.unit.detector.builders import DAY, HOUR, NOW, Subject, charge, ended, intent, invoice, subscription


def test_a_new_failure_is_opened_and_said_once() -> None:
    subject = Subject().observe(invoice(), charge())
    assert subject.decide() == ["payment_failed opened"]
    assert subject.decide() == []


def test_a_record_that_changes_nothing_of_it_says_nothing() -> None:
    subject = Subject().observe(invoice(), charge())
    subject.decide()
    assert subject.observe(invoice(), charge()).decide() == []


def test_a_further_attempt_updates_it() -> None:
    subject = Subject().observe(invoice(), charge())
    subject.decide()
    subject.observe(charge(id="ch_2", created=NOW - HOUR), invoice(attempt_count=2))
    assert subject.decide() == ["payment_failed updated"]


def test_a_payment_resolves_it() -> None:
    subject = Subject().observe(invoice(), charge())
    subject.decide()
    assert subject.observe(ended("paid", NOW)).decide() == ["payment_failed resolved"]


def test_what_is_seen_only_when_it_is_over_is_opened_and_resolved() -> None:
    subject = Subject().observe(ended("paid", NOW - DAY), charge())
    assert subject.decide() == ["payment_failed opened", "payment_failed resolved"]


def test_what_late_facts_refute_is_withdrawn_and_can_come_back_under_its_name() -> None:
    subject = Subject().observe(invoice(), intent())
    assert subject.decide() == ["payment_failed opened"]
    (name,) = subject.state.signals
    subject.observe(charge(status="pending"))
    assert subject.decide() == ["payment_failed withdrawn"]
    assert subject.decide() == []
    subject.observe(charge())
    assert subject.decide() == ["payment_failed opened"]
    assert list(subject.state.signals) == [name]
    assert subject.state.signals[name].revision == 3


def test_two_signals_of_a_customer_are_apart() -> None:
    lapsed = subscription(status="canceled", ended_at=NOW - HOUR, cancellation_details={"reason": "payment_failed"})
    assert Subject().observe(invoice(), charge(), lapsed).decide() == [
        "payment_failed opened",
        "subscription_lapsed opened",
    ]


def test_a_rule_that_waits_asks_to_be_asked_again() -> None:
    fresh = Subject().observe(invoice(created=NOW - HOUR - 60))
    outcome = core.decide(fresh.state, Policy(), NOW)
    assert outcome.publications == ()
    due_at = outcome.timers["payment_failed"]
    assert due_at > NOW
    assert core.decide(fresh.state, Policy(), due_at).publications != ()


def test_every_publication_has_an_id_of_its_own_and_the_same_one_every_time() -> None:
    def said() -> list[str]:
        subject, ids = Subject(), []
        for obj in (invoice(), charge(), ended("paid", NOW)):
            outcome = core.decide(subject.observe(obj).state, Policy(), NOW)
            subject.state = outcome.state
            ids += [event_id(subject.state.subject, publication) for publication in outcome.publications]
        return ids

    assert said() == said()
    assert len(set(said())) == len(said()) == 3


def test_the_event_says_who_what_and_by_which_records() -> None:
    subject = Subject().observe(invoice(), charge())
    (publication,) = core.decide(subject.state, Policy(), NOW).publications
    event = json.loads(event_of(subject.state.facts, publication).encode())
    assert (event["workspace_id"], event["connection_id"], event["customer_id"]) == ("ws_1", "con_1", "cus_1")
    assert (event["state"], event["resolved_at"]) == ("opened", None)
    assert event["evidence"][1] == {
        "source": {"topic": "stripe.charge.raw.v1", "partition": 0, "offset": 2},
        "object_id": "ch_1",
        "says": "The attempt of 18 September 2026 failed: insufficient funds.",
    }


def test_a_failure_that_is_over_is_first_told_as_open() -> None:
    subject = Subject().observe(ended("paid", NOW - DAY), charge())
    opened, resolved = core.decide(subject.state, Policy(), NOW).publications
    assert event_of(subject.state.facts, opened).resolved_at is None
    assert row_of("con_1/cus_1", subject.state.facts, opened).state == "open"
    row = row_of("con_1/cus_1", subject.state.facts, resolved)
    assert (row.state, row.resolution) == ("resolved", "paid")
