"""A connection that is ended takes its MRR with it: as a change of source, never as something customers did."""

from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION
from schemas.events.movement import MrrMovement
from schemas.partition import partition_of
from services.mrr.core import TIMER, MrrCore, microseconds
from services.mrr.explain import explain
from services.mrr.in_force import Away, Cause, InForce
from services.mrr.policy import STRIPE, Policy
from tests.unit.mrr.build import item, price, subscription
from tests.unit.mrr.feed import WORKSPACE
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import SUBJECT, Story, day
from tests.unit.mrr.test_properties import END, POLICIES, lives


def ended(on: float) -> Away:
    at = day(on) * 1_000_000
    place = partition_of(WORKSPACE, CONTROL_DECISION.partitions)
    return Away(at, Cause(at, CONTROL_DECISION.name, 0, 7, "dec_1", partition=place))


def instant(on: float) -> datetime:
    return datetime.fromtimestamp(day(on), UTC)


def two_plans() -> Story:
    euros = subscription(item(price(1000, currency="eur"), name="si_2"), name="sub_2", currency="eur")
    return Story().see(subscription(), 0, change="created").see(euros, 1, change="created")


def test_what_mrr_there_is_ends_as_a_change_of_source_in_every_currency() -> None:
    replay = two_plans().play().end(ended(9))
    last = replay.movements[-2:]
    assert [(one.currency, one.kind, one.mrr_before, one.mrr_after) for one in last] == [
        ("eur", "source", 1000, 0),
        ("usd", "source", 1000, 0),
    ]
    assert {one.effective_at for one in last} == {instant(9)}
    assert [one.subscriptions for one in last] == [("sub_2",), ("sub_1",)]
    assert replay.customers() == {}


def test_the_record_behind_it_is_the_decision() -> None:
    source = two_plans().play().end(ended(9)).movements[-1].source
    assert source is not None
    assert (source.topic, source.offset) == (CONTROL_DECISION.name, 7)
    assert source.partition == partition_of(WORKSPACE, CONTROL_DECISION.partitions)


def test_a_customer_without_mrr_is_told_nothing() -> None:
    canceled = subscription(status="canceled", ended_at=day(2))
    replay = Story().see(subscription(), 0, change="created").see(canceled, 2).play()
    before = len(replay.movements)
    assert len(replay.end(ended(9)).movements) == before


def test_what_is_seen_after_the_end_counts_for_nothing() -> None:
    story = two_plans().see(subscription(item(quantity=5)), 12)
    told = story.play().end(ended(9))
    assert told.standing() == Replay(away=(ended(9),)).take(story.records).tick(instant(20)).standing()
    assert told.customers() == {}


def test_what_is_learned_late_of_the_time_before_the_end_still_counts() -> None:
    late = subscription(status="canceled", ended_at=day(5))
    replay = Replay(away=(ended(9),)).take(Story().see(subscription(), 0, change="created").records)
    replay.take(Story().see(late, 12, version=8).records)
    assert [row[4] for row in replay.standing()[SUBJECT]] == ["new", "churn"]


def test_an_end_that_lies_ahead_is_waited_for() -> None:
    state = two_plans().play().states[SUBJECT]
    effects = MrrCore().decide(state, InForce(STRIPE, away=(ended(9),)), instant(3))
    assert effects.messages == ()
    assert effects.timers[TIMER] == instant(9)
    due = MrrCore().decide(effects.state, InForce(STRIPE, away=(ended(9),)), instant(9))
    assert [row.kind for row in due.rows if isinstance(row, MrrMovement)] == ["source", "source"]
    assert due.timers == {}


def test_an_explanation_after_the_end_is_that_there_is_nothing() -> None:
    state = two_plans().play().end(ended(9)).states[SUBJECT]
    assert {one.mrr for one in explain(state, InForce(STRIPE, away=(ended(9),)), microseconds(instant(10)))} == {0}
    assert {one.mrr for one in explain(state, InForce(STRIPE, away=(ended(9),)), microseconds(instant(8)))} == {1000}


@settings(max_examples=120, deadline=None)
@given(lives(), POLICIES, st.integers(0, 150), st.integers(0, 9), st.randoms(use_true_random=False))
def test_it_does_not_matter_when_the_end_is_learned_of(
    records: list[Record], policy: Policy, on: int, known_after: int, chance: Random
) -> None:
    shuffled = list(records)
    chance.shuffle(shuffled)
    late = Replay(policy).take(shuffled[:known_after]).end(ended(on)).take(shuffled[known_after:]).tick(END)
    first = Replay(policy, away=(ended(on),)).take(records).tick(END)
    assert late.standing() == first.standing()
    assert late.customers() == first.customers() == {}
