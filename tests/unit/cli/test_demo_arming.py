"""The demo comes armed: what it decides is what dunning goes by, and reaches nobody but its own customers."""

from datetime import UTC, datetime
from typing import Any, cast

from cli.console_api import ConsoleApi
from cli.demo_account import ARMING, CUSTOMERS_DOMAIN, EMAIL, SENDER, WORKSPACE, connect
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
        return {"connections": [{"connection_id": "con_1"}]}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        assert path == "/api/sign_in_link"
        return {"url": f"http://console/{body['email']}"}


def test_the_demo_goes_on_though_there_is_a_second_workspace_by_now() -> None:
    link = connect(cast(ConsoleApi, TwoWorkspaces()), stripe="http://nowhere.invalid", password="x")
    assert link == f"http://console/{EMAIL}"
