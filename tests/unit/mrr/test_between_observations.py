"""Discounts that changed between two observations: from their start, and never more than one or the other shows."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mrr.policy import PROFITWELL, Policy
from services.mrr.rounding import half_up
from tests.unit.mrr.build import Json, customer, discount, item, mrr, subscription
from tests.unit.mrr.story import Row, Story, day

Seen = Callable[[list[Json]], list[Json]]


def _on_the_subscription(discounts: list[Json]) -> list[Json]:
    return [subscription(discounts=discounts)]


def _on_the_customer(discounts: list[Json]) -> list[Json]:
    return [customer(discounts[0] if discounts else None), subscription()]


def _on_the_item(discounts: list[Json]) -> list[Json]:
    return [subscription(item(discounts=discounts))]


ON_ANY = pytest.mark.parametrize(
    "seen", [_on_the_subscription, _on_the_customer, _on_the_item], ids=["subscription", "customer", "item"]
)


def _told(seen: Seen, *times: tuple[float, list[Json]], policy: Policy | None = None) -> Story:
    """The discounts as they were seen, each so many days after START."""
    story = Story() if policy is None else Story(policy)
    for on, discounts in times:
        for obj in seen(discounts):
            story.see(obj, on, change="updated" if story.records and on else "created")
    return story


@ON_ANY
def test_a_discount_counts_from_its_start_not_from_when_it_was_seen(seen: Seen) -> None:
    told = _told(seen, (0, []), (10, [discount("di_2", percent=20, start=day(5))]))
    assert told.rows() == [(0, 0, 1000, "new"), (5, 1000, 800, "contraction")]


@ON_ANY
def test_a_discount_that_another_replaces_ends_where_that_one_starts(seen: Seen) -> None:
    told = _told(seen, (0, [discount(percent=50)]), (10, [discount("di_2", percent=20, start=day(5))]))
    assert told.rows() == [(0, 0, 500, "new"), (5, 500, 800, "expansion")]


@ON_ANY
@pytest.mark.parametrize("off", [{"percent": 60}, {"amount": 600}], ids=["percent", "amount"])
def test_the_same_discount_given_anew_is_no_movement(seen: Seen, off: dict[str, Any]) -> None:
    told = _told(seen, (0, [discount(**off)]), (5.5, [discount("di_2", **off, start=day(5))]))
    assert told.rows() == [(0, 0, 400, "new")]


@ON_ANY
def test_a_replaced_discount_that_would_end_by_itself_never_counts_beside_its_successor(seen: Seen) -> None:
    first = discount(percent=50, duration="repeating", end=day(60))
    renewed = discount("di_2", percent=50, duration="repeating", start=day(20), end=day(80))
    told = _told(seen, (0, [first]), (21, [renewed]), policy=PROFITWELL)
    assert told.rows(until=79) == [(0, 0, 500, "new")]
    assert told.rows(until=81)[1:] == [(80, 500, 1000, "expansion")]


def test_a_discount_that_moves_from_the_subscription_to_its_item_never_counts_twice() -> None:
    told = Story().see(subscription(discounts=[discount(percent=50)]), 0, change="created")
    told.see(subscription(item(discounts=[discount("di_2", percent=50, start=day(5))])), 10)
    assert told.rows() == [(0, 0, 500, "new")]


def test_a_discount_that_is_added_leaves_the_other_one_as_it_is() -> None:
    first, second = discount(percent=50), discount("di_2", percent=20, start=day(5))
    told = _told(_on_the_subscription, (0, [first]), (10, [first, second]))
    assert told.rows() == [(0, 0, 500, "new"), (5, 500, 400, "contraction")]


def test_the_record_that_shows_a_discount_is_named_as_the_cause_of_what_changed_at_its_start() -> None:
    told = _told(_on_the_subscription, (0, [discount(percent=50)]), (10, [discount("di_2", percent=20, start=day(5))]))
    row = told.play().movements[-1]
    assert row.source is not None
    assert (row.kind, row.source.offset) == ("expansion", 1)
    assert [place.rpartition("/")[2] for place in row.detail["items"][0]["records"]] == ["0", "1"]


OFF = st.sampled_from([10, 25, 100]).map(lambda percent: {"percent": percent}) | st.sampled_from([100, 400, 2000]).map(
    lambda amount: {"amount": amount}
)
GIVEN_FIRST = st.dictionaries(st.sampled_from(["di_1", "di_2"]), OFF, max_size=2)
GIVEN_THEN = st.dictionaries(st.sampled_from(["di_1", "di_3", "di_4"]), st.tuples(OFF, st.integers(1, 9)), max_size=3)


@settings(max_examples=100, deadline=None)
@given(given_first=GIVEN_FIRST, given_then=GIVEN_THEN, on_item_first=st.booleans(), on_item_then=st.booleans())
def test_between_two_observations_mrr_is_what_the_discounts_of_one_or_the_other_give(
    given_first: dict[str, Any], given_then: dict[str, Any], *, on_item_first: bool, on_item_then: bool
) -> None:
    def shown(discounts: list[Json], on_item: bool) -> Json:
        return subscription(item(discounts=discounts)) if on_item else subscription(discounts=discounts)

    first = shown([discount(name, **off) for name, off in given_first.items()], on_item_first)
    later = [
        discount(name, **given_first[name]) if name in given_first else discount(name, **off, start=day(start))
        for name, (off, start) in given_then.items()
    ]
    then = shown(later, on_item_then)
    told = Story().see(first, 0, change="created").see(then, 10)
    rows = told.rows()
    for on in range(10):
        started = [one for one in later if one["start"] <= day(on)]
        either = {half_up(mrr(one, at=day(on))) for one in (first, shown(started, on_item_then))}
        assert _at(rows, on) in either
    assert _at(rows, 10) == half_up(mrr(then, at=day(10)))


def _at(rows: list[Row], on: float) -> int:
    return next((after for at, _, after, _ in reversed(rows) if at <= on), 0)
