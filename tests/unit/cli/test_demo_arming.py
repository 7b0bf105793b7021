"""The demo comes armed: what it decides is what dunning goes by, and reaches nobody but its own customers."""

from datetime import UTC, datetime

from cli.demo_account import ARMING, CUSTOMERS_DOMAIN, SENDER
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
