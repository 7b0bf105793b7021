"""When things happen in a vast account: in closed form, both ways.

Customers come in cohorts, one a calendar month, evenly over the month's first days; the j-th of cohort c is customer
`c * size + j`. Everybody is billed monthly from the instant they came, so in each month the renewals follow one another
in the order of j, and those of equal j, one a cohort, share a second.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from simulator.company.periods import DAY, shift

_AHEAD = 120
"""Months that the calendar reaches beyond the founding's; time may be moved by ten years."""


class Renewal(NamedTuple):
    """Period `k` of customer `number` begins at `at` (k = 0: the customer comes)."""

    at: int
    number: int
    k: int


Kept = Callable[[int], bytes]


class Geometry:
    """`cohorts` of `size` customers; the first month begins at `opened_at` (a month's first second, Unix)."""

    def __init__(self, *, opened_at: int, cohorts: int, size: int, spread_days: int = 27) -> None:
        self.opened_at = opened_at
        self.cohorts = cohorts
        self.size = size
        self._span = spread_days * DAY
        self._months = [shift(opened_at, "month", month) for month in range(cohorts + _AHEAD)]

    @property
    def customers(self) -> int:
        return self.cohorts * self.size

    def month_at(self, instant: int) -> int:
        """The month that `instant` is in; -1 before the first."""
        return bisect_right(self._months, instant) - 1

    def renewal_at(self, number: int, k: int) -> int:
        """When period `k` of a customer begins."""
        cohort, place = divmod(number, self.size)
        return self._months[cohort + k] + place * self._span // self.size

    def period_at(self, number: int, instant: int) -> int:
        """The period that a customer is in (-1: they have not come)."""
        cohort, place = divmod(number, self.size)
        month = self.month_at(instant)
        begun = month >= 0 and self._months[month] + place * self._span // self.size <= instant
        return month - cohort - (0 if begun else 1)

    def come_before(self, instant: int) -> int:
        """How many customers came before `instant`: the number of the first who did not."""
        month = self.month_at(instant - 1)
        if month >= self.cohorts:
            return self.customers
        return 0 if month < 0 else month * self.size + self._places_before(instant - self._months[month])

    def places(self, low: int, high: int) -> list[tuple[int, int]]:
        """Ranges of places j whose renewal, of some month, is in [low, high); disjoint, the last ones first."""
        first, last = self.month_at(low), self.month_at(high - 1)
        if last - first > 1:
            return [(0, self.size)]
        found = [self._places(month, low, high) for month in range(max(0, first), last + 1)]
        if len(found) == 2 and found[0][0] < found[1][1]:
            return [(0, self.size)]
        return sorted((each for each in found if each[0] < each[1]), reverse=True)

    def renewals(
        self, low: int, high: int, kept: Kept, *, newest: bool, first: bool | None = None
    ) -> Iterator[Renewal]:
        """Renewals in [low, high) in the order of time or, `newest`, from the last on; `first` asks for k = 0 or k > 0
        alone. `kept` answers for a k which customers are meant: a flag by number modulo its length.
        """
        start, end = max(0, self.month_at(low)), self.month_at(high - 1)
        for month in _steps(start, end + 1, newest):
            begin, span, size = self._months[month], self._span, self.size
            top = min(month, self.cohorts - 1) if first is not False else min(month - 1, self.cohorts - 1)
            cohorts = _steps(month if first else 0, top + 1, newest)
            rows = [(cohort * size, month - cohort, kept(month - cohort)) for cohort in cohorts]
            if not any(any(flags) for _, _, flags in rows):
                continue
            for place in _steps(*self._places(month, low, high), newest):
                for base, k, flags in rows:
                    number = base + place
                    if flags[number % len(flags)]:
                        yield Renewal(begin + place * span // size, number, k)

    def _places(self, month: int, low: int, high: int) -> tuple[int, int]:
        begin = self._months[month]
        return self._places_before(low - begin), self._places_before(high - begin)

    def _places_before(self, offset: int) -> int:
        """How many places have a renewal less than `offset` seconds into a month."""
        return max(0, min(self.size, -(-offset * self.size // self._span)))


def _steps(low: int, high: int, newest: bool) -> range:
    return range(high - 1, low - 1, -1) if newest else range(low, high)
