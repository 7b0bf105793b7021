"""What a key could not read is read once it can, whether another key was pasted or this one was given more."""

from pathlib import Path

import pytest

from bench.polled import PolledAccount, polled_account
from services.poller import lease as leases
from services.poller.reading.capabilities import Capabilities, gained
from simulator.api.keys import FIVE_READS
from tests.integration.poller.lists import company, held, listed, turns

A_DAY = 288


@pytest.mark.parametrize("how", ["another key", "this key"])
def test_charges_that_could_not_be_read_are_read_once_they_can(how: str, database_url: str, tmp_path: Path) -> None:
    simulator = company(customers=60)
    simulator.keys.named("disputes").permissions = FIVE_READS - {"charge_read"}
    key = "no_charges" if how == "another key" else "disputes"
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None, key=key) as account:
        assert held(account, "charge") == 0
        simulator.keys.named("disputes").permissions = FIVE_READS
        before = account.rows("SELECT max(called_at) FROM poller.api_calls")[0][0]
        if how == "another key":
            paste(account, simulator.keys.named("disputes").secret)
        account.rows("UPDATE poller.connections SET tick = %s", A_DAY)
        turns(account)
        for _ in ("it is validated", "what was missed is read"):
            account.poll()
        assert account.rows("SELECT phase, synced FROM poller.connections") == [("live", True)]
        said = account.said()
        assert (said["state"], said["permissions"]["charge"]) == ("live", "granted")
        assert said["progress"]["charges"]["done"] == held(account, "charge") == listed(simulator, "charge")
        assert said["progress"]["percent"] == 100
        read = "SELECT DISTINCT endpoint FROM poller.api_calls WHERE purpose = 'first_minute' AND called_at > %s"
        assert {endpoint for (endpoint,) in account.rows(read, before)} == {"/v1/charges", "/v1/charges/search"}
        turns(account, 3)
        assert (account.said()["state"], account.said()["last_error"]) == ("live", None)


def test_a_key_that_may_read_no_more_than_the_one_before_has_nothing_read_again(
    database_url: str, tmp_path: Path
) -> None:
    simulator = company()
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        account.rows("DELETE FROM poller.api_calls")
        paste(account, simulator.keys.named("disputes").secret)
        turns(account, 2)
        assert account.said()["state"] == "live"
        assert account.rows("SELECT count(*) FROM poller.api_calls WHERE purpose = 'first_minute'") == [(0,)]


def test_a_search_that_is_regained_needs_nothing_read_and_an_expansion_does() -> None:
    lists = Capabilities({"charge": "granted", "invoice": "granted"}, refused=("invoice:payments",))
    searching = Capabilities({"charge": "granted", "invoice": "granted"}, lists.refused, searchable=("charge",))
    assert gained(lists, searching) == frozenset()
    assert gained(lists, Capabilities({"charge": "granted", "invoice": "granted"})) == {"invoice"}


def paste(account: PolledAccount, key: str) -> None:
    """Submit another key for the connection."""
    associated = leases.associated_data(account.connection_id)
    sealed = account.work.keyring.public.seal(key.encode(), associated=associated)
    account.rows("UPDATE control.connections SET sealed_key = %s", sealed)

    async def discover() -> None:
        await account.shell.outside.run(lambda conn: leases.discover(conn, now=account.clock.now()))

    account.run(discover())
