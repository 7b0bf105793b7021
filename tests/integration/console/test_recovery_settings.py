"""Settings → Recovery: the sender with its test, and the policy of emails; every change is a decision."""

from typing import Any

import pytest

from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.test_dashboard import connected

PAGE = "/settings/recovery"
ADDRESS = "billing@acme.example"
POLICY = {
    "days": "0, 3, 7",
    "wait_minutes": "60",
    "first_hour": "9",
    "last_hour": "17",
    "gap_hours": "24",
    "recovery_days": "30",
    "stop_when_canceling": "yes",
    "thresholds": "",
}


def save(company: Company, section: str, **fields: str) -> Any:
    return company.browser.send(PAGE, f"{PAGE}/{section}", fields)


def decided(console: RunningConsole, company: Company) -> list[tuple[str, Any]]:
    """(kind, detail) of everything that was decided, in order."""
    rows = console.rows(
        "SELECT kind, detail FROM control.decisions WHERE workspace_id = %s ORDER BY decided_at", company.workspace_id
    )
    return [(kind, detail) for kind, detail in rows]


def settle_test(console: RunningConsole, company: Company, state: str, reply: str = "250 taken") -> None:
    """Do as dunning does with the newest test that was asked for."""
    ((decision_id, to),) = console.rows(
        "SELECT decision_id, detail ->> 'to' FROM control.decisions"
        " WHERE workspace_id = %s AND kind = 'dunning.test_send' ORDER BY decided_at DESC LIMIT 1",
        company.workspace_id,
    )
    at = "2026-11-24T12:00:00Z"
    console.add(
        "dunning.decisions",
        decision_id=decision_id,
        workspace_id=company.workspace_id,
        kind="dunning.test_send",
        detail={"to": to},
        decided_by="mem_1",
        effective_at=at,
        source_topic="control.decision.v1",
        source_partition=0,
        source_offset=0,
    )
    console.add(
        "dunning_io.sender_tests",
        decision_id=decision_id,
        workspace_id=company.workspace_id,
        sender=ADDRESS,
        recipient=to,
        state=state,
        reply=reply,
        changed_at=at,
    )


def test_a_sender_counts_once_its_test_went_and_a_person_says_that_it_arrived(
    console: RunningConsole, company: Company
) -> None:
    save(company, "sender", address=ADDRESS, name="Acme", reply_to="")
    assert "No customer is emailed before a test email from" in company.browser.get(PAGE).text
    assert save(company, "test", to=company.email).status_code == 303
    settle_test(console, company, "sent")
    page = company.browser.get(PAGE).text
    assert f"The mail server took the test email to {company.email}" in page
    assert "250 taken" in page
    assert save(company, "passed", address=ADDRESS).status_code == 303
    assert "Emails may go from it" in company.browser.get(PAGE).text
    assert decided(console, company) == [
        ("dunning.sender", {"address": ADDRESS, "name": "Acme", "passed": False}),
        ("dunning.test_send", {"to": company.email}),
        ("dunning.sender", {"address": ADDRESS, "name": "Acme", "passed": True}),
    ]


def test_a_sender_that_has_to_be_proven_again_is_told_where_the_emails_are(
    console: RunningConsole, company: Company
) -> None:
    connected(console, company)
    save(company, "sending", mode="on")
    assert "Sending has no sender" in company.browser.get("/dunning").text
    save(company, "sender", address=ADDRESS, name="Acme", reply_to="")
    page = company.browser.get("/dunning").text
    assert f"{ADDRESS} has not passed its test" in page
    assert "payments that fail are gathered as proposals" in page
    assert f"nothing goes before {ADDRESS} has passed its test" in company.browser.get(PAGE).text


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_nobody_can_say_that_a_test_arrived_that_did_not_go(
    console: RunningConsole, company: Company, state: str
) -> None:
    save(company, "sender", address=ADDRESS, name="Acme", reply_to="")
    assert save(company, "passed", address=ADDRESS).status_code == 409
    save(company, "test", to=company.email)
    settle_test(console, company, state, reply="550 who are you?")
    page = company.browser.get(PAGE).text
    assert "550 who are you?" in page
    assert "It arrived" not in page
    refused = save(company, "passed", address=ADDRESS)
    assert refused.status_code == 409
    assert "No test email went from" in refused.text
    body = {"kind": "dunning.sender", "detail": {"address": ADDRESS, "passed": True}, "workspace": company.workspace_id}
    assert console.operator.post("/api/decisions", json=body).status_code == 409


