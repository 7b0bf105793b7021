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
    assert [detail for _, detail, _ in decided(console, company)] == [
        {"name": "Acme", "timezone": "Asia/Tokyo"},
        {"name": "Acme Analytics"},
    ]


def test_a_field_that_is_emptied_is_refused_instead_of_left_as_it_is_without_a_word(
    console: RunningConsole, company: Company
) -> None:
    save(company, "general", address="12 Harbour Street", color="#0c5f5c")
    answer = save(company, "general", address="", color="#0c5f5c")
    assert answer.status_code == 422
    assert "not be taken back: address" in answer.text
    assert len(decided(console, company)) == 1


def test_thresholds_are_decided_by_themselves(console: RunningConsole, company: Company) -> None:
    save(company, "signals", history_days="60")
    assert [one[:2] for one in decided(console, company)] == [("signals.thresholds", {"history_days": 60})]


def test_how_emails_look_is_a_decision(console: RunningConsole, company: Company) -> None:
    save(company, "general", color="#0c5f5c", locale="de-DE", address="12 Harbour Street, Hamburg")
    (only,) = decided(console, company)
    assert only[:2] == (
        "workspace.settings",
        {"locale": "de-DE", "color": "#0c5f5c", "address": "12 Harbour Street, Hamburg"},
    )
    assert 'value="#0c5f5c"' in company.browser.get(PAGE).text


@pytest.mark.parametrize(
    ("section", "fields", "says"),
    [
        ("general", {"timezone": "Berlin"}, "no time zone"),
        ("signals", {"history_days": "many"}, "history_days"),
        ("general", {"color": "blue"}, "color"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form_and_what_was_typed_stays(
    console: RunningConsole, company: Company, section: str, fields: dict[str, str], says: str
) -> None:
    answer = save(company, section, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{next(iter(fields.values()))}"' in answer.text
    assert decided(console, company) == []


def test_a_section_that_does_not_exist_is_not_found(company: Company) -> None:
    assert save(company, "colours").status_code == 404


def test_a_form_of_another_site_decides_nothing(console: RunningConsole, company: Company) -> None:
    assert company.browser.post(f"{PAGE}/general", data={"timezone": "Asia/Tokyo"}).status_code == 403
    assert decided(console, company) == []
