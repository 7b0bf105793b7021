"""What an account with one call a poll shows in its page, and what is seen when the page cannot hold all of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.polled import Logged, polled_account
from services.poller.steady import bounds, plan
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company import habits, script, subscriptions
from simulator.founding import Company, scripted
from tests.integration.poller.histories import ShortPages

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
DAY = 86_400
PAGE = 5


def test_subscriptions_that_were_never_paid_do_not_hide_older_ones_that_run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list without a status shows all that are not canceled: also those whose first payment never came."""
    for module in (plan, bounds):
        monkeypatch.setattr(module, "PAGE", PAGE)
    company = one_that_runs_and_younger_ones_that_were_never_paid(PAGE + 1)
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    log: list[Logged] = []
    with polled_account(
        simulator,
        admin_url=database_url,
        folder=tmp_path,
        keep=log.append,
        app=ShortPages(simulator.app, PAGE),
    ) as account:
        for _ in range(30):
            account.move_to(account.now + 300)
            account.poll()
        begun = len(log)
        world = company.world
        world.advance(account.now)
        world.act(subscriptions.cancel_now, world.subscriptions[0])
        for _ in range(30):
            account.move_to(account.now + 300)
            account.poll()
    oldest = company.ids.encode("subscription", company.world.subscriptions[0].number)
    assert any(oldest in record.key for record in log[begun:])


def one_that_runs_and_younger_ones_that_were_never_paid(count: int) -> Company:
    company, life = scripted(now=NOON - 10 * DAY)
    world = company.world
    cheap = world.catalogue.plan("pro", "usd", "month")
    life.outcomes.extend([None, *[habits.INSUFFICIENT] * count])
    for _ in range(1 + count):
        who = script.customer(world)
        world.act(lambda w, who=who: subscriptions.begin(w, who, [(cheap, 1)]))
        world.advance(world.now + 60)
    world.advance(NOON)
    statuses = [world.subscriptions[at].status for at in range(len(world.subscriptions))]
    assert statuses == ["active", *["incomplete_expired"] * count]
    return company
