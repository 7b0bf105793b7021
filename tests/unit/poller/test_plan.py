"""Which calls a poll makes, and what bound that gives every kind of change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.poller.capabilities import Capabilities
from services.poller.kinds import KINDS
from services.poller.plan import (
    BOUNDS,
    POLLS_A_DAY,
    Cursor,
    Sizes,
    Tier,
    bound_seconds,
    call_of,
    extras_of,
    letters_of,
    pages_of,
    polls_for,
    slowed,
    tier_of,
)

FULL = Capabilities(dict.fromkeys(KINDS, "granted"), searchable=("customer", "subscription", "charge"))
RICH = 10_000_000
TIERS: tuple[Tier, ...] = ("tiny", "small", "floor", "normal", "large")
TEN_THOUSAND = Sizes(subscriptions=10_000, running=9_000, customers=10_000, open_invoices=300)


def bounds(sizes: Sizes, allowed: int = RICH) -> dict[str, int]:
    return {bound.change: bound_seconds(bound, sizes, allowed=allowed) for bound in BOUNDS}


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


def test_a_one_call_account_reads_less_than_28_other_things_a_day_by_the_clock() -> None:
    tiers: tuple[tuple[Tier, int], ...] = (("tiny", 12), ("small", 28 + 2))
    for tier, most in tiers:
        extras = [letter for tick in range(POLLS_A_DAY) for letter in extras_of(tier, tick)]
        assert len(extras) <= most


def test_an_hour_of_the_slot_is_five_open_sets_five_sweeps_and_one_each_of_the_rest() -> None:
    slots = sorted(letters_of("normal", tick)[3] for tick in range(12))
    assert slots == sorted("CCCCCGGGGGBF")


@given(st.integers(101, 12_000))
def test_subscriptions_are_swept_within_a_day_whatever_is_lent_to_the_sweep_of_customers(subscriptions: int) -> None:
    sizes = Sizes(subscriptions, subscriptions, subscriptions, subscriptions * 3 // 100)
    assert bounds(sizes)["A plan or quantity changes without an invoice"] <= 24 * 3600


def test_customers_are_swept_as_often_as_subscriptions_where_there_are_few() -> None:
    found = bounds(Sizes(5_000, 4_500, 5_000, 150))
    assert found["A customer is deleted, or one without a subscription changes"] <= 20 * 3600


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


def test_the_bounds_of_a_tiny_account_are_one_poll_for_what_its_page_shows() -> None:
    found = bounds(Sizes(subscriptions=90, running=80, customers=90, open_invoices=5), allowed=9_500)
    assert found["A card payment fails, also one of an old invoice"] == 300
    assert found["A plan or quantity changes without an invoice"] == 300
    assert found["A subscription is canceled, or its cancellation scheduled"] == 300


def test_the_bounds_of_ten_thousand_subscriptions_are_those_that_the_documents_state() -> None:
    found = bounds(TEN_THOUSAND)
    assert found["A card payment fails, also one of an old invoice"] == 300
    assert found["A subscription is canceled, or its cancellation scheduled"] == 300
    assert found["An invoice is voided or written off"] <= 45 * 60
    assert found["A plan or quantity changes without an invoice"] <= 24 * 3600
    assert found["A customer is deleted, or one without a subscription changes"] <= 87 * 3600
    assert found["A customer is created"] <= 3 * 3600


def test_a_million_subscriptions_are_swept_within_a_day() -> None:
    million = Sizes(subscriptions=1_000_000, running=900_000, customers=1_000_000, open_invoices=30_000)
    assert pages_of("G", million) == 35
    assert bounds(million)["A plan or quantity changes without an invoice"] <= 24 * 3600


SEEN_LATER = {
    "A draft cannot be finalized",
    "A plan or quantity changes and is invoiced at once",
    "A dispute is opened",
    "A customer is deleted, or one without a subscription changes",
}
"""What an account with one call a poll sees with the sweep, or with the next invoice, instead."""


def test_every_change_has_a_bound_in_every_tier() -> None:
    for sizes, allowed in (
        (Sizes(90, 80, 90, 5), 9_500),
        (Sizes(500, 90, 300, 5), 9_500),
        (Sizes(500, 400, 500, 5), 9_500),
        (TEN_THOUSAND, RICH),
        (Sizes(10**6, 10**6, 10**6, 10**4), RICH),
    ):
        unbounded = {change for change, seconds in bounds(sizes, allowed).items() if seconds <= 0}
        assert unbounded <= SEEN_LATER


def parameters(letter: str, cursor: Cursor, found: Capabilities = FULL, tier: Tier = "normal") -> dict[str, object]:
    call = call_of(letter, cursor, found, TEN_THOUSAND, tier=tier)
    assert call is not None
    return call.query.parameters(after=cursor.after_id if letter in "CGS" else None)


def test_hot_calls_overlap_with_what_was_read_before() -> None:
    at = Cursor(at=1_000_000)
    assert parameters("A", at)["created"] == {"gte": 1_000_000 - 900}
    assert parameters("B", at)["created"] == {"gte": 1_000_000 - 10_800}
    assert parameters("D", at)["current_period_start[gte]"] == "999100"
    assert parameters("E", at)["query"] == "canceled_at>996400"


def test_a_sweep_goes_on_below_what_it_saw() -> None:
    found = parameters("G", Cursor(at=500, after_id="sub_9", pass_version=1))
    assert (found["created"], found["starting_after"], found["status"]) == ({"lt": 501}, "sub_9", "all")


def test_without_search_cancellations_are_found_by_the_list() -> None:
    lacking = Capabilities(dict.fromkeys(KINDS, "granted"))
    found = parameters("E", Cursor(at=1_000_000), lacking)
    assert (found["status"], found["current_period_end[gte]"]) == ("canceled", str(1_000_000 - 86_400))


def test_a_list_that_the_key_may_not_read_is_not_asked_for() -> None:
    without = FULL.without("charge")
    assert call_of("A", Cursor(at=1), without, TEN_THOUSAND, tier="normal") is None
    assert call_of("I", Cursor(at=1), FULL.without("dispute"), TEN_THOUSAND, tier="normal") is None


def test_expansions_that_the_server_refuses_are_not_asked_for() -> None:
    lacking = Capabilities(dict.fromkeys(KINDS, "granted"), refused=("subscription:latest_invoice",))
    expand = parameters("G", Cursor(), lacking)["expand"]
    assert expand == ["data.customer", "data.discounts", "data.items.data.discounts"]


def test_what_is_looked_at_less_often_is_named() -> None:
    assert slowed(()) is None
    said = slowed(("G", "C"))
    assert said is not None
    assert "open invoices" in said


def test_a_bound_counts_the_polls_until_a_call_had_its_turns() -> None:
    assert polls_for("A", "normal", turns=1) == 1
    assert polls_for("C", "normal", turns=1) == 3
    assert polls_for("C", "normal", turns=3) == 8
    assert polls_for("G", "normal", turns=5) == 12
    assert polls_for("W", "normal", turns=1) == 0


@given(
    st.sampled_from(TIERS), st.sampled_from("ABCDEFGSI"), st.integers(1, 400), st.integers(0, 143), st.integers(0, 6)
)
def test_a_bound_holds_wherever_one_begins_to_count(tier: Tier, letter: str, turns: int, begin: int, lent: int) -> None:
    most = polls_for(letter, tier, turns=turns, lent=lent)
    if most == 0 or (tier in {"tiny", "small"} and letter in "ADEGC"):
        return
    had = 0
    for tick in range(begin + 1, begin + most + 1):
        had += letter in letters_of(tier, tick, lent=lent) + extras_of(tier, tick)
    assert had >= turns


def test_the_turn_of_disputes_goes_to_others_where_they_may_not_be_read() -> None:
    made = {letter for tick in range(144) for letter in letters_of("normal", tick, disputes=False)}
    assert made == set("ABCDEFGS")
