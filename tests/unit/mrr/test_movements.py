"""The ledger: which movement a change is, and when it takes effect."""

from typing import Any

import pytest

from services.mrr.policy import BAREMETRICS, CHARTMOGUL, PROFITWELL, Policy
from tests.unit.mrr.build import customer, discount, invoice, item, line, price, subscription, tiered
from tests.unit.mrr.story import Story, day

AT_REQUEST = Policy(version="at-request/1", churn_at="cancel_request")


def _ended(on: float, **more: Any) -> dict[str, Any]:
    return {"status": "canceled", "ended_at": day(on), "canceled_at": day(on), **more}


def test_the_first_mrr_is_new_from_the_start_date() -> None:
    assert Story().see(subscription(), 0.01, change="created").rows() == [(0, 0, 1000, "new")]


def test_more_is_an_expansion_from_when_it_was_first_seen() -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(item(quantity=3)), 10)
    assert told.rows() == [(0, 0, 1000, "new"), (10, 1000, 3000, "expansion")]


def test_less_is_a_contraction() -> None:
    told = Story().see(subscription(item(quantity=3)), 0, change="created").see(subscription(), 10)
    assert told.rows()[1] == (10, 3000, 1000, "contraction")


def test_nothing_left_is_churn_at_the_end_that_stripe_gives() -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(**_ended(9.5)), 10)
    assert told.rows()[1] == (9.5, 1000, 0, "churn")


def test_mrr_again_is_a_reactivation() -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(**_ended(5)), 5)
    told.see(subscription(name="sub_2", start_date=day(20)), 20, change="created")
    assert told.rows()[2] == (20, 0, 1000, "reactivation")


def test_another_plan_at_the_same_price_is_no_movement() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(item(price(12_000, "year", id="price_2"), name="si_2")), 10)
    assert told.rows() == [(0, 0, 1000, "new")]


def test_moving_worth_between_a_customers_own_subscriptions_is_no_movement() -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(**_ended(10)), 10)
    told.see(subscription(name="sub_2", start_date=day(10)), 10, change="created")
    assert told.rows() == [(0, 0, 1000, "new")]


def test_a_second_subscription_is_an_expansion() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(name="sub_2", start_date=day(3)), 3, change="created")
    assert told.rows()[1] == (3, 1000, 2000, "expansion")


def test_free_is_nothing_and_free_to_paid_is_new() -> None:
    told = Story().see(subscription(item(price(0))), 0, change="created").see(subscription(), 10)
    assert told.rows() == [(10, 0, 1000, "new")]


def test_everything_off_is_churn() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(discounts=[discount(percent=100, start=day(4))]), 5)
    assert told.rows()[1] == (4, 1000, 0, "churn")


def test_a_trial_counts_from_its_end_once_stripe_says_that_it_goes_on() -> None:
    trial: dict[str, Any] = {"trial_start": day(0), "trial_end": day(14)}
    told = Story().see(subscription(status="trialing", **trial), 0, change="created")
    assert told.rows(until=20) == []
    assert told.see(subscription(**trial), 14.2).rows() == [(14, 0, 1000, "new")]


def test_a_trial_that_ends_in_nothing_never_counted() -> None:
    told = Story().see(subscription(status="trialing", trial_end=day(14)), 0, change="created")
    assert told.see(subscription(trial_end=day(14), **_ended(14)), 14.1).rows() == []


def test_a_first_payment_that_was_late_counts_from_the_start() -> None:
    told = Story().see(subscription(status="incomplete"), 0, change="created").see(subscription(), 0.5)
    assert told.rows() == [(0, 0, 1000, "new")]


def test_a_subscription_that_was_never_paid_for_never_counted() -> None:
    told = Story().see(subscription(status="incomplete"), 0, change="created")
    assert told.see(subscription(status="incomplete_expired", ended_at=day(1)), 1).rows() == []


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("active", True),
        ("past_due", True),
        ("trialing", False),
        ("incomplete", False),
        ("incomplete_expired", False),
        ("unpaid", False),
        ("canceled", False),
        ("paused", False),
    ],
)
def test_a_status_counts_or_does_not(status: str, *, counts: bool) -> None:
    ended: dict[str, Any] = (
        {"ended_at": day(1), "canceled_at": day(1)} if status in {"canceled", "incomplete_expired"} else {}
    )
    told = Story().see(subscription(status=status, **ended), 1, change="created")
    assert told.play(until=2).customers() == ({"cus_1": {"usd": 1000}} if counts else {})


