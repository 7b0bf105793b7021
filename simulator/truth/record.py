"""The truth as it happens: MRR, failed payments and lapsed subscriptions, each with its instant.

All times are Unix seconds. Everything can be asked as of any instant of the past without replaying it.
"""

from array import array
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.company.model import Customer, Decline, Invoice, Subscription
from simulator.company.periods import DAY
from simulator.truth.valuation import counts, customer_mrr


@dataclass(slots=True, eq=False)
class Failure:
    """An invoice of a running subscription that could not be collected at an attempt (signal rule 1)."""

    invoice: Invoice
    first_failed_at: int
    """When the first failing attempt was made: Stripe's `created` of the charge, if there is one."""
    known_at: int
    """When it had failed: the same instant, except for a bank debit, which fails days later."""
    charged: bool
    hard: bool
    reason: str
    settled_at: int | None = None
    settled: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lapse:
    """A subscription that stopped paying while its customer had no other that pays (signal rule 2)."""

    subscription: Subscription
    at: int
    status: str
    voluntary: bool


@dataclass(slots=True, eq=False)
class _Running:
    """A sum over time."""

    times: "array[int]"
    sums: "array[int]"

    def add(self, at: int, amount: int) -> None:
        self.times.append(at)
        self.sums.append((self.sums[-1] if self.sums else 0) + amount)

    def at(self, instant: int) -> int:
        place = bisect_right(self.times, instant)
        return self.sums[place - 1] if place else 0


class Record:
    """The witness that a world tells everything to."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.lapses: list[Lapse] = []
        self._by_invoice: dict[int, Failure] = {}
        self._mrr: dict[int, list[tuple[int, dict[str, int]]]] = {}
        self._paying: dict[int, list[tuple[int, bool]]] = {}
        self._totals: dict[str, _Running] = {}
        self._joined: array[int] = array("q")
        self._left: list[int] = []
        self._left_customers: dict[int, int] = {}

    # What the world tells.

    def revalue(self, customer: Customer, at: int) -> None:
        """Note the customer's MRR if it is another than before."""
        now = customer_mrr(customer, at)
        history = self._mrr.setdefault(customer.number, [])
        before = history[-1][1] if history else {}
        if now != before:
            history.append((at, now))
            for currency in sorted(now.keys() | before.keys()):
                change = now.get(currency, 0) - before.get(currency, 0)
                if change:
                    self._total(currency).add(at, change)
        self._note_paying(customer, at)

    def failed(self, invoice: Invoice, decline: Decline, *, attempted_at: int, at: int) -> None:
        by_card = invoice.collection_method == "charge_automatically"
        if invoice.number in self._by_invoice or invoice.reason == "subscription_create" or not by_card:
            return
        failure = Failure(invoice, attempted_at, at, decline.charged, decline.hard, decline.reason)
        self.failures.append(failure)
        self._by_invoice[invoice.number] = failure

    def settled(self, invoice: Invoice, how: str, at: int) -> None:
        failure = self._by_invoice.get(invoice.number)
        if failure is not None:
            failure.settled_at, failure.settled = at, how

    def lapsed(self, subscription: Subscription, at: int) -> None:
        others = any(counts(other) for other in subscription.customer.subscriptions if other is not subscription)
        if others or (subscription.status != "paused" and not subscription.was_active):
            return
        voluntary = subscription.cancel_reason == "cancellation_requested" and subscription.status == "canceled"
        self.lapses.append(Lapse(subscription, at, subscription.status, voluntary))

    def joined(self, customer: Customer, at: int) -> None:
        self._joined.append(at)

    def left(self, customer: Customer, at: int) -> None:
        insort(self._left, at)
        self._left_customers[customer.number] = at

    # What can be asked.

    def customers_at(self, at: int) -> int:
        """Customers that exist, deleted ones not counted."""
        return bisect_right(self._joined, at) - bisect_right(self._left, at)

    def mrr_at(self, at: int) -> dict[str, int]:
        """MRR by currency, in minor units; a currency that is 0 is left out."""
        found = {currency: running.at(at) for currency, running in sorted(self._totals.items())}
        return {currency: amount for currency, amount in found.items() if amount}

    def customer_mrr_at(self, number: int, at: int) -> dict[str, int]:
        history = self._mrr.get(number, [])
        place = bisect_right(history, at, key=lambda entry: entry[0])
        return history[place - 1][1] if place else {}

    def customers_with_mrr(self, at: int) -> dict[int, dict[str, int]]:
        """By customer number; customers without MRR are left out."""
        found = {number: self.customer_mrr_at(number, at) for number in self._mrr}
        return {number: mrr for number, mrr in found.items() if mrr}

    def failures_between(self, after: int, at: int) -> list[Failure]:
        """First failed in (after, at], and known to have failed by then."""
        return [f for f in self.failures if after < f.first_failed_at <= at and f.known_at <= at]

    def all_failures(self, at: int) -> list[Failure]:
        """Every failure known at `at`."""
        return [f for f in self.failures if f.known_at <= at]

    def all_lapses(self, at: int) -> list[Lapse]:
        return [lapse for lapse in self.lapses if lapse.at <= at]

    def mrr_by_day(self, first: int, last: int) -> Iterator[dict[str, int]]:
        """MRR at the end of each UTC day, from day `first` to `last` (days since 1970)."""
        return (self.mrr_at((day + 1) * DAY - 1) for day in range(first, last + 1))

    def lapses_between(self, after: int, at: int) -> list[Lapse]:
        return [lapse for lapse in self.lapses if after < lapse.at <= at]

    def settled_between(self, after: int, at: int) -> list[Failure]:
        return [f for f in self.failures if f.settled_at is not None and after < f.settled_at <= at]

    def paying_again(self, number: int, after: int, until: int) -> int | None:
        """When the customer next had a subscription that counts, after `after` and by `until`."""
        changes = self._paying.get(number, [])
        for at, paying in changes[bisect_right(changes, after, key=lambda entry: entry[0]) :]:
            if paying and at <= until:
                return at
        return None

    def _total(self, currency: str) -> _Running:
        return self._totals.setdefault(currency, _Running(array("q"), array("q")))

    def _note_paying(self, customer: Customer, at: int) -> None:
        paying = any(counts(subscription) for subscription in customer.subscriptions)
        changes = self._paying.setdefault(customer.number, [])
        if paying != (changes[-1][1] if changes else False):
            changes.append((at, paying))
