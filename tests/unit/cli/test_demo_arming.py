"""The demo comes armed: what it decides is what dunning goes by, and reaches nobody but its own customers."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from cli import demo_account
from cli.console_api import ConsoleApi
from cli.demo_account import ARMING, CUSTOMERS_DOMAIN, EMAIL, SENDER, WORKSPACE, connect
from cli.errors import CommandError
from schemas.events.control import Decision
from schemas.events.decisions import DunningAllowList, check_decision
from services.dunning.decisions import Image, ruling_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def image(*, tested: bool) -> Image:
    arming = (*ARMING, *([("dunning.sender", {**SENDER, "passed": True})] if tested else []))
    decisions = [
        Decision(
            decision_id=f"dec_{place}",
            workspace_id="ws_1",
            kind=kind,
            detail=check_decision(kind, detail, connection_id=None),
            decided_by="operator",
            decided_at=NOW,
            effective_at=NOW,
        )
        for place, (kind, detail) in enumerate(arming)
    ]
    return Image.of(ruling for decision in decisions if (ruling := ruling_of(decision)) is not None)


def test_the_decisions_of_the_demo_arm_it_once_its_sender_is_tested() -> None:
    assert image(tested=False).mode == "off"
    assert image(tested=True).mode == "on"
    assert image(tested=True).settings.name == "Northwind Analytics"


def test_the_demo_mails_its_simulated_customers_alone() -> None:
    assert image(tested=True).last(DunningAllowList) == DunningAllowList(entries=(f"@{CUSTOMERS_DOMAIN}",))


def test_sending_is_switched_on_last() -> None:
    assert ARMING[-1] == ("dunning.sending", {"mode": "on"})


class TwoWorkspaces:
    """A console in which somebody made a second workspace: what names none is refused."""

    def get(self, path: str, **parameters: str) -> Any:
        if path == "/api/workspaces":
            return {"workspaces": [{"workspace_id": "ws_1", "name": WORKSPACE}, {"workspace_id": "ws_2", "name": "B"}]}
        assert parameters.get("workspace") == WORKSPACE
        if path == "/api/decisions":
            return {"sender": {**SENDER, "passed": True}}
        return {"connections": [{"connection_id": "con_1"}]}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        assert path == "/api/sign_in_link"
        return {"url": f"http://console/{body['email']}"}


class FirstStart:
    """A console in which the demo is set up and connected, and what its mail server makes of each test email."""

    def __init__(self, *outcomes: str) -> None:
        self.outcomes = dict(enumerate(outcomes))
        self.tests: list[dict[str, Any]] = []
        self.sender: dict[str, Any] = {**SENDER, "passed": False}

    def get(self, path: str, **_: str) -> Any:
        if path == "/api/decisions":
            return {"sender": self.sender, "sender_tests": self.tests}
        return {"workspaces": [{"name": WORKSPACE}], "connections": [{"connection_id": "con_1"}]}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        if path == "/api/sign_in_link":
            return {"url": "http://console"}
        if body["kind"] == "dunning.test_send":
            name, state = f"dec_{len(self.tests)}", self.outcomes.get(len(self.tests), "failed")
            self.tests.append({"decision_id": name, "state": state, "reply": "451 later"})
            return {"decision_id": name}
        self.sender = {**body["detail"]}
        return {}


def start(console: FirstStart) -> None:
    connect(cast(ConsoleApi, console), stripe="http://nowhere.invalid", password="x")


def test_a_sender_that_was_not_proven_at_the_first_start_is_proven_at_the_next() -> None:
    console = FirstStart("sent")
    start(console)
    assert console.sender == {**SENDER, "passed": True}
    start(console)
    assert len(console.tests) == 1


def test_a_test_email_that_is_not_taken_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_account, "AGAIN_AFTER_S", 0.0)
    console = FirstStart("failed", "unknown", "sent")
    start(console)
    assert (len(console.tests), console.sender["passed"]) == (3, True)


def test_a_sender_that_cannot_be_proven_is_told_with_what_the_mail_server_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_account, "AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(demo_account, "TEST_WITHIN_S", 0.05)
    console = FirstStart()
    with pytest.raises(CommandError, match="451 later"):
        start(console)
    assert not console.sender["passed"]


def test_a_sender_that_somebody_set_in_the_demo_is_left_to_them() -> None:
    console = FirstStart("sent")
    console.sender = {"address": "me@acme.example", "name": "Me", "reply_to": None, "passed": False}
    start(console)
    assert console.tests == []


def test_the_demo_goes_on_though_there_is_a_second_workspace_by_now() -> None:
    link = connect(cast(ConsoleApi, TwoWorkspaces()), stripe="http://nowhere.invalid", password="x")
    assert link == f"http://console/{EMAIL}"
