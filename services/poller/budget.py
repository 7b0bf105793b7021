"""The read budget: what Stripe allows an account, what was used, and what is left out first. Pure.

Stripe allows 500 reads per transaction over 30 days and at least 10,000. The poller keeps to half of it, since the
company's own software reads too, but never to less than one call a poll: max(9,500, 250 x succeeded charges).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

WINDOW_DAYS = 30
POLLS_A_DAY = 288
FLOOR = 9_500
READS_PER_TRANSACTION = 250
FLOOR_FOCUSED_A_DAY = 28
FOCUSED_SHARE = 10
LIST_PURPOSES = frozenset({"hot", "slot", "sweep", "whole"})
DROPPED_FIRST = "SGFHBCED"
"""The order in which calls are left out when the budget runs low; A, or the one call, always stays."""


def allowed_reads(transactions: int) -> int:
    """Reads of 30 days for an account with so many succeeded charges in 30 days."""
    return max(FLOOR, READS_PER_TRANSACTION * transactions)


def focused_a_day(allowed: int) -> int:
    """Focused reads of one day: 28 at the floor, a tenth of a day's budget above it."""
    return max(FLOOR_FOCUSED_A_DAY, allowed // WINDOW_DAYS // FOCUSED_SHARE)


@dataclass
class Meter:
    """Reads by day (UTC, domain time): of lists in steady state, and all others."""

    allowed: int = FLOOR
    days: dict[date, tuple[int, int]] = field(default_factory=dict)
    today: date = date.min

    def count(self, purpose: str, at: datetime) -> None:
        """One more request was made."""
        self.today = max(self.today, at.date())
        lists, others = self.days.get(at.date(), (0, 0))
        is_list = purpose in LIST_PURPOSES
        self.days[at.date()] = (lists + is_list, others + (not is_list))

    def look(self, now: datetime) -> None:
        """Move the window to now and forget what fell out of it."""
        self.today = max(self.today, now.date())
        first = self.today - timedelta(days=WINDOW_DAYS - 1)
        self.days = {day: reads for day, reads in self.days.items() if day >= first}

    @property
    def used(self) -> int:
        """Reads of the running 30 days."""
        first = self.today - timedelta(days=WINDOW_DAYS - 1)
        return sum(lists + others for day, (lists, others) in self.days.items() if day >= first)

    @property
    def focused_left(self) -> int:
        """Focused reads that today still allows."""
        _, others = self.days.get(self.today, (0, 0))
        return max(0, min(focused_a_day(self.allowed) - others, self.allowed - self.used))

    def calls_affordable(self, *, polls_a_day: float = POLLS_A_DAY) -> float:
        """List calls that a poll can make so that the window stays within what is allowed, a day ahead.

        What leaves the window tomorrow may be spent today.
        """
        oldest = self.today - timedelta(days=WINDOW_DAYS - 1)
        leaving = sum(self.days.get(oldest, (0, 0)))
        return max(0.0, (self.allowed - self.used + leaving) / polls_a_day)


def kept_calls(wanted: Iterable[str], affordable: float) -> tuple[str, ...]:
    """The calls of a poll, by their letters, that the budget lets pass; at least one is always kept."""
    kept = list(wanted)
    for letter in DROPPED_FIRST:
        while len(kept) > max(1, int(affordable)) and letter in kept:
            kept.remove(letter)
    return tuple(kept)


def shares(days: Mapping[date, tuple[int, int]]) -> tuple[int, int]:
    """(list reads, other reads) of all days."""
    return sum(lists for lists, _ in days.values()), sum(others for _, others in days.values())