@pytest.mark.parametrize("status", ["unpaid", "paused"])
def test_a_status_without_a_time_counts_from_when_it_was_first_seen(status: str) -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(status=status), 10)
    assert told.rows()[1] == (10, 1000, 0, "churn")


def test_past_due_goes_on_counting() -> None:
    told = Story().see(subscription(), 0, change="created").see(subscription(status="past_due"), 10)
    assert told.rows(until=100) == [(0, 0, 1000, "new")]


def test_a_policy_may_stop_counting_what_is_past_due_for_so_long() -> None:
    told = Story(BAREMETRICS).see(subscription(), 0, change="created").see(subscription(status="past_due"), 10)
    assert told.rows(until=39) == [(0, 0, 1000, "new")]
    assert told.rows(until=41)[1] == (40, 1000, 0, "churn")


def test_another_record_of_the_same_debt_does_not_prolong_the_grace() -> None:
    told = Story(BAREMETRICS).see(subscription(), 0, change="created").see(subscription(status="past_due"), 10)
    told.see(subscription(item(quantity=2), status="past_due"), 30)
    assert told.rows(until=50)[-1] == (40, 2000, 0, "churn")


def test_a_debt_that_is_paid_after_the_grace_is_a_reactivation() -> None:
    told = Story(BAREMETRICS).see(subscription(), 0, change="created").see(subscription(status="past_due"), 10)
    assert told.see(subscription(), 45).rows()[1:] == [(40, 1000, 0, "churn"), (45, 0, 1000, "reactivation")]


@pytest.mark.parametrize(
    ("behaviour", "kept"), [("void", False), ("mark_uncollectible", False), ("keep_as_draft", True)]
)
def test_a_pause_counts_by_what_becomes_of_its_invoices(behaviour: str, *, kept: bool) -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(pause_collection={"behavior": behaviour, "resumes_at": None}), 10)
    assert (len(told.rows()) == 1) is kept


def test_a_pause_ends_when_it_was_said_to() -> None:
    pause = {"behavior": "void", "resumes_at": day(30)}
    told = Story().see(subscription(), 0, change="created").see(subscription(pause_collection=pause), 10)
    assert told.rows(until=31)[1:] == [(10, 1000, 0, "churn"), (30, 0, 1000, "reactivation")]


def test_a_cancellation_counts_when_the_subscription_ends() -> None:
    asked: dict[str, Any] = {"cancel_at_period_end": True, "cancel_at": day(31), "canceled_at": day(10)}
    told = Story().see(subscription(), 0, change="created").see(subscription(**asked), 10.1)
    assert told.rows(until=30) == [(0, 0, 1000, "new")]
    told.see(subscription(status="canceled", ended_at=day(31), canceled_at=day(10)), 31.1)
    assert told.rows()[1] == (31, 1000, 0, "churn")


def test_a_cancellation_may_count_when_it_is_asked_for() -> None:
    asked: dict[str, Any] = {"cancel_at_period_end": True, "canceled_at": day(10)}
    told = Story(AT_REQUEST).see(subscription(), 0, change="created").see(subscription(**asked), 10.1)
    assert told.rows()[1] == (10, 1000, 0, "churn")
    assert told.see(subscription(), 15).rows()[2] == (15, 0, 1000, "reactivation")


def test_counting_from_the_first_payment() -> None:
    told = Story(CHARTMOGUL).see(subscription(), 0, change="created")
    told.see(invoice(line(1000), status="open", billing_reason="subscription_create", amount_paid=0), 0.1)
    assert told.rows(until=1) == []
    paid = invoice(line(1000), billing_reason="subscription_create", status_transitions={"paid_at": day(2)})
    assert told.see(paid, 2.1).rows() == [(2, 0, 1000, "new")]


def test_counting_from_the_first_payment_where_the_first_invoice_is_not_known_counts_from_the_start() -> None:
    told = Story(CHARTMOGUL).see(subscription(), 40, change="backfilled").see(invoice(line(1000)), 40)
    assert told.rows() == [(0, 0, 1000, "new")]


def test_a_discount_counts_from_its_own_start_not_from_when_it_was_seen() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(discounts=[discount(percent=20, start=day(4))]), 5)
    assert told.rows()[1] == (4, 1000, 800, "contraction")


