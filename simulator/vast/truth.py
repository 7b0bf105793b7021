"""The truth of a vast account: summed over its customers when it is asked for, and kept by nobody."""

from collections.abc import Iterator
from typing import Literal

from simulator.company.periods import DAY
from simulator.truth.record import Failure, Lapse, Record
from simulator.truth.valuation import customer_mrr
from simulator.vast.books import Books
from simulator.vast.fates import DELAYS, DRAFT, TABLE, succeeds

WINDOW = 60 * DAY
"""Failures and lapses are told as far back as this."""


class VastRecord(Record):
    """Answers what `Record` answers. Each question costs a pass over the customers, a microsecond or two each."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._worth: list[dict[str, int]] | None = None

    def customers_at(self, at: int) -> int:
        return self._books.geometry.come_before(at + 1)

    def mrr_at(self, at: int) -> dict[str, int]:
        """One pass over the customers."""
        sums: dict[str, int] = {}
        for number in range(self.customers_at(at)):
            if not self._ended(number, at):
                for currency, amount in self._worth_of(number).items():
                    sums[currency] = sums.get(currency, 0) + amount
        return dict(sorted(sums.items()))

    def customer_mrr_at(self, number: int, at: int) -> dict[str, int]:
        there = number < self.customers_at(at) and not self._ended(number, at)
        return self._worth_of(number) if there else {}

    def customers_with_mrr(self, at: int) -> dict[int, dict[str, int]]:
        found = ((number, self.customer_mrr_at(number, at)) for number in range(self.customers_at(at)))
        return {number: mrr for number, mrr in found if mrr}

    def mrr_by_day(self, first: int, last: int) -> Iterator[dict[str, int]]:
        """MRR at the end of each UTC day, from day `first` to `last` (days since 1970): one pass for all of them."""
        changes: dict[str, dict[int, int]] = {}
        for number in range(self._books.geometry.customers):
            ending = self._books.ending(number)
            for currency, amount in self._worth_of(number).items():
                days = changes.setdefault(currency, {})
                came = self._books.geometry.renewal_at(number, 0) // DAY
                days[came] = days.get(came, 0) + amount
                if ending is not None:
                    days[ending.ended_at // DAY] = days.get(ending.ended_at // DAY, 0) - amount
        sums = {
            currency: sum(change for day, change in days.items() if day < first) for currency, days in changes.items()
        }
        for day in range(first, last + 1):
            for currency, days in changes.items():
                sums[currency] += days.get(day, 0)
            yield {currency: amount for currency, amount in sorted(sums.items()) if amount}

    def failures_between(self, after: int, at: int) -> list[Failure]:
        """First failed in (after, at]."""
        return list(self._failures(after, at, at))

    def settled_between(self, after: int, at: int) -> list[Failure]:
        failures = self._failures(after - DRAFT - DELAYS[-1], at, at)
        return [f for f in failures if f.settled_at is not None and after < f.settled_at <= at]

    def lapses_between(self, after: int, at: int) -> list[Lapse]:
        return list(self._lapses(after, at))

    def all_failures(self, at: int) -> list[Failure]:
        return self.failures_between(at - WINDOW, at)

    def all_lapses(self, at: int) -> list[Lapse]:
        return self.lapses_between(at - WINDOW, at)

    def paying_again(self, number: int, after: int, until: int) -> int | None:
        """Nobody comes back."""
        return None

    def _failures(self, after: int, at: int, now: int) -> Iterator[Failure]:
        books = self._books
        window = (after - DRAFT + 1, at - DRAFT + 1)
        for begun, number, k in books.geometry.renewals(*window, self._failing, newest=False, first=False):
            first = begun + DRAFT
            settled = first + DELAYS[books.attempts(number, k) - 1]
            how: Literal["paid", "uncollectible"] = "paid" if succeeds(books.fate(number), k) else "uncollectible"
            decline = books.decline(number, k)
            failure = Failure(books.invoice(number, k, now), first, first, True, decline.hard, decline.reason)
            if settled <= now:
                failure.settled_at, failure.settled = settled, how
            yield failure

    def _failing(self, k: int) -> bytes:
        return self._books.attempted(k, 0, False)

    def _lapses(self, after: int, at: int) -> Iterator[Lapse]:
        books = self._books
        for number in range(self.customers_at(at)):
            ending = books.ending(number)
            if ending is not None and after < ending.ended_at <= at:
                sold = books.customer(number, at, whole=False).subscriptions[0]
                yield Lapse(sold, ending.ended_at, "canceled", books.fate(number).end != "dunning")

    def _ended(self, number: int, at: int) -> bool:
        ending = self._books.ending(number)
        return ending is not None and ending.ended_at <= at

    def _worth_of(self, number: int) -> dict[str, int]:
        """What the customer is worth while they are there: the same for all of one fate."""
        if self._worth is None:
            books = self._books
            few = min(TABLE, books.geometry.customers)
            people = [books.customer(place, books.geometry.renewal_at(place, 0), whole=False) for place in range(few)]
            self._worth = [customer_mrr(who, who.created) for who in people]
        return self._worth[number % TABLE]
