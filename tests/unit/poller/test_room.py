"""How many connections a poller takes up, and how many of them for their first sync."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.poller.lease import Lease, Room, room_beside
from services.poller.store import Owner

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIVE = Lease(
    owner=Owner("con_1", "ws_1", 1),
    phase="live",
    account_id=None,
    livemode=True,
    capabilities=None,
    connected_at=None,
    synced=True,
    sizes=None,
    tick=0,
    failures=0,
    next_at=NOON,
)
SYNCED_FIRST = replace(LIVE, phase="first_minute", synced=False)


def test_a_poller_with_eight_places_has_two_that_no_first_sync_gets() -> None:
    assert room_beside([], at_once=8) == Room(8, 6)
    assert room_beside([SYNCED_FIRST] * 6, at_once=8) == Room(2, 0)
    assert room_beside([LIVE] * 5, at_once=8) == Room(3, 3)
    assert room_beside([LIVE] * 8, at_once=8) == Room(0, 0)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_no_place_is_given_twice_and_one_alone_is_any_kinds(at_once: int, polls: int, syncs: int) -> None:
    room = room_beside([LIVE] * polls + [SYNCED_FIRST] * syncs, at_once=at_once)
    assert 0 <= room.syncs <= room.connections <= at_once
    assert room.connections in {0, at_once - polls - syncs}
    assert polls + syncs > 0 or room.syncs > 0
