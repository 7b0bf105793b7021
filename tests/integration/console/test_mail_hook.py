"""Bounces and complaints, as a mail server reports them."""

from typing import Any

import httpx
import pytest

from runtime.signed import MAIL_EVENTS, UNSUBSCRIBE, sign
from tests.integration.console.conftest import UNSUBSCRIBE_KEY, Company, RunningConsole


def report(console: RunningConsole, company: Company, body: Any, *, purpose: str = MAIL_EVENTS) -> httpx.Response:
    token = sign(UNSUBSCRIBE_KEY, purpose, (company.workspace_id,))
    return console.browser().post(f"/hooks/mail/{token}", json=body)


def suppressions(console: RunningConsole, company: Company) -> list[Any]:
    rows = console.rows(
        "SELECT detail, decided_by FROM control.decisions WHERE workspace_id = %s AND kind = 'dunning.suppress'"
        " ORDER BY detail ->> 'email'",
        company.workspace_id,
    )
    return [tuple(row) for row in rows]


def test_a_bounce_is_a_decision_once_however_often_it_is_reported(console: RunningConsole, company: Company) -> None:
    first = report(console, company, {"email": "Ada@Example.com", "event": "bounced"})
    assert (first.status_code, first.json()) == (200, {"suppressed": 1})
    again = report(console, company, [{"email": "ada@example.com", "event": "bounced"}])
    assert again.json() == {"suppressed": 0}
    many = [{"email": f"{n}@example.com", "event": "complained"} for n in (1, 2)]
    assert report(console, company, many).json() == {"suppressed": 2}
    assert suppressions(console, company) == [
        ({"email": "1@example.com", "reason": "complained"}, "mail server"),
        ({"email": "2@example.com", "reason": "complained"}, "mail server"),
        ({"email": "ada@example.com", "reason": "bounced"}, "mail server"),
    ]


def test_an_address_that_was_lifted_can_bounce_again(console: RunningConsole, company: Company) -> None:
    report(console, company, {"email": "ada@example.com", "event": "bounced"})
    lifted = {"email": "ada@example.com", "lifted": True}
    body = {"kind": "dunning.suppress", "detail": lifted, "workspace": company.workspace_id}
    assert console.operator.post("/api/decisions", json=body).status_code == 201
    assert report(console, company, {"email": "ada@example.com", "event": "bounced"}).json() == {"suppressed": 1}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "event": "opened"},
        {"email": "x", "event": "bounced"},
        [],
    ],
)
def test_a_report_that_makes_no_sense_stops_nobodys_emails(
    console: RunningConsole, company: Company, body: Any
) -> None:
    answer = report(console, company, body)
    assert answer.status_code == (200 if body == [] else 422)
    assert suppressions(console, company) == []


def test_a_token_for_something_else_is_worth_nothing(console: RunningConsole, company: Company) -> None:
    told = {"email": "ada@example.com", "event": "bounced"}
    assert report(console, company, told, purpose=UNSUBSCRIBE).status_code == 404
    assert console.browser().post("/hooks/mail/nonsense", json=told).status_code == 404
    assert suppressions(console, company) == []


def test_the_address_to_report_to_is_in_the_settings(console: RunningConsole, company: Company) -> None:
    token = sign(UNSUBSCRIBE_KEY, MAIL_EVENTS, (company.workspace_id,))
    assert f"/hooks/mail/{token}" in company.browser.get("/settings/recovery").text
