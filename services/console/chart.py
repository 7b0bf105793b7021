"""The line of MRR on the dashboard: one currency, day by day, as a path to draw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH, HEIGHT = 1000, 160
FEWEST_DAYS = 7
"""A line of fewer days says nothing."""


@dataclass(frozen=True, slots=True)
class DayOfMrr:
    """What a connection's MRR was when a day (UTC) ended, in minor units a month."""

    connection_id: str
    currency: str
    day: date
    mrr: int


@dataclass(frozen=True, slots=True)
class Chart:
    """MRR of one currency by day, without a gap, the earliest first."""

    currency: str
    days: tuple[tuple[date, int], ...]

    @property
    def low(self) -> int:
        """The lowest value shown, in minor units."""
        return min(mrr for _, mrr in self.days)

    @property
    def high(self) -> int:
        """The highest value shown, in minor units."""
        return max(mrr for _, mrr in self.days)

    @property
    def change(self) -> int:
        """From the first day to the last."""
        return self.days[-1][1] - self.days[0][1]

    @property
    def percent(self) -> float | None:
        """The change as a share of the first day's; None where that was nothing."""
        first = self.days[0][1]
        return 100 * self.change / first if first else None

    @property
    def points(self) -> str:
        """A line through every day, in a box of WIDTH by HEIGHT: its floor is the lowest day, its top the highest."""
        span = (self.high - self.low) or 1
        step = WIDTH / (len(self.days) - 1)
        places = (
            (number * step, HEIGHT - HEIGHT * (mrr - self.low) / span) for number, (_, mrr) in enumerate(self.days)
        )
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def chart_of(found: Iterable[DayOfMrr], paying: Mapping[str, int]) -> Chart | None:
    """The currency that most customers pay in, summed over connections; None where there are too few days.

    A connection whose days end earlier than another's keeps its last figure; before its first day it had none.
    """
    by_currency: dict[str, dict[str, dict[date, int]]] = {}
    for each in found:
        by_currency.setdefault(each.currency, {}).setdefault(each.connection_id, {})[each.day] = each.mrr
    currency = max(by_currency, key=lambda code: (paying.get(code, 0), code), default=None)
    if currency is None:
        return None
    days = _summed(by_currency[currency])
    return Chart(currency, days) if len(days) >= FEWEST_DAYS else None


def _summed(connections: Mapping[str, Mapping[date, int]]) -> tuple[tuple[date, int], ...]:
    first = min(min(days) for days in connections.values())
    last = max(max(days) for days in connections.values())
    latest = dict.fromkeys(connections, 0)
    summed = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        latest = {name: connections[name].get(day, before) for name, before in latest.items()}
        summed.append((day, sum(latest.values())))
    return tuple(summed)
