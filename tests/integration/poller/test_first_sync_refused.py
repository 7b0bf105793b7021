"""A page of the first sync that is refused: what passes costs nothing, what does not is said."""

from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.polled import polled_account
from simulator.api.faults import Fault, FaultKind
from simulator.api.keys import FIVE_READS
from simulator.app import Simulator
from tests.integration.poller.lists import company, held, listed, turns


@pytest.mark.parametrize(("kind", "times"), [("403", 1), ("400", 2), ("404", 2)])
def test_a_list_that_is_refused_in_passing_is_read_to_its_end(
    kind: FaultKind, times: int, database_url: str, tmp_path: Path
) -> None:
    simulator = company(customers=250)
    simulator.faults.faults = [Fault(kind=kind, operation="charges.list", skip=2, times=times)]
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        assert account.said()["permissions"]["charge"] == "granted"
        assert held(account, "charge") == listed(simulator, "charge")


def test_a_list_that_stays_refused_is_said_and_read_once_it_answers(database_url: str, tmp_path: Path) -> None:
    simulator = company(customers=250)
    simulator.faults.faults = [Fault(kind="500", operation="charges.list", skip=1, times=8)]
    with polled_account(
        simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None, must_sync=False
    ) as account:
        said = account.said()
        assert said["state"] != "live"
        assert "has a fault at the moment" in said["reason"]
        assert held(account, "invoice") == listed(simulator, "invoice")
        turns(account)
        assert account.said()["state"] == "live"
        assert held(account, "charge") == listed(simulator, "charge")


def test_a_permission_lost_meanwhile_ends_its_lists_and_is_shown(database_url: str, tmp_path: Path) -> None:
    simulator = company(customers=250)
    app = Losing(simulator, after="/v1/charges")
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None, app=app) as account:
        said = account.said()
        assert (said["state"], said["permissions"]["charge"]) == ("live", "missing")
        assert any("“Charges: Read” is missing" in warning for warning in said["warnings"])
        assert held(account, "invoice") == listed(simulator, "invoice")


class Losing:
    """Takes the permission to read charges from the key at the first whole page of a list."""

    def __init__(self, simulator: Simulator, *, after: str) -> None:
        self._simulator = simulator
        self._inner: ASGIApp = simulator.app
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == self._after and b"limit=100" in scope["query_string"]:
            self._simulator.keys.named("disputes").permissions = FIVE_READS - {"charge_read"}
        await self._inner(scope, receive, send)
