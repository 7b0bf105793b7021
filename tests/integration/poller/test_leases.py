"""Who polls which connection: one poller at a time, in turn, and nobody over its successor."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.polled import Logged, PolledAccount, polled_account
from runtime.database import Connection, Database
from runtime.migrations import migrate
from services.console.schema import MIGRATIONS as CONSOLE
from services.poller.errors import LeaseLost
from services.poller.lease import Lease, Release, Room, release, renew, room_beside, take_leases
from services.poller.publishing.publish import Identity, Publisher
from services.poller.reading.transport import StripeAddress
from services.poller.schema import MIGRATIONS as POLLER
from services.poller.session import open_reader
from services.poller.work import next_turn
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

ADDRESS = StripeAddress.parse("http://127.0.0.1:9")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY = 300


@pytest.fixture
def tables(database_url: str) -> Iterator[Connection]:
    """A session in the poller's schema, of which every statement is committed at once."""
    migrate(database_url, [CONSOLE, POLLER])
    with Database(database_url, schema="poller", application="test").connect(autocommit=True) as conn:
        yield conn


def connect(conn: Connection, *names: str) -> None:
    """Connections that are live and due."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO connections (connection_id, workspace_id, phase, key_digest, livemode, synced, next_at)"
            " VALUES (%s, 'ws_1', 'live', '', false, true, %s)",
            [(name, next_turn(NOON, every=EVERY, connection_id=name)) for name in names],
        )


def lease(conn: Connection, now: datetime, *, limit: int = 8) -> list[Lease]:
    return take_leases(conn, owner="poller", now=now, room=Room(limit, limit))


def give_back(conn: Connection, done: Lease, now: datetime) -> None:
    due = next_turn(now, every=EVERY, connection_id=done.connection_id)
    release(conn, done.owner, Release(phase="live", synced=True, tick=done.tick + 1, next_at=due))


def test_a_poll_that_overruns_is_not_started_twice(tables: Connection) -> None:
    connect(tables, "con_1")
    (running,) = lease(tables, NOON + timedelta(seconds=EVERY))
    for polls in range(2, 9):
        renew(tables, running.owner)
        assert lease(tables, NOON + polls * timedelta(seconds=EVERY)) == []
    overdue = NOON + 9 * timedelta(seconds=EVERY)
    give_back(tables, running, overdue)
    assert lease(tables, overdue) == []
    (following,) = lease(tables, overdue + timedelta(seconds=EVERY))
    assert following.tick == running.tick + 1


def test_a_lease_that_ran_out_is_anothers_under_a_higher_epoch_and_cannot_be_kept_or_given_back(
    tables: Connection,
) -> None:
    connect(tables, "con_1")
    (lost,) = lease(tables, NOON + timedelta(seconds=EVERY))
    tables.execute("UPDATE connections SET lease_until = now() - interval '1 second'")
    (taken,) = lease(tables, NOON + timedelta(seconds=EVERY))
    assert taken.owner.epoch > lost.owner.epoch
    with pytest.raises(LeaseLost):
        renew(tables, lost.owner)
    give_back(tables, lost, NOON)
    renew(tables, taken.owner)


def test_a_giant_and_a_thousand_tiny_ones_are_all_polled_in_every_interval(tables: Connection) -> None:
    """A poller with eight places; a tiny account takes a second of one, the giant longer than an interval."""
    tiny = [f"con_{number}" for number in range(1_000)]
    connect(tables, "giant", *tiny)
    polled: Counter[str] = Counter()
    busy: dict[str, tuple[Lease, datetime]] = {}
    for second in range(3 * EVERY):
        now = NOON + timedelta(seconds=second)
        for name, (held, until) in list(busy.items()):
            if until <= now:
                give_back(tables, held, now)
                del busy[name]
        for taken in lease(tables, now, limit=8 - len(busy)):
            name = taken.connection_id
            busy[name] = taken, now + timedelta(seconds=350 if name == "giant" else 1)
            polled[name] += 1
        for held, _ in busy.values():
            renew(tables, held.owner)
    assert polled["giant"] == 2
    assert min(polled[name] for name in tiny) >= 2


def test_giants_that_are_synced_leave_places_to_polls_and_to_keys_that_were_just_submitted(tables: Connection) -> None:
    """Ten giants are connected at once; each is read for hours."""
    giants = [f"giant_{number}" for number in range(10)]
    connect(tables, *giants, "con_1", "con_2")
    tables.execute("UPDATE connections SET phase = 'first_minute', synced = false WHERE connection_id LIKE 'giant%'")
    tables.execute("UPDATE connections SET phase = 'validating', synced = false WHERE connection_id = 'con_2'")
    held: list[Lease] = []
    for _ in range(2):
        room = room_beside(held, at_once=8)
        held += take_leases(tables, owner="poller", now=NOON + timedelta(seconds=EVERY), room=room)
    assert sorted(lease.connection_id for lease in held if lease.synced or lease.phase == "validating") == [
        "con_1",
        "con_2",
    ]
    assert len(held) == 8


@pytest.fixture
def account(database_url: str, tmp_path: Path) -> Iterator[tuple[PolledAccount, list[Logged]]]:
    """A small account that is connected, and what was published of it."""
    records: list[Logged] = []
    company = found(seed=3, now=int(NOON.timestamp()), growth=Growth(customers=8, days=40))
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(company.world.now), settings=settings)
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=records.append) as polled:
        yield polled, records


def test_a_poller_that_lost_its_lease_cannot_publish_over_its_successor(
    account: tuple[PolledAccount, list[Logged]],
) -> None:
    """It has read the customer before, and publishes after: its record is older, and nothing of it is committed."""
    polled, records = account
    who = polled.simulator.company.world.customers[0]
    customer = polled.simulator.company.ids.encode("customer", who.number)

    def first(conn: Connection) -> list[Lease]:
        return lease(conn, polled.clock.now(), limit=1)

    async def race() -> None:
        outside = polled.shell.outside
        polled.move_to(polled.now + EVERY)
        (lost,) = await outside.run(first)
        reader = await open_reader(polled.shell, lost, polled.simulator.keys.named("disputes").secret, ADDRESS)
        who.email = "while-the-zombie-read@customers.example"
        stale = await reader.single("customer", customer, purpose="focused")
        who.email = "after@customers.example"
        await outside.run(lambda conn: conn.execute("UPDATE connections SET lease_until = now()").close())
        (taken,) = await outside.run(first)
        await polled.work.work(taken)
        identity = Identity(lost.owner, lost.account_id, lost.livemode, lost.connected_at or 0)
        async with Publisher(outside, identity, polled.shell.clock) as zombie:
            with pytest.raises(LeaseLost):
                await zombie.commit(stale)

    polled.run(race())
    about = [record for record in records if f"#{customer}@" in record.key]
    newest = max(about, key=lambda record: record.version)
    assert b"after@customers.example" in newest.value
    held = polled.rows("SELECT version FROM poller.objects WHERE object_id = %s", customer)
    assert held == [(newest.version,)]


def test_what_a_poll_asked_is_counted_when_its_lease_is_given_back(
    account: tuple[PolledAccount, list[Logged]],
) -> None:
    """Whoever polls the account next, on whatever machine, reads the meter as the last poll left it."""
    polled, _ = account

    async def poll() -> None:
        (held,) = await polled.shell.outside.run(lambda conn: lease(conn, polled.clock.now(), limit=1))
        await polled.work.work(held)

    for _ in range(3):
        before = polled.rows("SELECT sum(lists + focused + others) FROM poller.read_days")[0][0]
        asked = polled.simulator.stats.describe({})["reads"]
        polled.move_to(polled.now + EVERY)
        polled.run(poll())
        counted = polled.rows("SELECT sum(lists + focused + others) FROM poller.read_days")[0][0]
        assert counted - before == polled.simulator.stats.describe({})["reads"] - asked > 0
        assert polled.said()["reads_used"] == counted
