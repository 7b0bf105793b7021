"""A server that stops answering searches is read by its lists, from the same poll on, and searched again a day
later."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from bench.polled import PolledAccount, polled_account
from services.poller.steady import plan
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
CANCELLATIONS = plan.FLOOR_CYCLE.index("E")
EVERY_DAY = 288


@pytest.mark.parametrize("how", ["missing", "forbidden"])
def test_the_list_takes_the_place_of_a_search_that_is_refused(
    how: Literal["missing", "forbidden"], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PAGE", 5)
    company = found(seed=3, now=NOON, growth=Growth(customers=20, days=60))
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.faults.search = how
        poll_at(account, CANCELLATIONS)
        asked = account.rows("SELECT endpoint, parameters ->> 'status' FROM poller.api_calls WHERE purpose = 'hot'")
        assert asked[-2:] == [("/v1/subscriptions/search", None), ("/v1/subscriptions", "canceled")]
        said = account.said()
        assert (said["state"], said["permissions"]["subscription"]) == ("live", "granted")
        assert any("no search" in warning for warning in said["warnings"])

        simulator.faults.search = "on"
        poll_at(account, EVERY_DAY)
        account.poll()
        assert not any("no search" in warning for warning in account.said()["warnings"])


def poll_at(account: PolledAccount, tick: int) -> None:
    account.rows("UPDATE poller.connections SET tick = %s", tick)
    account.move_to(account.now + 300)
    account.poll()
