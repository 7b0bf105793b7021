"""A server that lives in a time of its own is polled by its time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.polled import polled_account
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company import habits, payments, script, subscriptions
from simulator.founding import scripted

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
DAY = 86_400


@pytest.mark.parametrize("ahead", [30 * DAY, 0])
def test_what_waits_is_read_as_often_by_the_servers_clock_as_by_ours(
    ahead: int, database_url: str, tmp_path: Path
) -> None:
    """A bank debit is read every four hours, an open dispute every day, an open invoice after its next attempt."""
    company, life = scripted(now=NOON - 10 * DAY)
    world = company.world
    plan = world.catalogue.plan("pro", "usd", "month")
    life.outcomes.extend([None, 5 * DAY + 10 * DAY, habits.INSUFFICIENT])
    for _ in range(3):
        who = script.customer(world)
        world.act(lambda w, who=who: subscriptions.begin(w, who, [(plan, 1)]))
    world.act(payments.dispute, world.charges[0], "fraudulent")
    world.advance(NOON)
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    with polled_account(
        simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None, ahead=ahead
    ) as account:
        assert account.said()["clock_offset"] in range(ahead - 10 * DAY, ahead + 1)
        before = read_alone(account.rows("SELECT endpoint FROM poller.api_calls WHERE purpose = 'focused'"))
        for _ in range(288):
            account.move_to(account.now + 300)
            account.poll()
        asked = read_alone(account.rows("SELECT endpoint FROM poller.api_calls WHERE purpose = 'focused'"))
    assert asked["/v1/charges/{id}"] - before["/v1/charges/{id}"] in range(5, 9)
    assert asked["/v1/disputes/{id}"] - before["/v1/disputes/{id}"] in {0, 1, 2}


def read_alone(rows: list[tuple[str]]) -> dict[str, int]:
    """Reads of single objects by endpoint."""
    found = {"/v1/charges/{id}": 0, "/v1/disputes/{id}": 0}
    for (endpoint,) in rows:
        found[endpoint] = found.get(endpoint, 0) + 1
    return found
