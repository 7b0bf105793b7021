"""Which connections count, and what the dashboard says of them."""

from datetime import UTC, datetime

import pytest

from services.console.model import Connection, Status, Watched
from services.console.overview import Figures, SignalCount, format_each, is_live, overview_of, scope_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def watched(name: str, state: str | None, *, live: bool, counted: int | None = None) -> Watched:
    connection = Connection(name, "restricted", "rk_…", live, "submitted", None, NOON)
    status = None if state is None else Status(name, state, livemode=live, customers_counted=counted)
    return Watched(connection, status)


def test_test_accounts_count_only_while_there_is_no_live_one() -> None:
    test, live = watched("test", "live", live=False), watched("live", "live", live=True)
    assert (scope_of([test]).mode, scope_of([test]).connection_ids) == ("test", ["test"])
    assert (scope_of([test, live]).mode, scope_of([test, live]).connection_ids) == ("live", ["live"])
    assert scope_of([test, live], shows_test=True).connection_ids == ["test"]
    assert scope_of([live], shows_test=True).connection_ids == ["live"]
    assert [scope_of(found).both for found in ([test], [live], [test, live])] == [False, False, True]


def test_a_live_key_that_stripe_has_not_accepted_does_not_hide_the_test_figures() -> None:
    test = watched("test", "live", live=False)
    for state in (None, "validating", "refused"):
        assert scope_of([test, watched("live", state, live=True)]).mode == "test"


@pytest.mark.parametrize(
    ("accounts", "live"),
    [
        ([], True),
        ([("live", False)], False),
        ([(None, False)], False),
        ([("refused", False)], True),
        ([("live", False), ("validating", True)], False),
        ([("live", False), ("live", True)], True),
        ([(None, True)], True),
    ],
)
def test_what_is_recorded_by_hand_is_of_test_mode_where_there_is_a_test_account_alone(
    accounts: list[tuple[str | None, bool]], live: bool
) -> None:
    assert is_live([watched("a", state, live=mode) for state, mode in accounts]) is live


def test_what_was_recorded_before_the_test_account_came_is_not_lost_from_sight() -> None:
    test, live = watched("test", "live", live=False), watched("live", "live", live=True)
    assert [scope_of(found).modes_by_hand for found in ([], [test], [live], [test, live])] == [
        [True],
        [False, True],
        [True],
        [True],
    ]
    assert scope_of([test, live], shows_test=True).modes_by_hand == [False]


def test_without_an_accepted_connection_there_is_nothing_to_show() -> None:
    assert scope_of([]).mode == "none"
    assert scope_of([watched("a", "refused", live=True)]).connection_ids == []


def test_stripes_word_on_the_mode_outweighs_the_keys_prefix() -> None:
    claimed_live = Connection("a", "restricted", "rk_…", True, "submitted", None, NOON)
    assert scope_of([Watched(claimed_live, Status("a", "live", livemode=False))]).mode == "test"


def test_the_count_taken_at_connect_stands_while_customers_are_still_read() -> None:
    reading = scope_of([watched("a", "first_minute", live=True, counted=2037)])
    assert overview_of(reading, Figures(customers=12)).tracked_users == 2037
    assert overview_of(reading, Figures(customers=None)).tracked_users == 2037
    assert overview_of(reading, Figures(customers=2040)).tracked_users == 2040


def test_once_all_is_read_the_customers_that_are_there_count() -> None:
    done = scope_of([watched("a", "live", live=True, counted=2037)])
    assert overview_of(done, Figures(customers=2036)).tracked_users == 2036


def test_a_count_is_only_told_when_every_account_was_counted() -> None:
    scope = scope_of([watched("a", "first_minute", live=True, counted=5), watched("b", "first_minute", live=True)])
    assert overview_of(scope, Figures(customers=2)).tracked_users == 2


def test_a_user_of_the_product_adds_one_only_where_it_is_no_customers() -> None:
    done = scope_of([watched("a", "live", live=True)])
    assert overview_of(done, Figures(customers=40, users_alone=3)).tracked_users == 43
    assert overview_of(done, Figures(customers=40, users_alone=0)).tracked_users == 40
    assert overview_of(done, Figures(customers=40)).tracked_users == 40


def test_without_stripe_the_users_of_the_product_count_alone() -> None:
    assert overview_of(scope_of([]), Figures(users_alone=3)).tracked_users == 3
    assert overview_of(scope_of([]), Figures(customers=0, users_alone=3)).tracked_users == 3


def test_a_view_that_is_not_there_is_unknown_and_not_zero() -> None:
    overview = overview_of(scope_of([watched("a", "live", live=True)]), Figures())
    assert (overview.tracked_users, overview.mrr, overview.open_signals) == (None, None, None)


def test_both_billing_signals_are_always_shown_and_others_only_where_there_are_any() -> None:
    figures = Figures(signals={"downgrade": SignalCount(1, 2), "payment_failed": SignalCount(3, 9)})
    overview = overview_of(scope_of([watched("a", "live", live=True)]), figures)
    assert [code for code, _, _ in overview.signal_rows] == ["payment_failed", "subscription_lapsed", "downgrade"]
    assert overview.open_signals == 4


def test_currencies_are_listed_side_by_side_the_most_used_first() -> None:
    lines = format_each({"jpy": 2_360_400, "usd": 31_822_100, "kwd": 12_345}, {"usd": 900, "jpy": 4, "kwd": 7})
    assert lines == [("usd", "$318,221.00"), ("kwd", "12.345 KWD"), ("jpy", "¥2,360,400")]
