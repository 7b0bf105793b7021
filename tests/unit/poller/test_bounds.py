"""How late each kind of change is seen: the table, what the plan makes of it, and the page that shows it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.poller.kinds import KINDS
from services.poller.steady.bounds import ROWS, Row, Timed, bound_seconds, in_words, polls_for, turns_of, ways_of
from services.poller.steady.bounds_page import EXAMPLES, PAGE_FILE, Example, page
from services.poller.steady.plan import FINDS, SWEEPS, Sizes, Tier, extras_of, lent_to_customers, letters_of, pages_of

RICH = 10_000_000
FLOOR = 9_500
TIERS: tuple[Tier, ...] = ("tiny", "small", "floor", "normal", "large")
HOUR = 3600


def bounds(sizes: Sizes, allowed: int = RICH, *, search: bool = True) -> dict[str, int | None]:
    return {row.name: bound_seconds(row, sizes, allowed=allowed, search=search) for row in ROWS}


def test_every_row_says_once_what_changes_which_objects_show_it_and_how_it_is_found() -> None:
    assert max(Counter(row.name for row in ROWS).values()) == 1
    assert max(Counter(row.change for row in ROWS).values()) == 1
    for row in ROWS:
        assert row.kinds
        assert set(row.kinds) <= set(KINDS)
        assert all(isinstance(way, Timed) or way == "W" or way in FINDS for way in row.ways)
        assert set(row.needs_search) <= {way for way in row.ways if not isinstance(way, Timed)}


def test_the_examples_are_one_of_every_tier() -> None:
    assert {example.tier for example in EXAMPLES} == set(TIERS)


@pytest.mark.parametrize("search", [True, False])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_change_has_a_bound_in_every_tier_with_search_and_without(example: Example, search: bool) -> None:
    for row in ROWS:
        assert bound_seconds(row, example.sizes, allowed=example.allowed, search=search) is not None, row.change


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_plan_keeps_the_bound_wherever_the_change_happens(example: Example, row: Row) -> None:
    """Each way has all its turns in the polls after the change, at whichever poll of the plan it happened."""
    lent = lent_to_customers(example.sizes)
    for search in (True, False):
        for way, seconds in ways_of(row, example.sizes, allowed=example.allowed, search=search):
            if isinstance(way, Timed):
                continue
            letter = "E" if way == "L" else way
            turns, polls = turns_of(way, example.sizes), seconds // 300
            for begin in range(0, 144, 7):
                made = [
                    letters_of(example.tier, tick, lent=lent) + extras_of(example.tier, tick)
                    for tick in range(begin + 1, begin + polls + 1)
                ]
                assert sum(letter in letters for letters in made) >= turns


@given(
    st.sampled_from(TIERS), st.sampled_from("ABCDEFGSI"), st.integers(1, 400), st.integers(0, 143), st.integers(0, 6)
)
def test_a_bound_holds_wherever_one_begins_to_count(tier: Tier, letter: str, turns: int, begin: int, lent: int) -> None:
    most = polls_for(letter, tier, turns=turns, lent=lent)
    had = 0
    for tick in range(begin + 1, begin + most + 1):
        had += letter in letters_of(tier, tick, lent=lent) + extras_of(tier, tick)
    assert most == 0 or had >= turns


def test_a_bound_counts_the_polls_until_a_call_had_its_turns() -> None:
    assert polls_for("A", "normal", turns=1) == 1
    assert polls_for("C", "normal", turns=1) == 3
    assert polls_for("C", "normal", turns=3) == 8
    assert polls_for("G", "normal", turns=5) == 12
    assert polls_for("W", "normal", turns=1) == 0
    assert (polls_for("W", "tiny", turns=1), polls_for("W", "small", turns=1)) == (1, 1)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.integers(1, 900), st.sampled_from(SWEEPS))
def test_a_sweep_shows_every_object_within_its_turns_though_others_are_added(
    added: list[int], size: int, letter: str
) -> None:
    """A list grows at its front while a pass goes through it a page a turn: no object waits longer than its bound."""
    listed = list(range(size))  # newest first: what is added gets negative numbers
    last_shown = dict.fromkeys(listed, 0)
    after: int | None = None
    for turn, new in enumerate(added * 8):
        listed = [min(listed) - one for one in range(1, new + 1)][::-1] + listed
        start = 0 if after is None else listed.index(after) + 1
        shown = listed[start : start + 100]
        after = None if start + 100 >= len(listed) else shown[-1]
        most = turns_of(letter, Sizes(len(listed), 0, len(listed), len(listed)))
        for one in shown:
            assert turn - last_shown.get(one, turn) <= most
            last_shown[one] = turn


def test_the_bounds_of_a_one_call_account_are_one_poll_for_what_its_page_shows_with_search_and_without() -> None:
    for sizes in (Sizes(90, 80, 90, 5), Sizes(900, 100, 900, 5)):
        for search in (True, False):
            found = bounds(sizes, FLOOR, search=search)
            assert found["card_failure"] == found["change"] == found["cancellation"] == found["kept"] == 300


def test_the_bounds_of_ten_thousand_subscriptions_are_those_that_are_promised() -> None:
    found = bounds(Sizes(10_000, 9_000, 10_000, 300))
    assert found["card_failure"] == found["other_card_failure"] == 300
    assert found["cancellation"] == found["scheduled_cancellation"] == 300
    for name, hours in {"closed": 1, "invoiced_change": 1, "change": 24, "customer_created": 3}.items():
        seconds = found[name]
        assert seconds is not None
        assert seconds <= hours * HOUR


@given(st.integers(101, 12_000))
def test_subscriptions_are_swept_within_a_day_and_a_turn_whatever_is_lent_to_the_sweep_of_customers(
    subscriptions: int,
) -> None:
    sizes = Sizes(subscriptions, subscriptions, subscriptions, subscriptions * 3 // 100)
    found = bounds(sizes)["change"]
    assert found is not None
    assert found <= 24 * HOUR + 900


def test_a_million_subscriptions_are_swept_within_a_day() -> None:
    million = Sizes(subscriptions=1_000_000, running=900_000, customers=1_000_000, open_invoices=30_000)
    found = bounds(million)["change"]
    assert found is not None
    assert found <= 24 * HOUR


@given(st.integers(101, 12_000), st.integers(0, 10**6))
def test_an_ordinary_poll_asks_for_four_pages_at_most(subscriptions: int, tick: int) -> None:
    sizes = Sizes(subscriptions, subscriptions, subscriptions, subscriptions * 3 // 100)
    letters = letters_of("normal", tick, lent=lent_to_customers(sizes))
    assert sum(pages_of(letter, sizes) or 1 for letter in letters) <= 4


def test_a_bound_is_said_in_minutes_or_hours() -> None:
    assert [in_words(seconds) for seconds in (300, 3600, 7200, 80_000, 0, None)] == [
        "5 min",
        "60 min",
        "2 h",
        "22.2 h",
        "known beforehand",
        "with the next change that is seen",
    ]


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE_FILE.read_text() == page(), "run `make docs`"
