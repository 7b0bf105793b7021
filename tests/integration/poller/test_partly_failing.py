"""What fails in part: one list, one poll, an expansion; and a key that may read nothing any more."""

from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.polled import polled_account
from services.poller.steady import plan
from simulator.api.faults import Fault
from tests.integration.poller.lists import company, held, listed, turns

NO_FURTHER = 8
"""More failures than a key that lost everything is given before it is believed."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a pause."""
    monkeypatch.setattr("services.poller.reading.calls.full_jitter", lambda *_, **__: 0.0)


@pytest.mark.parametrize("calls", ["one of a turn", "four"])
def test_a_list_that_fails_leaves_the_others_to_be_read(
    calls: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PAGE", 5)
    if calls == "four":
        for user in ("session", "first_sync.sync"):
            monkeypatch.setattr(f"services.poller.{user}.allowed_reads", lambda transactions: 2_000_000)
    simulator = company(customers=45)
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.faults.faults = [Fault(kind="500", operation="charges.list")]
        cursors = dict(account.rows("SELECT name, at FROM poller.cursors"))
        account.rows("DELETE FROM poller.api_calls")
        turns(account, 24)
        answered = account.rows("SELECT DISTINCT endpoint FROM poller.api_calls WHERE status = 200")
        assert {endpoint for (endpoint,) in answered} >= {"/v1/invoices", "/v1/customers", "/v1/subscriptions"}
        if calls == "four":
            assert "has a fault at the moment" in account.said()["reason"]
        after = dict(account.rows("SELECT name, at FROM poller.cursors"))
        assert after["A"] == cursors["A"]
        turns(account, 2)
        assert held(account, "charge") <= listed(simulator, "charge")
        turns(account, 4)
        assert (account.said()["state"], account.said()["reason"]) == ("live", None)
        assert held(account, "charge") == listed(simulator, "charge")


def test_a_key_that_lost_everything_stops_the_connection(database_url: str, tmp_path: Path) -> None:
    simulator = company()
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.keys.named("disputes").permissions = frozenset()
        turns(account)
        assert "may read nothing" in account.said()["reason"]
        turns(account, NO_FURTHER)
        said = account.said()
        assert (said["state"], said["permissions"]["charge"]) == ("stopped", "missing")


def test_a_key_that_is_revoked_after_it_lost_everything_is_seen(database_url: str, tmp_path: Path) -> None:
    simulator = company()
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.keys.named("disputes").permissions = frozenset()
        turns(account, 3)
        simulator.keys.named("disputes").state = "revoked"
        turns(account)
        said = account.said()
        assert said["state"] == "stopped"
        assert "does not accept the key" in said["reason"]


@pytest.mark.parametrize("operation", ["", "subscriptions.list"])
def test_what_a_firewall_refuses_for_a_while_is_read_again_as_soon_as_it_may(
    operation: str, database_url: str, tmp_path: Path
) -> None:
    simulator = company()
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.faults.faults = [Fault(kind="403", operation=operation, times=None if not operation else 1)]
        turns(account)
        simulator.faults.faults = []
        turns(account)
        said = account.said()
        assert (said["state"], said["reason"], said["calls_last_poll"]) == ("live", None, 1)
        assert set(said["permissions"].values()) <= {"granted", "missing"}
        assert said["permissions"]["subscription"] == "granted"


def test_another_version_of_the_api_is_said_as_long_as_it_is_answered(database_url: str, tmp_path: Path) -> None:
    simulator = company()
    app = Echoing(simulator.app)
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None, app=app) as account:
        app.version = b"2024-09-30.acacia"
        turns(account)
        assert any("API version 2024-09-30.acacia" in warning for warning in account.said()["warnings"])
        app.version = None
        turns(account)
        assert not any("API version" in warning for warning in account.said()["warnings"])


@pytest.mark.parametrize(
    ("path", "refused", "sentence"),
    [
        ("data.latest_invoice", "subscription:latest_invoice", "Invoices cannot be read with their subscriptions"),
        ("data.customer", "subscription:customer", "Customers cannot be read with their subscriptions"),
        ("data.payments", "invoice:payments", "Payments of invoices cannot be read"),
        ("data.payment_intent", "charge:payment_intent", "Payment intents cannot be read with their charges"),
    ],
)
def test_an_expansion_that_is_left_out_without_a_word_is_said(
    path: str, refused: str, sentence: str, database_url: str, tmp_path: Path
) -> None:
    simulator = company()
    simulator.faults.lose_expand = frozenset({path, f"{path}.payments"})
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        assert refused in account.rows("SELECT capabilities -> 'refused' FROM poller.connections")[0][0]
        assert any(warning.startswith(sentence) for warning in account.said()["warnings"])


class Echoing:
    """Answers as if in another version of the API."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self.version: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if self.version is not None and message["type"] == "http.response.start":
                others = [(name, value) for name, value in message["headers"] if name.lower() != b"stripe-version"]
                message["headers"] = [*others, (b"stripe-version", self.version)]
            await send(message)

        await self._inner(scope, receive, answer)
