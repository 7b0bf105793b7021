"""What goes wrong with one thing does not hold up the others: a fault of our own, a kind that may not be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.polled import PolledAccount, polled_account
from services.poller.steady.poll import Poll
from simulator.api.faults import Fault
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


@contextmanager
def small_account(database_url: str, folder: Path, *, key: str) -> Iterator[PolledAccount]:
    company = found(seed=3, now=NOON, growth=Growth(customers=6, days=60))
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    with polled_account(simulator, admin_url=database_url, folder=folder, keep=lambda _: None, key=key) as account:
        yield account


def test_a_fault_of_our_own_is_said_on_the_card_and_the_connection_is_tried_again_after_a_pause(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_account(database_url, tmp_path, key="full") as account:

        async def fail(_: Poll) -> None:
            raise KeyError("a secret that no card may show")

        with monkeypatch.context() as broken:
            broken.setattr(Poll, "run", fail)
            account.move_to(account.now + 300)
            account.poll()
        said = account.said()
        assert "fault of its own" in said["reason"]
        assert "secret" not in str(said)
        pauses = account.rows("SELECT failures, retry_at > now(), lease_until FROM poller.connections")
        assert pauses == [(1, True, None)]

        account.forget_pauses()
        account.poll()
        said = account.said()
        assert (said["state"], said["reason"], said["last_error"]) == ("live", None, None)


def test_a_server_that_asks_for_a_long_pause_is_left_alone_for_so_long(database_url: str, tmp_path: Path) -> None:
    with small_account(database_url, tmp_path, key="full") as account:
        account.simulator.faults.faults = [Fault(kind="429", seconds=600)]
        asked = account.rows("SELECT count(*) FROM poller.api_calls")[0][0]
        account.move_to(account.now + 300)
        account.poll()
        assert account.rows("SELECT count(*) - %s FROM poller.api_calls", asked) == [(1,)]
        assert account.rows("SELECT retry_at - now() > interval '590 s' FROM poller.connections") == [(True,)]
        assert "slow down" in account.said()["reason"]


def test_what_is_due_and_may_not_be_read_does_not_hold_up_what_may(database_url: str, tmp_path: Path) -> None:
    """Charges that were due when their permission was withdrawn stay due, more of them than a poll reads alone."""
    with small_account(database_url, tmp_path, key="no_charges") as account:
        account.rows(
            "INSERT INTO poller.objects (connection_id, object_id, workspace_id, kind, subject, fingerprint, version,"
            " last_id, seen_version, seen_closed, due_at)"
            " SELECT %s, 'ch_' || n, 'ws_1', 'charge', 'x', '', 1, gen_random_uuid(), 1, 1, 1"
            " FROM generate_series(1, 100) AS n",
            account.connection_id,
        )
        account.rows("UPDATE poller.objects SET due_at = %s WHERE kind = 'subscription'", account.now)
        account.move_to(account.now + 300)
        account.poll()
        alone = account.rows("SELECT DISTINCT endpoint FROM poller.api_calls WHERE purpose = 'focused'")
    assert ("/v1/subscriptions/{id}",) in alone
    assert ("/v1/charges/{id}",) not in alone
