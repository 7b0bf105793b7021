"""The read budget: never spent before its 30 days are over, and what is left out first."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.poller.budget import (
    FLOOR,
    KEPT_FOR_REFRESHES,
    POLLS_A_DAY,
    Meter,
    Reads,
    Spent,
    allowed_reads,
    focused_a_day,
    kept,
    kept_for_refreshes,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = START.date()


def test_half_of_what_stripe_allows_and_never_less_than_a_call_a_poll() -> None:
    assert allowed_reads(0) == 9_500
    assert allowed_reads(38) == 9_500
    assert allowed_reads(140) == 35_000


def test_focused_reads_are_28_a_day_at_the_floor() -> None:
    assert focused_a_day(FLOOR) == 31
    assert focused_a_day(35_000) == 116


@given(st.lists(st.sampled_from(["hot", "slot", "sweep", "whole", "focused", "refresh", "connect", "first_minute"])))
def test_every_read_is_counted_once(purposes: list[str]) -> None:
    meter = Meter(today=START.date())
    for purpose in purposes:
        meter.count(purpose, START)
    assert meter.used == len(purposes)
    assert meter.days.get(START.date(), Reads()).focused == sum(
        purpose in {"focused", "refresh"} for purpose in purposes
    )


def test_reads_leave_the_window_after_thirty_days() -> None:
    meter = Meter(today=START.date())
    meter.count("hot", START)
    meter.today = (START + timedelta(days=29)).date()
    assert meter.used == 1
    meter.today = (START + timedelta(days=30)).date()
    assert meter.used == 0


def test_calls_are_left_out_in_the_stated_order_and_one_always_stays() -> None:
    assert kept("ADEG", 9) == ("A", "D", "E", "G")
    assert kept("ADEG", 3) == ("A", "D", "E")
    assert kept("ADEC", 2) == ("A", "D")
    assert kept("ADEC", 1) == ("A",)
    assert kept("W", 1) == ("W",)


@given(
    first_sync=st.integers(0, 3_000),
    transactions=st.integers(0, 2_000),
    wanted=st.integers(1, 4),
)
def test_a_window_of_polls_stays_within_what_is_allowed(first_sync: int, transactions: int, wanted: int) -> None:
    """Sixty days of polls, each making as many of its calls as it can afford, and every focused read there is."""
    meter = Meter(allowed=allowed_reads(transactions), today=START.date())
    meter.days[START.date()] = Reads(others=first_sync)
    for day in range(60):
        today = (START + timedelta(days=day)).date()
        meter.today = today
        focused = meter.focused_left
        before = replace(meter.days.get(today, Reads()), focused=focused)
        meter.days[today] = before
        calls = min(wanted, meter.calls_affordable())
        meter.days[today] = replace(before, lists=calls * POLLS_A_DAY)
        reserved = (POLLS_A_DAY + kept_for_refreshes(meter.allowed)) * 30
        assert meter.used <= max(meter.allowed, reserved + first_sync)


def test_an_account_in_good_standing_makes_all_its_calls() -> None:
    meter = Meter(allowed=allowed_reads(200), today=START.date())
    for day in range(60):
        today = (START + timedelta(days=day)).date()
        meter.today = today
        assert meter.calls_affordable() >= 4
        meter.days[today] = Reads(lists=4 * POLLS_A_DAY, focused=focused_a_day(meter.allowed))


@given(st.integers(0, 200))
def test_focused_reads_stop_when_the_day_is_spent(asked: int) -> None:
    meter = Meter(allowed=FLOOR, today=START.date())
    made = 0
    for _ in range(asked):
        if meter.focused_left > 0:
            meter.count("focused", START)
            made += 1
    assert made == min(asked, focused_a_day(FLOOR))


def test_some_of_a_days_focused_reads_are_kept_for_fresh_reads_that_are_asked_for() -> None:
    meter = Meter(today=START.date())
    while meter.timed_left:
        meter.count("focused", START)
    left = meter.focused_left
    assert left == kept_for_refreshes(FLOOR) == focused_a_day(FLOOR) // KEPT_FOR_REFRESHES
    while meter.focused_left:
        meter.count("refresh", START)
    assert meter.timed_left == 0
    assert meter.days[START.date()].focused == focused_a_day(FLOOR)


@given(first_sync=st.integers(0, 20_000), timed=st.integers(0, 200), ahead=st.integers(0, 29))
def test_what_is_kept_for_fresh_reads_is_there_on_every_day_whatever_a_first_sync_took(
    first_sync: int, timed: int, ahead: int
) -> None:
    meter = Meter(days={TODAY: Reads(others=first_sync)}, today=TODAY + timedelta(days=ahead))
    for _ in range(min(timed, meter.timed_left)):
        meter.count("focused", START + timedelta(days=ahead))
    assert meter.focused_left >= kept_for_refreshes(FLOOR)


def test_it_is_told_until_when_reads_of_single_things_are_used_up() -> None:
    tomorrow = TODAY + timedelta(days=1)
    assert Meter(today=TODAY).spent is None
    of_day = Meter(days={TODAY: Reads(focused=focused_a_day(FLOOR))}, today=TODAY)
    assert of_day.spent == Spent(tomorrow, of_window=False)
    of_window = Meter(days={TODAY - timedelta(days=10): Reads(others=1_000)}, today=TODAY)
    assert of_window.spent == Spent(TODAY + timedelta(days=20), of_window=True)


def test_when_the_surplus_is_spent_all_pollers_of_an_account_together_make_one_call_per_five_minutes() -> None:
    meter = Meter(allowed=FLOOR, days={TODAY - timedelta(days=1): Reads(others=FLOOR)}, today=TODAY)
    midnight = datetime.combine(TODAY, time(), UTC)
    made = 0
    for minute in range(0, 24 * 60, 2):
        at = midnight + timedelta(minutes=minute)
        if meter.may_poll(at):
            meter.count("whole", at)
            made += 1
    assert made <= POLLS_A_DAY
    assert made >= POLLS_A_DAY - 1


def test_while_there_is_surplus_every_poll_may_call() -> None:
    meter = Meter(allowed=10 * FLOOR, days={TODAY: Reads(lists=5_000)}, today=TODAY)
    assert meter.may_poll(datetime.combine(TODAY, time(0, 5), UTC))
