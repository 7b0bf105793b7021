"""The relay, on a real outbox and a real Kafka; and the slots of workers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from bench.counting import GROUP, OUTPUT
from pipeline.outbox import OutboxRow, write_rows
from pipeline.relay import Relay
from pipeline.slots import Slot
from runtime.database import Database
from tests.fixtures.counting import Counting, plain_read


@pytest.fixture
def database(counting: Counting) -> Database:
    return Database(url=counting.database, schema=GROUP, application="test")


@pytest.fixture
def relays(counting: Counting, database: Database) -> Iterator[list[Relay]]:
    relays = [Relay(database, counting.broker, failed=lambda _: None) for _ in range(2)]
    yield relays
    for relay in relays:
        relay.close()


def _write(database: Database, count: int) -> None:
    rows = [
        OutboxRow(n % 8, OUTPUT.name, n % 8, f"key-{n}".encode(), str(n).encode(), (("ce_id", str(n).encode()),))
        for n in range(count)
    ]
    with database.connect() as connection:
        write_rows(connection, GROUP, rows)


def test_what_was_left_is_published_in_the_order_of_each_lane_and_deleted(
    counting: Counting, database: Database, relays: list[Relay]
) -> None:
    _write(database, 3000)
    assert relays[0].drain() == 3000
    published = plain_read(counting.kafka, counting.prefix, [OUTPUT.name])
    for partition in range(8):
        values = [int(record.value) for record in published if record.partition == partition]
        assert values == list(range(partition, 3000, 8))
    assert counting.published_all()
    assert relays[0].drain() == 0


def test_two_relays_share_the_lanes_and_publish_each_row_once(
    counting: Counting, database: Database, relays: list[Relay]
) -> None:
    _write(database, 3000)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda relay: relay.drain(), relays))
    relays[0].drain()
    assert sorted(counting.event_ids().items()) == sorted((str(n), 1) for n in range(3000))


def test_the_outbox_is_known_to_be_empty_only_after_a_look(database: Database, relays: list[Relay]) -> None:
    assert not relays[0].empty_since(0.0)
    relays[0].drain()
    assert relays[0].empty_since(0.0)


def test_each_worker_has_a_slot_of_its_own_and_a_free_one_is_taken_again(database: Database) -> None:
    with ExitStack() as slots:

        def leased(group: str) -> Slot:
            slot = Slot(database, group)
            slots.callback(slot.release)
            slot.lease()
            return slot

        first = [leased("group") for _ in range(3)]
        assert [slot.number for slot in first] == [0, 1, 2]
        first[1].release()
        assert leased("group").number == 1
        assert leased("another group").number == 0
