"""Merging facts: in any order, any number of times, the same set."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.mrr.timeline import Run, Seen, Timeline, observe

Observation = tuple[Seen, str]

OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 30), st.sampled_from("ab")),
    max_size=12,
    unique_by=lambda told: told[1],
).map(lambda told: [(Seen(at, version, version, f"id{version}"), terms) for at, version, terms in told])


def _merged(observations: list[Observation]) -> Timeline[str]:
    timeline: Timeline[str] = ()
    for seen, terms in observations:
        timeline = observe(timeline, seen, terms)
    return timeline


@given(OBSERVATIONS, st.randoms())
def test_the_order_of_arrival_does_not_matter(observations: list[Observation], chance: Random) -> None:
    shuffled = list(observations)
    chance.shuffle(shuffled)
    assert _merged(shuffled) == _merged(observations)


@given(OBSERVATIONS)
def test_a_repeat_changes_nothing(observations: list[Observation]) -> None:
    once = _merged(observations)
    assert _merged([*observations, *observations]) == once


@given(OBSERVATIONS)
def test_the_newest_version_is_the_last_word(observations: list[Observation]) -> None:
    if observations:
        newest = max(observations, key=lambda pair: pair[0].version)
        assert _merged(observations)[-1].terms == newest[1]


@given(OBSERVATIONS)
def test_versions_and_times_both_grow_along_a_timeline(observations: list[Observation]) -> None:
    seen = [one for run in _merged(observations) for one in run.seen]
    assert [one.version for one in seen] == sorted(one.version for one in seen)
    assert [one.observed for one in seen] == sorted(one.observed for one in seen)


@given(OBSERVATIONS)
def test_neighbouring_runs_differ(observations: list[Observation]) -> None:
    runs = _merged(observations)
    assert all(one.terms != two.terms for one, two in pairwise(runs))


def test_the_same_terms_seen_again_are_one_run() -> None:
    first, second = Seen(1, 1, 0, "a"), Seen(2, 2, 1, "b")
    assert _merged([(first, "a"), (second, "a")]) == (Run("a", (first, second)),)


def test_a_version_that_a_newer_one_contradicts_counts_for_nothing() -> None:
    """A poller that had lost its lease wrote late: what it saw at 5 is older than what was seen at 3."""
    zombie, newer = Seen(5, 1, 9, "zombie"), Seen(3, 2, 1, "newer")
    assert _merged([(newer, "b"), (zombie, "a")]) == (Run("b", (newer,)),)
    assert _merged([(zombie, "a"), (newer, "b")]) == (Run("b", (newer,)),)
