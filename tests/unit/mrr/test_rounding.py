"""Rounding once, half up, and parts that add up to their whole."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mrr.rounding import half_up, shares

AMOUNTS = st.fractions(min_value=0, max_value=10**9, max_denominator=4320)


@pytest.mark.parametrize(
    ("exact", "rounded"), [("0", 0), ("1/2", 1), ("3/2", 2), ("5/2", 3), ("49/100", 0), ("51/100", 1)]
)
def test_a_half_is_rounded_up(exact: str, rounded: int) -> None:
    assert half_up(Fraction(exact)) == rounded


@given(st.lists(AMOUNTS, max_size=12))
def test_parts_always_add_up_to_the_whole(parts: list[Fraction]) -> None:
    whole = half_up(sum(parts, Fraction(0)))
    assert sum(shares(parts, whole)) == whole


@given(st.lists(AMOUNTS, max_size=12))
def test_a_part_is_off_by_less_than_a_unit(parts: list[Fraction]) -> None:
    found = shares(parts, half_up(sum(parts, Fraction(0))))
    assert all(abs(share - part) < 1 for share, part in zip(found, parts, strict=True))