def test_a_discount_ends_at_its_end_although_nothing_new_is_seen() -> None:
    months = discount(percent=20, duration="repeating", end=day(60))
    told = Story(PROFITWELL).see(subscription(discounts=[months]), 0, change="created")
    assert told.rows(until=59) == [(0, 0, 800, "new")]
    assert told.rows(until=60)[1] == (60, 800, 1000, "expansion")


def test_a_discount_that_is_taken_away_counts_until_that_was_seen() -> None:
    told = Story().see(subscription(discounts=[discount(percent=20)]), 0, change="created")
    assert told.see(subscription(), 9).rows()[1] == (9, 800, 1000, "expansion")


def test_a_customers_discount_reaches_each_subscription_that_has_none() -> None:
    told = Story().see(customer(discount(percent=50)), 0, change="created").see(subscription(), 0, change="created")
    told.see(subscription(name="sub_2", discounts=[discount("di_2", percent=10)]), 0, change="created")
    assert told.rows() == [(0, 0, 500 + 900, "new")]


def test_a_customers_discount_counts_from_its_own_start() -> None:
    told = Story().see(customer(), 0, change="created").see(subscription(), 0, change="created")
    told.see(customer(discount(percent=50, start=day(7))), 8)
    assert told.rows()[1] == (7, 1000, 500, "contraction")


def test_a_deleted_customer_tells_nothing_of_its_discount() -> None:
    told = Story().see(customer(discount(percent=50)), 0, change="created").see(subscription(), 0, change="created")
    told.see({"id": "cus_1", "object": "customer", "deleted": True}, 5, change="deleted")
    assert told.rows() == [(0, 0, 500, "new")]


def test_currencies_never_mix() -> None:
    told = Story().see(subscription(), 0, change="created")
    told.see(subscription(item(price(700, currency="eur")), name="sub_2", currency="eur"), 0, change="created")
    assert sorted((row[0], row[3]) for row in told.play().standing()["con_test/cus_1"]) == [("eur", 700), ("usd", 1000)]


def test_a_subscription_that_was_there_already_is_reconstructed_from_its_start() -> None:
    told = Story().see(subscription(), 90, change="backfilled")
    assert told.rows() == [(0, 0, 1000, "new")]
    assert [movement.reconstructed for movement in told.play().movements] == [True]


def test_what_ended_before_the_connection_is_reconstructed_from_start_to_end() -> None:
    told = Story().see(subscription(**_ended(30)), 90, change="backfilled")
    assert told.rows() == [(0, 0, 1000, "new"), (30, 1000, 0, "churn")]
    assert all(movement.reconstructed for movement in told.play().movements)


def test_what_was_unpaid_when_it_was_connected_counts_until_then_and_says_that_this_is_reconstructed() -> None:
    told = Story().see(subscription(status="unpaid"), 90, change="backfilled")
    assert told.rows() == [(0, 0, 1000, "new"), (90, 1000, 0, "churn")]
    assert all(movement.reconstructed for movement in told.play().movements)


def test_what_happens_after_the_connection_is_not_reconstructed() -> None:
    told = Story().see(subscription(), 90, change="backfilled").see(subscription(item(quantity=2)), 100)
    assert [movement.reconstructed for movement in told.play().movements] == [True, False]


def test_a_status_that_nobody_knows_yet_does_not_count() -> None:
    assert Story().see(subscription(status="hibernating"), 0, change="created").rows() == []


def test_tiers_that_cannot_be_read_count_by_the_invoice_that_bills_the_whole_period() -> None:
    hidden = item(tiered("volume"), 12)
    told = Story().see(subscription(hidden), 0, change="created")
    assert told.rows() == []
    assert told.state().book.told == ()
    told.see(invoice(line(8400, quantity=12)), 0, change="created")
    assert told.rows() == [(0, 0, 8400, "new")]
    assert [movement.basis for movement in told.play().movements] == ["invoice"]


def test_tiers_that_cannot_be_read_follow_each_period_from_its_start() -> None:
    told = Story().see(subscription(item(tiered("graduated"), 5)), 0, change="created").see(invoice(line(5000)), 0)
    later = [line(5000, start=day(31)), line(1300, start=day(31)), line(-700, start=day(20), proration=True)]
    assert told.see(invoice(*later, name="in_2"), 32).rows()[1] == (31, 5000, 6300, "expansion")
