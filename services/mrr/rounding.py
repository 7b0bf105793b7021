"""Exact sums become whole minor units once, and their parts still add up to the whole."""

from collections.abc import Sequence
from fractions import Fraction

Exact = int | Fraction
"""An exact amount. A whole number stays an int, which costs a tenth of a fraction; both know `numerator` and
`denominator`. Two ints are never divided by `/`, which would give a float (mypy sees to it)."""


def half_up(exact: Exact) -> int:
    """The nearest integer, a half upwards. `exact` is never negative here."""
    if isinstance(exact, int):
        return exact
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def shares(parts: Sequence[Exact], whole: int) -> list[int]:
    """`whole`, the rounded sum of the parts, divided among them by the largest remainder.

    Each share is its part rounded down or up; of equal remainders the earlier part gets the unit.
    """
    if len(parts) == 1:
        return [whole]
    floors = [part.numerator // part.denominator for part in parts]
    missing = whole - sum(floors)
    by_remainder = sorted(range(len(parts)), key=lambda place: (floors[place] - parts[place], place))
    for place in by_remainder[:missing]:
        floors[place] += 1
    return floors
