"""A permission that is taken from a key costs what needs it, and nothing beside it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.polled import polled_account
from services.poller.steady import plan
from simulator.api.keys import FIVE_READS
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("kind", ["invoice", "customer", "payment_intent", "subscription", "charge"])
@pytest.mark.parametrize("calls", ["one", "four"])
def test_a_list_that_was_to_bring_along_what_is_forbidden_now_is_read_without_it(
    kind: str, calls: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if calls == "four":
        monkeypatch.setattr(plan, "PAGE", 5)
        for user in ("session", "first_sync.sync"):
            monkeypatch.setattr(f"services.poller.{user}.allowed_reads", lambda transactions: 2_000_000)
    company = found(seed=3, now=NOON, growth=Growth(customers=20, days=60))
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        simulator.keys.named("disputes").permissions = FIVE_READS - {f"{kind}_read"}
        for tick in range(144):
            account.rows("UPDATE poller.connections SET tick = %s", 1 + tick)
            account.move_to(account.now + 300)
            account.poll()
            said = account.said()
            assert (said["state"], said["last_error"]) == ("live", None)
        others = {"customer", "subscription", "invoice", "charge", "payment_intent"} - {kind}
        assert {each: said["permissions"][each] for each in others} == dict.fromkeys(others, "granted")
        # A payment intent has no list of its own that is polled; what needs it is read without.
        assert said["permissions"][kind] == "missing"
        ((refused,),) = account.rows("SELECT count(*) FROM poller.api_calls WHERE status = 403")
        assert refused < 20
