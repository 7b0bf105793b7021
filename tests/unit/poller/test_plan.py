"""Which calls a poll makes."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.poller.budget import Spent
from services.poller.kinds import KINDS
from services.poller.reading.capabilities import Capabilities
from services.poller.steady.plan import (
    POLLS_A_DAY,
    Cursor,
    Sizes,
    Tier,
    advanced,
    call_of,
    extras_of,
    letter_for,
    letters_of,
    pages_of,
    singles_of,
    slowed,
    tier_of,
)

FULL = Capabilities(dict.fromkeys(KINDS, "granted"), searchable=("customer", "subscription", "charge"))
RICH = 10_000_000
NOW = 2_000_000
TEN_THOUSAND = Sizes(subscriptions=10_000, running=9_000, customers=10_000, open_invoices=300)


@pytest.mark.parametrize(
    ("sizes", "allowed", "tier"),
    [
        (Sizes(subscriptions=100, running=90), 9_500, "tiny"),
        (Sizes(subscriptions=101, running=100), 9_500, "small"),
        (Sizes(subscriptions=500, running=400), 9_500, "floor"),
        (Sizes(subscriptions=500, running=400), 250 * 140, "normal"),
        (Sizes(subscriptions=12_000, running=11_000), RICH, "normal"),
        (Sizes(subscriptions=12_001, running=11_000), RICH, "large"),
    ],
)
def test_the_tier_follows_size_and_allowance(sizes: Sizes, allowed: int, tier: Tier) -> None:
    assert tier_of(sizes, allowed=allowed) == tier


@given(st.integers(0, 10**6))
def test_a_small_account_makes_one_list_call_and_an_ordinary_one_at_most_four(tick: int) -> None:
    assert [len(letters_of(tier, tick)) for tier in ("tiny", "small", "floor")] == [1, 1, 1]
    assert len(letters_of("normal", tick)) == 4


def test_a_one_call_account_reads_16_other_things_a_day_by_the_clock() -> None:
    tiers: tuple[Tier, ...] = ("tiny", "small")
    for tier in tiers:
        extras = [letter for tick in range(POLLS_A_DAY) for letter in extras_of(tier, tick)]
        assert len(extras) == 16
        assert set(extras) == set("ABCFIS")


def test_an_hour_of_the_slot_is_five_open_sets_five_sweeps_and_one_each_of_the_rest() -> None:
    slots = sorted(letters_of("normal", tick)[3] for tick in range(12))
    assert slots == sorted("CCCCCGGGGGBF")


def test_every_turn_that_is_lent_is_one_of_the_sweep_of_subscriptions() -> None:
    for lent in range(7):
        turns = [letters_of("normal", tick, lent=lent)[3] for tick in range(144)]
        assert turns.count("G") == 60 - 5 * lent
        assert turns.count("C") == 60
        assert turns.count("S") >= 5 * lent


def test_every_call_has_its_turn_in_every_tier_that_needs_it() -> None:
    tiers: tuple[tuple[Tier, str], ...] = (("floor", "ACDEGFSI"), ("normal", "ABCDEGFSI"), ("large", "ABCDEGFSI"))
    for tier, needed in tiers:
        made = {letter for tick in range(144) for letter in letters_of(tier, tick)}
        assert made >= set(needed)


def test_the_sweep_of_a_million_subscriptions_takes_35_pages_a_poll() -> None:
    million = Sizes(subscriptions=1_000_000, running=900_000, customers=1_000_000, open_invoices=30_000)
    assert pages_of("G", million) == 35


def parameters(letter: str, cursor: Cursor, found: Capabilities = FULL, tier: Tier = "normal") -> dict[str, object]:
    call = call_of(letter, cursor, found, TEN_THOUSAND, tier=tier, now=NOW)
    assert call is not None
    return call.query.parameters(after=cursor.after_id if letter in "CGLS" else None)


def test_hot_calls_overlap_with_what_was_read_before() -> None:
    at = Cursor(at=1_000_000)
    assert parameters("A", at)["created"] == {"gte": 1_000_000 - 900}
    assert parameters("B", at)["created"] == {"gte": 1_000_000 - 10_800}
    assert parameters("D", at)["current_period_start[gte]"] == "999100"
    assert parameters("E", at)["query"] == "canceled_at>996400"


def test_a_cursor_stays_at_the_newest_object_while_there_is_news() -> None:
    assert advanced("A", NOW - 500, NOW - 60, began=NOW) == NOW - 60
    assert advanced("A", NOW - 60, NOW - 60, began=NOW) == NOW - 60
    assert advanced("A", NOW - 500, None, began=NOW) == NOW - 500
    assert advanced("A", None, NOW - 9_000, began=NOW) == NOW - 9_000


@pytest.mark.parametrize(("subscriptions", "singles"), [(0, 20), (12_000, 20), (100_000, 40), (1_000_000, 400)])
def test_a_large_account_has_more_objects_read_alone(subscriptions: int, singles: int) -> None:
    """A renewal's invoice is known as a draft, and read once its charge is there: there are some at every poll."""
    renewals_a_poll = subscriptions / 30 / POLLS_A_DAY
    assert singles_of(Sizes(subscriptions=subscriptions)) == singles >= 2 * renewals_a_poll