def test_another_address_has_to_pass_its_test_and_another_name_has_not(
    console: RunningConsole, company: Company
) -> None:
    save(company, "sender", address=ADDRESS, name="Acme", reply_to="")
    save(company, "test", to=company.email)
    settle_test(console, company, "sent")
    save(company, "passed", address=ADDRESS)
    save(company, "sender", address=ADDRESS, name="Acme Billing", reply_to="")
    save(company, "sender", address="money@acme.example", name="Acme Billing", reply_to="help@acme.example")
    senders = [detail for kind, detail in decided(console, company) if kind == "dunning.sender"]
    assert [(one["name"], one["passed"]) for one in senders] == [
        ("Acme", False),
        ("Acme", True),
        ("Acme Billing", True),
        ("Acme Billing", False),
    ]
    assert save(company, "passed", address=ADDRESS).status_code == 409
    assert "before a test email from money@acme.example arrived" in company.browser.get(PAGE).text


def test_the_policy_is_shown_as_it_holds_and_a_change_decides_what_differs(
    console: RunningConsole, company: Company
) -> None:
    assert 'value="0, 3, 7"' in company.browser.get(PAGE).text
    assert save(company, "policy", **POLICY).status_code == 303
    wanted = POLICY | {"days": "0 2 5 9", "first_hour": "18", "last_hour": "20", "thresholds": "5.00 usd, 500 jpy"}
    wanted["stop_when_canceling"] = ""
    assert save(company, "policy", **wanted).status_code == 303
    assert decided(console, company) == [
        (
            "dunning.policy",
            {
                "days": [0, 2, 5, 9],
                "first_hour": 18,
                "last_hour": 20,
                "stop_when_canceling": False,
                "thresholds": {"usd": 500, "jpy": 500},
            },
        )
    ]
    page = company.browser.get(PAGE).text
    assert 'value="0, 2, 5, 9"' in page
    assert 'value="500 jpy, 5.00 usd"' in page
    assert "counts from" in page


def test_sending_and_the_allow_list_are_decided_each_by_itself(console: RunningConsole, company: Company) -> None:
    save(company, "sending", mode="off")
    save(company, "sending", mode="shadow")
    save(company, "allowed", entries="@demo.example\nada@acme.example, bob@acme.example")
    assert decided(console, company) == [
        ("dunning.sending", {"mode": "shadow"}),
        ("dunning.allow_list", {"entries": ["@demo.example", "ada@acme.example", "bob@acme.example"]}),
    ]


@pytest.mark.parametrize(
    ("section", "fields", "says"),
    [
        ("sender", {"address": "nobody"}, "address"),
        ("test", {"to": "nobody"}, "to:"),
        ("sending", {"mode": "maybe"}, "mode"),
        ("policy", POLICY | {"days": "3, 1"}, "each later than the one before"),
        ("policy", POLICY | {"days": "soon"}, "like 0, 3, 7"),
        ("policy", POLICY | {"first_hour": "17"}, "must be earlier"),
        ("policy", POLICY | {"gap_hours": "-1"}, "whole number"),
        ("policy", POLICY | {"gap_hours": "99999"}, "gap_hours"),
        ("policy", POLICY | {"thresholds": "5 pounds"}, "5 pounds"),
        ("policy", POLICY | {"thresholds": "5.5 jpy"}, "0 decimals"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form(
    console: RunningConsole, company: Company, section: str, fields: dict[str, str], says: str
) -> None:
    if section == "test":
        save(company, "sender", address=ADDRESS, name="Acme", reply_to="")
    before = decided(console, company)
    answer = save(company, section, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert decided(console, company) == before


def test_a_form_of_another_site_decides_nothing(console: RunningConsole, company: Company) -> None:
    assert company.browser.post(f"{PAGE}/sending", data={"mode": "on"}).status_code == 403
    assert decided(console, company) == []


def test_a_section_that_does_not_exist_is_not_found(company: Company) -> None:
    assert save(company, "colours").status_code == 404
