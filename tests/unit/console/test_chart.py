"""The line of MRR."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.console.chart import FEWEST_DAYS, HEIGHT, WIDTH, Chart, DayOfMrr, chart_of

FIRST = date(2026, 11, 1)


def days(mrr: list[int], *, connection: str = "a", currency: str = "usd", first: date = FIRST) -> list[DayOfMrr]:
    return [DayOfMrr(connection, currency, first + timedelta(days=nth), amount) for nth, amount in enumerate(mrr)]


def test_too_few_days_make_no_line() -> None:
    assert chart_of([], {}) is None
    assert chart_of(days([1] * (FEWEST_DAYS - 1)), {}) is None


def test_the_currency_that_most_customers_pay_in_is_drawn_and_no_other_is_added_to_it() -> None:
    chart = chart_of(days([100] * 7) + days([9_999] * 7, currency="jpy"), {"usd": 12, "jpy": 3})
    assert chart is not None
    assert (chart.currency, chart.high, chart.low) == ("usd", 100, 100)


def test_connections_are_summed_and_one_that_ends_earlier_keeps_its_last_figure() -> None:
    chart = chart_of(days([10, 20, 30, 40, 50, 60, 70]) + days([1, 2], connection="b"), {})
    assert chart is not None
    assert [mrr for _, mrr in chart.days] == [11, 22, 32, 42, 52, 62, 72]


def test_a_connection_counts_nothing_before_its_first_day() -> None:
    chart = chart_of(days([10] * 7) + days([5], connection="b", first=FIRST + timedelta(days=6)), {})
    assert chart is not None
    assert [mrr for _, mrr in chart.days] == [10, 10, 10, 10, 10, 10, 15]
    assert (chart.change, chart.percent) == (5, 50.0)


def test_a_rise_from_nothing_has_no_percentage() -> None:
    assert Chart("usd", tuple((FIRST + timedelta(days=nth), nth) for nth in range(7))).percent is None


@given(st.lists(st.integers(0, 10**12), min_size=FEWEST_DAYS, max_size=90))
def test_every_day_lies_inside_the_box(mrr: list[int]) -> None:
    chart = chart_of(days(mrr), {})
    assert chart is not None
    places = [tuple(map(float, point.split(","))) for point in chart.points.split()]
    assert len(places) == len(mrr)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