@pytest.mark.parametrize("letter", "ABDEFI")
def test_what_came_all_at_once_is_left_behind_when_nothing_newer_comes_but_nothing_that_is_to_come(letter: str) -> None:
    """However far the server's clock is behind ours: the next pass begins right after the newest object."""
    burst = NOW - 90_000
    at = advanced(letter, burst, burst, began=NOW)
    assert at is not None
    call = call_of(letter, Cursor(at=at), FULL, TEN_THOUSAND, tier="normal", now=NOW)
    assert call is not None
    asked = call.query.parameters()
    since = asked.get("created", asked.get("current_period_start[gte]", asked.get("query")))
    assert since in ({"gte": burst + 1}, str(burst + 1), f"canceled_at>{burst + 1}")
    assert advanced(letter, at, None, began=NOW + 90_000) == at


def test_a_cursor_is_left_behind_by_the_objects_and_not_by_our_clock() -> None:
    """A server whose clock stands a month behind: what it shows next is newer than its newest, and is asked for."""
    month = 30 * 86_400
    first = advanced("A", NOW - month, NOW - month, began=NOW)
    assert first == NOW - month + 901
    then = advanced("A", first, NOW - month + 300, began=NOW + 300)
    assert then is not None
    assert then - 900 <= NOW - month + 301


def test_a_sweep_goes_on_below_what_it_saw() -> None:
    found = parameters("G", Cursor(at=500, after_id="sub_9", pass_version=1))
    assert (found["created"], found["starting_after"], found["status"]) == ({"lt": 501}, "sub_9", "all")


def test_without_search_canceled_subscriptions_are_gone_through_page_by_page() -> None:
    lacking = Capabilities(dict.fromkeys(KINDS, "granted"))
    assert (letter_for("E", FULL), letter_for("E", lacking), letter_for("A", lacking)) == ("E", "L", "A")
    found = parameters("L", Cursor(at=500, after_id="sub_9", pass_version=1), lacking)
    assert (found["status"], found["current_period_end[gte]"]) == ("canceled", str(NOW - 86_400))
    assert (found["created"], found["starting_after"]) == ({"lt": 501}, "sub_9")
    assert pages_of("L", TEN_THOUSAND) == 1


def test_a_list_that_the_key_may_not_read_is_not_asked_for() -> None:
    without = FULL.without("charge")
    assert call_of("A", Cursor(at=1), without, TEN_THOUSAND, tier="normal", now=NOW) is None
    assert call_of("I", Cursor(at=1), FULL.without("dispute"), TEN_THOUSAND, tier="normal", now=NOW) is None


def test_expansions_that_the_server_refuses_are_not_asked_for() -> None:
    lacking = Capabilities(dict.fromkeys(KINDS, "granted"), refused=("subscription:latest_invoice",))
    expand = parameters("G", Cursor(), lacking)["expand"]
    assert expand == ["data.customer", "data.discounts", "data.items.data.discounts"]


def test_what_is_looked_at_less_often_is_named() -> None:
    assert slowed(()) is None
    said = slowed(("G", "C"))
    assert said is not None
    assert "open invoices" in said
    spent = slowed((), singles_spent=Spent(date(2026, 1, 2), of_window=False))
    assert spent is not None
    assert "Today's reads of single things are used up" in spent
    of_window = slowed((), singles_spent=Spent(date(2026, 1, 21), of_window=True))
    assert of_window is not None
    assert "of 30 days are used up until 21 January" in of_window


def test_the_turn_of_disputes_goes_to_others_where_they_may_not_be_read() -> None:
    made = {letter for tick in range(144) for letter in letters_of("normal", tick, disputes=False)}
    assert made == set("ABCDEFGS")
