"""Files of rates of exchange: what is read of them, and what is said of those that are none."""

from datetime import date
from decimal import Decimal

import pytest

from services.mrr.errors import InvalidRates
from services.mrr.rates import Rate, read_rates

HEADER = "currency,reporting,rate,valid_from"


def test_a_file_is_read_whatever_the_order_of_its_columns_and_its_case() -> None:
    assert read_rates(["\ufeffvalid_from,Rate,currency,reporting", " 2026-01-01, 1.0842 ,EUR,usd", ""]) == [
        Rate("eur", "usd", Decimal("1.0842"), date(2026, 1, 1))
    ]


@pytest.mark.parametrize(
    ("currency", "reporting", "factor"),
    [("eur", "usd", "0.5"), ("jpy", "usd", "50"), ("kwd", "usd", "0.05"), ("usd", "jpy", "0.005")],
)
def test_minor_units_are_those_of_each_currency(currency: str, reporting: str, factor: str) -> None:
    assert Rate(currency, reporting, Decimal("0.5"), date(2026, 1, 1)).factor == Decimal(factor)


def test_every_line_that_is_no_rate_is_named_with_what_is_wrong() -> None:
    lines = [
        HEADER,
        "eur,usd,1.1,2026-01-01",
        "xxx,usd,1.1,2026-01-01",
        "gbp,usd,cheap,2026-01-01",
        "gbp,usd,-1,2026-01-01",
        "gbp,usd,1e40,2026-01-01",
        "gbp,usd,NaN,2026-01-01",
        "gbp,usd,1.3,yesterday",
        "usd,usd,1,2026-01-01",
        "eur,usd,1.2,2026-01-01",
        "gbp,usd",
    ]
    with pytest.raises(InvalidRates) as refused:
        read_rates(lines)
    assert [fault.split(":")[0] for fault in refused.value.faults] == [f"line {n}" for n in range(3, 12)]
    said = str(refused.value)
    for reason in (
        "'xxx' is no currency",
        "'cheap' is no number",
        "not above 0",
        "beyond what",
        "'yesterday'",
        "to itself",
    ):
        assert reason in said
    assert "is there twice" in said
    assert "2 values where 4" in said


@pytest.mark.parametrize(("lines", "said"), [([], "the columns are"), (["a,b"], "not a,b"), ([HEADER], "no rate")])
def test_a_file_without_rates_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(InvalidRates, match=said):
        read_rates(lines)
