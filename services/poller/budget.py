"""The read budget: what Stripe allows an account, what was used, and what is left out first. Pure.

Stripe allows 500 reads per transaction over 30 days and at least 10,000. The poller keeps to half of it, since the
company's own software reads too, but never to less than one call a poll: max(9,500, 250 x succeeded charges).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

WINDOW_DAYS = 30
POLLS_A_DAY = 288
FLOOR = 9_500
READS_PER_TRANSACTION = 250
FLOOR_FOCUSED_A_DAY = 28
FOCUSED_SHARE = 10
KEPT_FOR_REFRESHES = 4
"""One in so many of a day's focused reads is kept for fresh reads of customers: an e-mail waits for each."""
LIST_PURPOSES = frozenset({"hot", "slot", "sweep", "whole"})
FOCUSED_PURPOSES = frozenset({"focused", "refresh"})
DROPPED_FIRST = "SGIFBCED"
"""The order in which calls are left out when the budget runs low; A, or the one call, always stays."""


def allowed_reads(transactions: int) -> int:
    """Reads of 30 days for an account with so many succeeded charges in 30 days."""
    return max(FLOOR, READS_PER_TRANSACTION * transactions)


def focused_a_day(allowed: int) -> int:
    """Focused reads of one day: 28 at the floor, a tenth of a day's budget above it."""
    return max(FLOOR_FOCUSED_A_DAY, allowed // WINDOW_DAYS // FOCUSED_SHARE)


def kept_for_refreshes(allowed: int) -> int:
    """Focused reads of each day that only fresh reads may use: like the one call a poll, nothing else takes them."""
    return focused_a_day(allowed) // KEPT_FOR_REFRESHES


@dataclass(frozen=True, slots=True)
class Spent:
    """Reads of single things are used up: those of today, or of the whole window, until a day (UTC, domain time)."""

    until: date
    of_window: bool


@dataclass(frozen=True, slots=True)
class Reads:
    """Requests of one day: lists of the steady state, reads of single things, and connecting with its first sync."""

    lists: int = 0
    focused: int = 0
    others: int = 0

    def plus(self, purpose: str) -> "Reads":
        """One more, of that purpose."""
        if purpose in LIST_PURPOSES:
            return replace(self, lists=self.lists + 1)
        if purpose in FOCUSED_PURPOSES:
            return replace(self, focused=self.focused + 1)
        return replace(self, others=self.others + 1)

    @property
    def total(self) -> int:
        return self.lists + self.focused + self.others


@dataclass
class Meter:
    """Reads by day (UTC, domain time) of the running 30 days."""

    allowed: int = FLOOR
    days: dict[date, Reads] = field(default_factory=dict)
    today: date = date.min

    def count(self, purpose: str, at: datetime) -> None:
        """One more request was made."""
        self.today = max(self.today, at.date())
        self.days[at.date()] = self.days.get(at.date(), Reads()).plus(purpose)

    @property
    def used(self) -> int:
        """Reads of the running 30 days."""
        first = self.today - timedelta(days=WINDOW_DAYS - 1)
        return sum(reads.total for day, reads in self.days.items() if day >= first)

    @property
    def surplus(self) -> int:
        """Reads that are left over when one call a poll and the fresh reads of every day are kept back for the whole
        window; never below 0."""
        return max(0, self._unreserved - self._focused_today)

    @property
    def focused_left(self) -> int:
        """Fresh reads that today still allows: what is kept for them is there whatever else the window was spent on."""
        of_window = max(0, self._unreserved) + kept_for_refreshes(self.allowed)
        return max(0, min(focused_a_day(self.allowed), of_window) - self._focused_today)

    @property
    def timed_left(self) -> int:
        """Focused reads that today still allows a poll by its timers: fresh reads that are asked for keep some."""
        of_day = focused_a_day(self.allowed) - kept_for_refreshes(self.allowed)
        return max(0, min(of_day, self._unreserved) - self._focused_today)

    @property
    def spent(self) -> "Spent | None":
        """Until when a poll may read no single things by its timers, if nothing beyond the reserves is read; None
        where it may today."""
        if self.timed_left:
            return None
        days = (self.today + timedelta(days=ahead) for ahead in range(1, WINDOW_DAYS))
        last = self.today + timedelta(days=WINDOW_DAYS)
        until = next((day for day in days if replace(self, today=day).timed_left), last)
        return Spent(until, of_window=until > self.today + timedelta(days=1))

    @property
    def _focused_today(self) -> int:
        return self.days.get(self.today, Reads()).focused

    @property
    def _unreserved(self) -> int:
        """What the window has beside its reserves, without today's focused reads; below 0 where a first sync took
        more than that."""
        first, kept_a_day = self.today - timedelta(days=WINDOW_DAYS - 1), kept_for_refreshes(self.allowed)
        spent = sum(
            reads.others
            + max(0, reads.lists - POLLS_A_DAY)
            + (0 if day == self.today else max(0, reads.focused - kept_a_day))
            for day, reads in self.days.items()
            if day >= first
        )
        return self.allowed - (POLLS_A_DAY + kept_a_day) * WINDOW_DAYS - spent

    def may_poll(self, at: datetime) -> bool:
        """Whether a poll at `at` may make a list call at all: once the surplus is spent, one call per five minutes of
        the day so far, whoever polls the account and however often."""
        made = self.days.get(at.date(), Reads()).lists
        so_far = (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1)
        return self.surplus > 0 or made <= POLLS_A_DAY * so_far

    def calls_affordable(self) -> int:
        """List calls that a poll can make for the rest of the day: one, and what the surplus gives beside it."""
        return 1 + self.surplus // POLLS_A_DAY


def kept(wanted: Iterable[str], affordable: int) -> tuple[str, ...]:
    """The calls of a poll, by their letters, that the budget lets pass; at least one is always kept."""
    left = list(wanted)
    for letter in DROPPED_FIRST:
        while len(left) > max(1, affordable) and letter in left:
            left.remove(letter)
    return tuple(left)
