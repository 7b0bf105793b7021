"""Policies: versioned, validated, documented values, and the presets."""

from fractions import Fraction

import pytest
from pydantic import ValidationError

from schemas.events.mrr_policy import DiscountPolicy
from services.mrr.errors import UnknownPolicy
from services.mrr.policy import DEFAULT, PRESETS, STRIPE, Policy, preset


def test_the_default_is_stripes_own_definition() -> None:
    assert DEFAULT is STRIPE
    assert STRIPE.discounts == DiscountPolicy(forever=True, repeating=False, once=False)
    assert STRIPE.past_due_grace_days is None
    assert (STRIPE.churn_at, STRIPE.activate_at) == ("period_end", "start")


def test_there_is_a_preset_for_each_tool_whose_number_people_know() -> None:
    assert set(PRESETS) == {"stripe", "profitwell", "baremetrics", "chartmogul"}
    assert PRESETS["baremetrics"].past_due_grace_days == 30
    assert PRESETS["chartmogul"].activate_at == "first_payment"
    assert all(PRESETS[name].discounts.repeating for name in ("profitwell", "baremetrics", "chartmogul"))


def test_a_preset_is_found_by_its_name_or_its_version() -> None:
    assert preset("profitwell") is preset("profitwell/1")


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownPolicy, match="baremetrics, chartmogul, profitwell, stripe"):
        preset("exact")


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        STRIPE.churn_at = "cancel_request"


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "mine"},
        {"version": "mine/0"},
        {"version": "mine/1", "past_due_grace_days": -1},
        {"version": "mine/1", "day_factor": "31"},
        {"version": "mine/1", "week_factor": "4.345"},
        {"version": "mine/1", "churn_at": "never"},
        {"version": "mine/1", "discount": {}},
        {"version": "mine/1", "discounts": {"twice": True}},
    ],
)
def test_a_policy_that_says_something_unknown_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)


@pytest.mark.parametrize("model", [Policy, DiscountPolicy])
def test_every_field_is_documented(model: type[Policy] | type[DiscountPolicy]) -> None:
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize(
    ("interval", "count", "factor"),
    [
        ("month", 1, Fraction(1)),
        ("month", 3, Fraction(1, 3)),
        ("year", 1, Fraction(1, 12)),
        ("year", 2, Fraction(1, 24)),
        ("week", 1, Fraction(52, 12)),
        ("week", 2, Fraction(52, 24)),
        ("day", 1, Fraction(365, 12)),
        ("day", 10, Fraction(365, 120)),
    ],
)
def test_a_month_holds_so_many_billing_periods(interval: str, count: int, factor: Fraction) -> None:
    assert STRIPE.month_factor(interval, count) == factor


def test_a_policy_may_count_thirty_days_and_four_and_a_third_weeks_to_a_month() -> None:
    policy = Policy(version="plain/1", day_factor="30", week_factor="4.33")
    assert policy.month_factor("day", 1) == 30
    assert policy.month_factor("week", 1) == Fraction(433, 100)
