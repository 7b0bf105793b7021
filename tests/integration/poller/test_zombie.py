"""A poller that lost its lease says nothing any more."""

from pathlib import Path

from bench.polled import polled_account
from services.poller import lease as leases
from tests.integration.poller.lists import company


def test_a_poller_that_lost_its_lease_leaves_the_card_alone(database_url: str, tmp_path: Path) -> None:
    simulator = company()
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        account.move_to(account.now + 300)
        before = account.said()

        async def outlived() -> None:
            room = leases.Room(1, 1)
            (lease,) = await account.shell.outside.run(
                lambda conn: leases.take_leases(conn, owner="zombie", now=account.clock.now(), room=room)
            )
            account.rows("UPDATE poller.connections SET lease_owner = 'successor', lease_epoch = lease_epoch + 1")
            simulator.keys.named("disputes").state = "revoked"
            await account.work.work(lease)

        account.run(outlived())
        assert account.said() == before
