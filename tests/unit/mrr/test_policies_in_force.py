"""Another policy counts from a day on: the difference is a row of its own, and nothing that customers did."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION
from services.mrr.core import instant_of
from services.mrr.in_force import Cause, InForce, Switch
from services.mrr.policy import BAREMETRICS, CHARTMOGUL, PROFITWELL, STRIPE, Policy
from tests.unit.mrr.build import discount, item, subscription
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import SUBJECT, Story, day
from tests.unit.mrr.test_properties import END, POLICIES, lives

Row = tuple[float, int, int, str]


def switch(policy: Policy, *, counts_from: float, decided: float, name: str = "dec_1") -> Switch:
    at = day(decided) * 1_000_000
    return Switch(at, day(counts_from) * 1_000_000, policy, Cause(at, CONTROL_DECISION.name, 0, 5, name, partition=3))


def discounted_for_months() -> Story:
    """1000, of which stripe's policy takes nothing off, and profitwell's a fifth until day 90; on day 40 twice as
    much."""
    months = discount(percent=20, duration="repeating", start=day(0), end=day(90))
    told = Story().see(subscription(discounts=[months]), 0, change="created")
    return told.see(subscription(item(quantity=2), discounts=[months]), 40)


def rows(replay: Replay) -> list[Row]:
    return [
        ((at.timestamp() - day(0)) / 86_400, before, after, kind)
        for _, at, before, after, kind in replay.standing().get(SUBJECT, [])
    ]


def test_the_difference_that_another_policy_makes_is_a_row_of_its_own_on_the_day_it_counts_from() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=20, decided=50))
    assert rows(replay) == [(0, 0, 1000, "new"), (20, 1000, 800, "policy"), (40, 800, 1600, "expansion")]


def test_what_was_reported_stays_and_what_follows_is_observed_when_the_decision_counts() -> None:
    before = discounted_for_months().play()
    told = len(before.movements)
    after = before.switch(switch(PROFITWELL, counts_from=20, decided=50)).movements[told:]
    assert [(one.kind, one.mrr_before, one.mrr_after) for one in after] == [
        ("correction", 2000, 1000),
        ("policy", 1000, 800),
        ("expansion", 800, 1600),
    ]
    assert {one.observed_at for one in after} == {instant_of(day(50) * 1_000_000)}
    assert [one.policy_version for one in after] == ["profitwell/1"] * 3


def test_the_record_behind_a_policy_row_is_the_decision() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=20, decided=50))
    source = next(one.source for one in replay.movements if one.kind == "policy")
    assert source is not None
    assert (source.topic, source.partition, source.offset) == (CONTROL_DECISION.name, 3, 5)


def test_a_policy_may_count_from_a_day_that_is_still_to_come() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=60, decided=50))
    assert rows(replay)[-1] == (40, 1000, 2000, "expansion")
    replay.tick(datetime.fromtimestamp(day(61), UTC))
    assert rows(replay)[-1] == (60, 2000, 1600, "policy")


def test_a_policy_that_counts_from_before_the_first_mrr_makes_no_row_of_its_own() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=-5, decided=50))
    assert rows(replay) == [(0, 0, 800, "new"), (40, 800, 1600, "expansion")]


def test_a_switch_is_reversible_and_leaves_no_residue() -> None:
    story = discounted_for_months()
    replay = story.play().switch(switch(PROFITWELL, counts_from=20, decided=50))
    replay.switch(switch(STRIPE, counts_from=20, decided=51, name="dec_2"))
    assert rows(replay) == rows(story.play())
    assert replay.mrr_at(instant_of(day(60) * 1_000_000)) == {"usd": 2000}


def test_a_later_decision_stands_from_its_day_on_and_an_earlier_one_until_then() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=20, decided=50))
    replay.switch(switch(STRIPE, counts_from=45, decided=51, name="dec_2"))
    assert rows(replay) == [
        (0, 0, 1000, "new"),
        (20, 1000, 800, "policy"),
        (40, 800, 1600, "expansion"),
        (45, 1600, 2000, "policy"),
    ]


def test_the_items_of_a_policy_row_add_up_to_what_it_leaves_although_something_else_changes_at_that_instant() -> None:
    replay = discounted_for_months().play().switch(switch(PROFITWELL, counts_from=40, decided=50))
    assert rows(replay)[1:] == [(40, 1000, 800, "policy"), (40, 800, 1600, "expansion")]
    told = [one for one in replay.movements if one.observed_at == instant_of(day(50) * 1_000_000) and not one.corrects]
    assert [sum(item["mrr"] for item in one.detail["items"]) for one in told] == [800, 1600]


def test_a_decision_is_not_gone_by_before_it_counts() -> None:
    ahead = InForce(STRIPE, (switch(PROFITWELL, counts_from=20, decided=50),))
    assert [era.policy for era in ahead.eras(day(49) * 1_000_000)] == [STRIPE]
    assert [era.policy for era in ahead.eras(day(50) * 1_000_000)] == [STRIPE, PROFITWELL]
    assert ahead.next_after(day(49) * 1_000_000) == day(50) * 1_000_000


@dataclass(frozen=True)
class Decided:
    """Decisions in the order in which they count."""

    switches: tuple[Switch, ...]


DECISIONS = st.lists(
    st.tuples(
        st.sampled_from([STRIPE, PROFITWELL, BAREMETRICS, CHARTMOGUL]), st.integers(-5, 150), st.integers(0, 150)
    ),
    max_size=3,
).map(
    lambda drawn: Decided(
        tuple(
            sorted(
                (
                    switch(policy, counts_from=start, decided=decided, name=f"dec_{number}")
                    for number, (policy, start, decided) in enumerate(drawn)
                ),
                key=lambda one: (one.at, one.cause.id),
            )
        )
    )
)


@settings(max_examples=120, deadline=None)
@given(lives(), POLICIES, DECISIONS, st.integers(0, 9), st.randoms(use_true_random=False))
def test_it_does_not_matter_when_a_decision_is_learned_of(
    records: list[Record], policy: Policy, decided: Decided, known_after: int, chance: Random
) -> None:
    shuffled = list(records)
    chance.shuffle(shuffled)
    late = Replay(policy).take(shuffled[:known_after])
    for one in chance.sample(decided.switches, len(decided.switches)):
        late.switch(one)
    late.take(shuffled[known_after:]).tick(END)
    first = Replay(policy, switches=decided.switches).take(records).tick(END)
    assert late.standing() == first.standing()


@settings(max_examples=120, deadline=None)
@given(lives(), POLICIES, DECISIONS)
def test_after_every_switch_mrr_is_what_the_policy_in_force_says_it_is(
    records: list[Record], policy: Policy, decided: Decided
) -> None:
    replay = Replay(policy, switches=decided.switches).take(records).tick(END)
    last = InForce(policy, decided.switches).eras(int(END.timestamp() * 1_000_000))[-1].policy
    assert replay.customers() == Replay(last).take(records).tick(END).customers()


@settings(max_examples=120, deadline=None)
@given(lives(), POLICIES, DECISIONS)
def test_rows_go_on_from_one_another_and_only_policy_rows_stand_at_the_days_policies_count_from(
    records: list[Record], policy: Policy, decided: Decided
) -> None:
    replay = Replay(policy, switches=decided.switches).take(records).tick(END)
    starts = {instant_of(one.start) for one in decided.switches}
    last: dict[str, int] = {}
    for currency, at, before, after, kind in replay.standing().get(SUBJECT, []):
        assert before == last.get(currency, 0)
        assert kind != "policy" or at in starts
        last[currency] = after
