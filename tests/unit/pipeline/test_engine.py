"""What the engine does with a gap, and what it lets Kafka know."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, cast
from uuid import UUID

import pytest

from pipeline import engine as module
from pipeline import stragglers
from pipeline.apply import Applied, Applier
from pipeline.engine import Engine
from pipeline.errors import Gap, LogReplaced, PassingFault, SlotLost, Stalled
from pipeline.log import LogReader
from pipeline.offsets import Position
from pipeline.records import LogPartition, Record
from pipeline.relay import Relay
from pipeline.slots import Slot
from runtime.clock import RealClock
from runtime.health import Health
from schemas.catalogue import STRIPE_CHARGE_RAW
from tests.fixtures.records import record

TOPIC = STRIPE_CHARGE_RAW
PLACE = LogPartition(TOPIC.name, 0)
ID = UUID(int=1)


@dataclass
class FakeApplier:
    """Applies from offset 0 on; a jump is a gap."""

    expected: int = 0
    session: Any = None
    processor: Any = None

    def apply(self, records: Sequence[Record]) -> Applied:
        for each in records:
            if each.offset > self.expected:
                raise Gap(topic=PLACE.topic, partition=0, expected=self.expected, found=each.offset)
            self.expected = each.offset + 1
        return Applied(records=len(records), next_offset=self.expected, outbox_rows=0)


class FakeSession:
    def transaction(self) -> AbstractContextManager[None]:
        raise PassingFault("no database here")


class EmptySession:
    """One that gives transactions in which nothing is read."""

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class FakeLog:
    first: int = 0
    topic_id: UUID = ID

    def first_from(self, wanted: Mapping[LogPartition, int]) -> dict[LogPartition, Record]:
        return dict.fromkeys(wanted, record(self.first, topic=TOPIC.name))

    def topic_ids(self, topics: Sequence[str]) -> dict[str, UUID]:
        return dict.fromkeys(topics, self.topic_id)

    def ends(self, places: Sequence[LogPartition]) -> dict[LogPartition, int]:
        return dict.fromkeys(places, 100)


@dataclass
class FakeRelay:
    empty_at: float = 0.0
    woken: int = 0

    def empty_since(self, moment: float) -> bool:
        return self.empty_at > moment

    def wake(self) -> None:
        self.woken += 1


@dataclass
class FakeSlot:
    lost: bool = False

    def renew(self) -> None:
        if self.lost:
            raise SlotLost("gone")


@dataclass
class Scene:
    applier: FakeApplier = field(default_factory=lambda: FakeApplier(session=FakeSession()))
    log: FakeLog = field(default_factory=FakeLog)
    relay: FakeRelay = field(default_factory=FakeRelay)
    slot: FakeSlot = field(default_factory=FakeSlot)
    health: Health = field(default_factory=lambda: Health("test"))

    def engine(self) -> Engine:
        engine = Engine(
            cast(Applier, self.applier),
            topics=[TOPIC],
            log_reader=cast(LogReader, self.log),
            relay=cast(Relay, self.relay),
            slot=cast(Slot, self.slot),
            clock=RealClock(),
            health=self.health,
        )
        engine.assigned([PLACE])
        return engine


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(module, "take_up", lambda _s, _l, _t, places: dict.fromkeys(places, Position(ID, 0, None)))
    return Scene()


def _batch(first: int, count: int) -> list[Record]:
    return [record(first + n, topic=TOPIC.name) for n in range(count)]


def _tick(engine: Engine) -> None:
    """Several times: each stops at the first thing that is away."""
    for _ in range(4):
        engine.tick()


def test_a_gap_that_the_log_itself_has_holds_the_partition_and_says_so(scene: Scene) -> None:
    scene.log.first = 5
    engine = scene.engine()
    engine.batch(_batch(5, 2))
    engine.batch(_batch(7, 2))
    assert scene.applier.expected == 0
    report = scene.health.report()
    assert not report.ready
    assert "expected offset 0, found 5" in report.reasons[0]
    assert "erased_offsets" in report.reasons[0]


def test_a_held_partition_does_not_make_the_watchdog_end_the_process(scene: Scene) -> None:
    scene.log.first = 5
    engine = scene.engine()
    scene.health.behind(f"{PLACE.topic}/0", 95)
    engine.batch(_batch(5, 2))
    assert scene.health.report().lag == 0


def test_a_gap_that_only_the_source_has_ends_the_process(scene: Scene) -> None:
    engine = scene.engine()
    with pytest.raises(Gap):
        engine.batch(_batch(5, 2))


def test_kafka_is_told_an_offset_only_after_its_outbox_was_seen_empty(scene: Scene) -> None:
    engine = scene.engine()
    engine.batch(_batch(0, 3))
    assert engine.hints() == {}
    scene.relay.empty_at = monotonic()
    assert engine.hints() == {PLACE: 3}
    assert engine.hints() == {}


def test_a_partition_that_was_revoked_is_neither_told_nor_lagging(scene: Scene) -> None:
    engine = scene.engine()
    engine.batch(_batch(0, 3))
    scene.health.behind(f"{PLACE.topic}/0", 7)
    engine.revoked([PLACE])
    scene.relay.empty_at = monotonic()
    assert engine.hints() == {}
    assert scene.health.report().lag == 0


def test_upkeep_waits_while_something_is_away_and_says_what(scene: Scene) -> None:
    engine = scene.engine()
    engine.tick()
    assert "no database here" in scene.health.report().reasons


def test_a_topic_that_is_another_ends_the_process(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", -1.0)
    engine = scene.engine()
    engine.batch(_batch(0, 1))
    scene.log.topic_id = UUID(int=2)
    with pytest.raises(LogReplaced, match="made anew"):
        _tick(engine)


def test_a_lost_slot_ends_the_process(scene: Scene) -> None:
    engine = scene.engine()
    scene.slot.lost = True
    with pytest.raises(SlotLost):
        _tick(engine)


@dataclass
class JumpingClock(RealClock):
    """Stands where it is put."""

    at: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_what_is_done_every_second_is_done_at_once_when_the_clock_jumps() -> None:
    clock = JumpingClock()
    every = module._EveryOfEither(1.0, clock=clock)
    assert every.now()
    assert not every.now()
    clock.at += timedelta(hours=1)
    assert every.now()
    assert not every.now()


def test_what_is_done_every_second_is_done_while_the_clock_stands_too() -> None:
    every = module._EveryOfEither(0.0, clock=JumpingClock())
    assert every.now()
    assert every.now()


def test_a_worker_whose_partitions_were_taken_back_is_not_ready_until_the_group_has_shared_them_out(
    scene: Scene,
) -> None:
    engine = scene.engine()
    assert scene.health.report().detail["partitions"] == 1
    engine.revoked([PLACE])
    assert not scene.health.report().ready
    assert "has not shared them out anew" in scene.health.report().reasons[0]
    engine.assigned([PLACE])
    assert scene.health.report().ready


def test_a_worker_that_was_given_no_partition_stands_by_and_is_ready(scene: Scene) -> None:
    engine = scene.engine()
    engine.revoked([PLACE])
    engine.assigned([])
    assert scene.health.report().ready
    assert scene.health.report().detail["partitions"] == 0


@dataclass
class Standing:
    """A scene whose offsets in PostgreSQL are these."""

    scene: Scene
    reached: dict[LogPartition, int]

    def positions(self, _conn: object, _places: object) -> dict[LogPartition, Position]:
        return {place: Position(ID, offset, None) for place, offset in self.reached.items()}


@pytest.fixture
def standing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """Every partition of the topic is read to its end, and whoever stands still is stuck at once."""
    standing = Standing(scene, {LogPartition(TOPIC.name, number): 100 for number in range(TOPIC.partitions)})
    monkeypatch.setattr(module, "load_positions", standing.positions)
    monkeypatch.setattr(stragglers, "STUCK_SECONDS", 0.0)
    scene.applier.session = EmptySession()
    return standing


def test_one_partition_that_does_not_get_on_ends_the_worker_though_others_do(standing: Standing) -> None:
    engine = standing.scene.engine()
    engine._measure_lag()
    standing.reached[PLACE] = 7
    with pytest.raises(Stalled, match=f"{PLACE.topic}/0"):
        engine._measure_lag()


def test_a_partition_that_nobody_gets_on_with_makes_every_worker_say_so(standing: Standing) -> None:
    orphan = LogPartition(TOPIC.name, 3)
    engine = standing.scene.engine()
    del standing.reached[orphan]
    engine._measure_lag()
    assert f"{TOPIC.name}/3" in standing.scene.health.report().reasons[0]
    assert not standing.scene.health.report().ready
    assert standing.scene.health.report().alive
    standing.reached[orphan] = 100
    engine._measure_lag()
    assert standing.scene.health.report().ready


def test_a_held_partition_is_no_straggler(standing: Standing) -> None:
    standing.scene.log.first = 5
    engine = standing.scene.engine()
    engine.batch(_batch(5, 2))
    standing.reached[PLACE] = 0
    engine._measure_lag()
    assert all("no worker has got on" not in reason for reason in standing.scene.health.report().reasons)


def test_a_worker_that_the_group_does_not_let_in_again_ends(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOIN_SECONDS", -1.0)
    engine = standing.scene.engine()
    engine._measure_lag()
    engine.revoked([PLACE])
    with pytest.raises(Stalled, match="did not let this worker in"):
        engine._measure_lag()


def test_the_time_that_kafka_is_away_does_not_count_as_the_groups(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = standing.scene.engine()
    monkeypatch.setattr(module, "JOIN_SECONDS", -1.0)
    engine.revoked([PLACE])
    monkeypatch.setattr(module, "JOIN_SECONDS", 60.0)
    standing.scene.applier.session = FakeSession()
    engine.tick()
    standing.scene.applier.session = EmptySession()
    engine._measure_lag()
    assert not standing.scene.health.report().ready
