"""What a fresh read of a customer reads, and what is answered."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadRecord
from pipeline.records import Record
from schemas.catalogue import STRIPE_REFRESH_REQUEST
from schemas.envelope import Envelope
from schemas.events.stripe import RefreshRequest
from services.poller.budget import Spent
from services.poller.kinds import KINDS
from services.poller.publishing.changes import Known
from services.poller.reading.capabilities import Capabilities
from services.poller.refresh.core import (
    TOO_OLD,
    Asked,
    Wanted,
    by_customer,
    conclude,
    is_gone,
    lists_of,
    missing_permission,
    still_to_read,
    unreadable,
    used_up,
    why_not_read,
)
from services.poller.refresh.requests import RefreshRequests
from tests.unit.poller.builders import CONNECTION, NOON, customer, invoice, seen, subscription

FULL = Capabilities(dict.fromkeys(KINDS, "granted"))


def asked(number: int = 1, *, customer_id: str = "cus_1", invoices: tuple[str, ...] = ()) -> Asked:
    return Asked(f"r{number}", "ws_1", CONNECTION, customer_id, invoices, NOON, NOON, "email 1 of 3 is due")


def wanted(*invoices: str) -> Wanted:
    return by_customer([asked(invoices=invoices)])[0]


def known(version: int, *, subject: str = f"{CONNECTION}/cus_1") -> Known:
    return Known("invoice", subject, "f", version, "i", version, version + 1, "open")


def test_requests_about_one_customer_are_answered_by_one_read() -> None:
    reads = by_customer(
        [asked(1, invoices=("in_1",)), asked(2, customer_id="cus_2"), asked(3, invoices=("in_2", "in_1"))]
    )
    assert [(read.customer_id, read.invoice_ids, len(read.requests)) for read in reads] == [
        ("cus_1", ("in_1", "in_2"), 2),
        ("cus_2", (), 1),
    ]
    answers = reads[0].answers(read_at=NOON, outcome="unchanged", versions={"in_1": 5})
    assert [answer.asked.request_id for answer in answers] == ["r1", "r3"]


@given(st.lists(st.sampled_from(["cus_1", "cus_2", "cus_3"])))
def test_every_request_is_answered_by_exactly_one_read(customers: list[str]) -> None:
    requests = [asked(number, customer_id=customer_id) for number, customer_id in enumerate(customers)]
    answered = [request for read in by_customer(requests) for request in read.requests]
    assert sorted(answered, key=lambda each: each.request_id) == sorted(requests, key=lambda each: each.request_id)


def test_it_reads_all_subscriptions_and_then_the_open_invoices_of_the_customer() -> None:
    subscriptions, invoices = lists_of("cus_1", FULL)
    assert (subscriptions.kind, dict(subscriptions.filters)) == (
        "subscription",
        {"customer": "cus_1", "status": "all"},
    )
    assert subscriptions.expand >= {"customer", "latest_invoice.payments", "discounts", "items.data.discounts"}
    assert (invoices.kind, dict(invoices.filters)) == ("invoice", {"customer": "cus_1", "status": "open"})
    assert invoices.expand == {"payments"}


def test_invoices_that_are_not_open_any_more_are_read_alone() -> None:
    open_one = seen("invoice", invoice(1), 1)
    whose = seen("customer", customer(1), 2)
    assert still_to_read(wanted("in_1", "in_2"), [open_one, whose], FULL) == (("invoice", "in_2"),)


def test_a_customer_that_no_subscription_brought_along_is_read_alone() -> None:
    assert still_to_read(wanted(), [seen("subscription", subscription(1), 1)], FULL) == (("customer", "cus_1"),)
    assert still_to_read(wanted(), [], FULL.without("customer")) == ()


def test_nothing_newer_than_the_beginning_of_the_read_is_unchanged() -> None:
    objects = {"in_1": known(3), "in_2": known(9)}
    assert conclude(wanted(), objects, gone=False, since=10) == ("unchanged", {"in_1": 3, "in_2": 9})
    assert conclude(wanted(), objects, gone=False, since=9) == ("changed", {"in_1": 3, "in_2": 9})
    assert conclude(wanted(), objects, gone=True, since=10)[0] == "deleted"


def test_versions_of_another_subject_are_not_waited_for() -> None:
    objects = {"in_1": known(3), "in_2": known(12, subject=f"{CONNECTION}/cus_2")}
    assert conclude(wanted(), objects, gone=False, since=10) == ("unchanged", {"in_1": 3})


def test_only_the_customer_itself_can_be_gone() -> None:
    gone = {"id": "cus_1", "object": "customer", "deleted": True}
    assert is_gone("cus_1", [seen("customer", gone, 1)])
    assert not is_gone("cus_2", [seen("customer", gone, 1)])
    assert not is_gone("cus_1", [seen("customer", customer(1), 1)])


def test_a_key_without_the_permissions_cannot_answer() -> None:
    assert missing_permission(FULL) is None
    assert "Invoices: Read" in str(missing_permission(FULL.without("invoice")))
    assert "Subscriptions: Read" in str(missing_permission(FULL.without("subscription")))


def test_who_asks_is_told_whether_the_day_or_the_window_is_spent() -> None:
    assert "tomorrow" in used_up(Spent(date(2026, 1, 2), of_window=False))
    assert "as many as usual from 21 January" in used_up(Spent(date(2026, 1, 21), of_window=True))


def test_a_refusal_names_no_versions() -> None:
    (answer,) = unreadable([asked()], "because", read_at=NOON)
    assert (answer.outcome, answer.reason, answer.versions) == ("unreadable", "because", {})


@pytest.mark.parametrize(
    ("phase", "said", "age", "reason"),
    [
        (None, None, 1, "no such connection"),
        ("ended", "Disconnected.", 1, "disconnected"),
        ("first_minute", None, 1, "for the first time"),
        ("stopped", "The key has expired.", 1, "The key has expired."),
        ("live", "Stripe is away.", 1, "Stripe is away."),
        ("live", None, TOO_OLD.total_seconds() + 60, "61 minutes old"),
    ],
)
def test_why_nothing_is_read_is_said(phase: str | None, said: str | None, age: float, reason: str) -> None:
    assert reason in why_not_read(phase, said, age=timedelta(seconds=age))


def record(*, subject: str | None = None, value: bytes | None = None, **changes: object) -> Record:
    request = RefreshRequest(
        request_id="r1",
        connection_id=CONNECTION,
        customer_id="cus_1",
        invoice_ids=("in_1",),
        requested_at=NOON,
        reason="email 1 of 3 is due",
    ).model_copy(update=changes)
    whose = subject or f"{CONNECTION}/{request.customer_id}"
    envelope = Envelope(
        id="e", source="test", type=STRIPE_REFRESH_REQUEST.name, time=NOON, subject=whose, workspace_id="ws_1"
    )
    body = request.encode() if value is None else value
    at = int(datetime(2026, 11, 24, 13, tzinfo=UTC).timestamp() * 1000)
    return Record(STRIPE_REFRESH_REQUEST.name, 0, 7, whose.encode(), body, envelope.headers(), at)


def test_a_request_is_as_old_as_its_record_by_the_machines_clock() -> None:
    found = RefreshRequests().decode(record())
    assert found == replace(asked(invoices=("in_1",)), asked_at=NOON + timedelta(hours=1))
    assert found.subject == f"{CONNECTION}/cus_1"


@pytest.mark.parametrize(
    "bad",
    [
        record(value=b"{}"),
        record(value=b"\xff"),
        record(customer_id="../charges"),
        record(invoice_ids=("in_1?expand[]=charge",)),
        record(subject=f"{CONNECTION}/cus_2"),
    ],
    ids=["no request", "no JSON", "a path", "a query", "somebody else's"],
)
def test_what_is_no_request_of_its_subject_is_a_bad_record(bad: Record) -> None:
    with pytest.raises(BadRecord):
        RefreshRequests().decode(bad)
