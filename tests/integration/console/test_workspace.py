"""Settings → Workspace: forms that become decisions, and the history of them."""

import json
from typing import Any

import pytest

from schemas.catalogue import CONTROL_DECISION
from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.reading import read_topic

PAGE = "/settings/workspace"


def save(company: Company, section: str, **fields: str) -> Any:
    return company.browser.send(PAGE, f"{PAGE}/{section}", fields)


def decided(console: RunningConsole, company: Company) -> list[tuple[str, Any, str | None]]:
    """(kind, detail, why) of everything that was decided, in order."""
    rows = console.rows(
        "SELECT kind, detail, why FROM control.decisions WHERE workspace_id = %s ORDER BY decided_at",
        company.workspace_id,
    )
    return [(kind, detail, why) for kind, detail, why in rows]


def test_a_change_of_the_zone_is_a_decision_of_the_member_with_its_reason(
    console: RunningConsole, company: Company
) -> None:
    assert save(company, "general", timezone="Europe/Berlin", name="", why="we moved").status_code == 303
    (record,) = read_topic(console.broker, CONTROL_DECISION, 1, subject=company.workspace_id)
    told = json.loads(record.value)
    assert (told["kind"], told["detail"]) == ("workspace.settings", {"timezone": "Europe/Berlin"})
    assert told["decided_by"].startswith("mem_")
    page = company.browser.get(PAGE).text
    assert 'value="Europe/Berlin"' in page
    assert "we moved" in page
    assert company.email in page
    assert "counts from" in page


def test_what_is_not_changed_is_not_decided(console: RunningConsole, company: Company) -> None:
    save(company, "general", timezone="Asia/Tokyo", name="Acme")
    save(company, "general", timezone="Asia/Tokyo", name="Acme Analytics")
    save(company, "general", timezone="Asia/Tokyo", name="Acme Analytics")
    save(company, "signals", history_days="30")
    save(company, "sending", mode="off")
    assert [detail for _, detail, _ in decided(console, company)] == [
        {"name": "Acme", "timezone": "Asia/Tokyo"},
        {"name": "Acme Analytics"},
    ]


def test_thresholds_and_sending_are_decided_each_by_itself(console: RunningConsole, company: Company) -> None:
    save(company, "signals", history_days="60")
    save(company, "sending", mode="shadow")
    assert [one[:2] for one in decided(console, company)] == [
        ("signals.thresholds", {"history_days": 60}),
        ("dunning.sending", {"mode": "shadow"}),
    ]


def test_another_address_has_to_pass_its_test_and_another_name_has_not(
    console: RunningConsole, company: Company
) -> None:
    passed = {"address": "billing@acme.example", "name": "Acme", "passed": True}
    body = {"kind": "dunning.sender", "detail": passed, "workspace": company.workspace_id}
    assert console.operator.post("/api/decisions", json=body).status_code == 201
    save(company, "sender", address="billing@acme.example", name="Acme Billing", reply_to="")
    save(company, "sender", address="money@acme.example", name="Acme Billing", reply_to="help@acme.example")
    senders = [detail for kind, detail, _ in decided(console, company) if kind == "dunning.sender"]
    assert [(one["address"], one["passed"]) for one in senders] == [
        ("billing@acme.example", True),
        ("billing@acme.example", True),
        ("money@acme.example", False),
    ]
    assert "No test email from money@acme.example arrived yet" in company.browser.get(PAGE).text


@pytest.mark.parametrize(
    ("section", "fields", "says"),
    [
        ("general", {"timezone": "Berlin"}, "no time zone"),
        ("signals", {"history_days": "many"}, "history_days"),
        ("sender", {"address": "nobody"}, "address"),
        ("sending", {"mode": "maybe"}, "mode"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form_and_what_was_typed_stays(
    console: RunningConsole, company: Company, section: str, fields: dict[str, str], says: str
) -> None:
    answer = save(company, section, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    if section != "sending":
        assert f'value="{next(iter(fields.values()))}"' in answer.text
    assert decided(console, company) == []


def test_a_section_that_does_not_exist_is_not_found(company: Company) -> None:
    assert save(company, "colours").status_code == 404


def test_a_form_of_another_site_decides_nothing(console: RunningConsole, company: Company) -> None:
    assert company.browser.post(f"{PAGE}/general", data={"timezone": "Asia/Tokyo"}).status_code == 403
    assert decided(console, company) == []
