"""Decisions: one way in for the command line and the pages, kept and published together, with who, when and why."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from schemas.catalogue import CONTROL_DECISION
from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole
from tests.integration.console.reading import read_topic


def decide(console: RunningConsole, company: Company, kind: str, detail: dict[str, Any], **further: Any) -> Any:
    body = {"kind": kind, "detail": detail, "workspace": company.workspace_id, **further}
    return console.operator.post("/api/decisions", json=body)


def of(console: RunningConsole, company: Company) -> Any:
    return console.operator.client.get("/api/decisions", params={"workspace": company.workspace_id}).json()


def test_a_decision_is_published_as_it_is_kept(console: RunningConsole, company: Company) -> None:
    answer = decide(console, company, "workspace.settings", {"timezone": "Europe/Berlin"}, why="we moved")
    assert answer.status_code == 201, answer.text
    (record,) = read_topic(console.broker, CONTROL_DECISION, 1, subject=company.workspace_id)
    told = json.loads(record.value)
    assert told == answer.json()
    assert (told["kind"], told["detail"]) == ("workspace.settings", {"timezone": "Europe/Berlin"})
    assert (told["decided_by"], told["why"]) == ("operator", "we moved")
    assert record.subject == company.workspace_id
    kept = console.rows(
        "SELECT decision_id, detail, why FROM control.decisions WHERE workspace_id = %s", company.workspace_id
    )
    assert kept == [(told["decision_id"], {"timezone": "Europe/Berlin"}, "we moved")]


@pytest.mark.parametrize(
    ("kind", "detail", "lead"),
    [
        ("workspace.settings", {"timezone": "Asia/Tokyo"}, timedelta(minutes=1)),
        ("signals.thresholds", {"history_days": 60}, timedelta(minutes=1)),
        ("dunning.sending", {"mode": "off"}, timedelta()),
        ("dunning.hold", {"user_id": "u_1"}, timedelta()),
    ],
)
def test_a_policy_counts_a_minute_later_and_an_act_at_once(
    console: RunningConsole, company: Company, kind: str, detail: dict[str, Any], lead: timedelta
) -> None:
    told = decide(console, company, kind, detail).json()
    effective_at, decided_at = (datetime.fromisoformat(told[name]) for name in ("effective_at", "decided_at"))
    assert effective_at - decided_at == lead


@pytest.mark.parametrize(
    ("kind", "detail", "says"),
    [
        ("workspace.settings", {"timezone": "Berlin"}, "no time zone"),
        ("workspace.settings", {"time_zone": "Europe/Berlin"}, "has no time_zone"),
        ("workspace.color", {}, "there is no decision"),
        ("connection.ended", {}, "decided by doing it"),
        ("dunning.hold", {"customer_id": "cus_1"}, "without its connection"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_leaves_nothing(
    console: RunningConsole, company: Company, kind: str, detail: dict[str, Any], says: str
) -> None:
    answer = decide(console, company, kind, detail)
    assert answer.status_code == 422
    assert says in answer.json()["error"]["message"]
    assert console.rows("SELECT 1 FROM control.decisions WHERE workspace_id = %s", company.workspace_id) == []


def test_nobody_decides_about_the_connection_of_another_company(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    (connection,) = console.connections(company)
    other = console.company("Other")
    hold = ("dunning.hold", {"customer_id": "cus_1"})
    refused = decide(console, other, *hold, connection_id=connection.connection_id)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_connection")
    assert decide(console, company, *hold, connection_id=connection.connection_id).status_code == 201


def test_a_version_that_named_another_policy_is_refused_at_once(console: RunningConsole, company: Company) -> None:
    def policy(version: str, grace: int) -> Any:
        terms = {"version": version, "past_due_grace_days": grace}
        return decide(console, company, "mrr.policy", {"policy": terms, "counts_from": "2026-03-01"})

    assert policy("ours/1", 14).status_code == 201
    refused = policy("ours/1", 15)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "version_is_taken")
    assert "ours/1 is the name of another policy already" in refused.json()["error"]["message"]
    assert [policy(*given).status_code for given in (("ours/1", 14), ("ours/2", 15))] == [201, 201]
    assert policy("stripe/1", 15).status_code == 422


def test_of_two_people_who_name_a_policy_at_once_one_is_refused(console: RunningConsole, company: Company) -> None:
    def named(grace: int, version: str) -> int:
        terms = {"version": version, "past_due_grace_days": grace}
        answer = decide(console, company, "mrr.policy", {"policy": terms, "counts_from": "2026-03-01"})
        return int(answer.status_code)

    with ThreadPoolExecutor(8) as people:
        for number in range(1, 6):
            answers = list(people.map(partial(named, version=f"ours/{number}"), range(8)))
            assert sorted(answers) == [201, *[409] * 7]


def test_a_failure_recorded_by_hand_is_of_the_mode_that_the_workspace_works_in(
    console: RunningConsole, company: Company
) -> None:
    def recorded(**more: Any) -> Any:
        return decide(console, company, "dunning.recorded", {"user_id": "u", "amount": 5, "currency": "usd", **more})

    assert recorded().json()["detail"]["livemode"] is True
    company.browser.connect(STRIPE_KEY)
    console.poller_says(company, "live", livemode=False)
    assert recorded().json()["detail"]["livemode"] is False
    refused = recorded(livemode=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "test_mode")
    console.poller_says(company, "live", livemode=True)
    assert [recorded(**mode).json()["detail"]["livemode"] for mode in ({}, {"livemode": False})] == [True, False]


def test_every_field_stays_as_it_was_last_given(console: RunningConsole, company: Company) -> None:
    decide(console, company, "workspace.settings", {"timezone": "Europe/Berlin", "name": "Acme"})
    decide(console, company, "workspace.settings", {"name": "Acme Analytics"})
    decide(console, company, "dunning.sender", {"address": "billing@acme.example"})
    decide(console, company, "dunning.sending", {"mode": "shadow"})
    found = of(console, company)
    assert (found["settings"]["timezone"], found["settings"]["name"]) == ("Europe/Berlin", "Acme Analytics")
    assert (found["sender"]["address"], found["sender"]["passed"]) == ("billing@acme.example", False)
    assert found["sending"] == "shadow"
    assert [entry["kind"] for entry in found["history"]][:2] == ["dunning.sending", "dunning.sender"]


def test_without_the_operators_token_nothing_is_decided(console: RunningConsole, company: Company) -> None:
    answer = console.browser().post("/api/decisions", json={"kind": "dunning.sending", "detail": {"mode": "on"}})
    assert answer.status_code == 401


def test_the_decisions_of_one_company_are_not_those_of_another(console: RunningConsole, company: Company) -> None:
    decide(console, company, "workspace.settings", {"timezone": "Asia/Tokyo"})
    assert of(console, console.company("Other"))["settings"]["timezone"] is None
