"""The shelves of a vast account: nothing is on them, objects are made as they are taken down."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from operator import itemgetter
from typing import Any, Generic, TypeVar

from simulator.company.model import Charge, Customer, Invoice, PaymentIntent, Subscription
from simulator.company.periods import DAY
from simulator.company.shelf import NO_SPANS, Shelf, Shelved, Span
from simulator.vast.books import KEY_BITS, Books
from simulator.vast.fates import DELAYS, DRAFT, ENDINGS, TABLE, succeeds
from simulator.vast.geometry import Kept, Renewal

T = TypeVar("T", bound=Shelved)
Now = Callable[[], int]
Statuses = frozenset[str] | None
Spans = Mapping[str, Span]

_OPEN_FOR = DRAFT + DELAYS[-1]
"""No invoice is a draft or open for longer."""
_LARGEST = 1 << 62
LONGEST_MONTH = 31 * DAY + 1


class ComputedShelf(Shelf[T], ABC, Generic[T]):
    """A shelf by handles: cheap numbers that tell which object is meant, tested before one is made."""

    def __init__(self, books: Books, now: Now) -> None:
        super().__init__()
        self._books = books
        self._now = now

    def newest(self, low: int, high: int, statuses: Statuses = None, spans: Spans = NO_SPANS) -> Iterator[T]:
        return map(self.make, self.handles(low, high, statuses, spans, newest=True))

    def oldest(self, low: int, high: int, statuses: Statuses = None, spans: Spans = NO_SPANS) -> Iterator[T]:
        return map(self.make, self.handles(low, high, statuses, spans, newest=False))

    @abstractmethod
    def handles(self, low: int, high: int, statuses: Statuses, spans: Spans, *, newest: bool) -> Iterator[Any]:
        """Handles of exactly the objects with low <= seq < high, one of `statuses` and within `spans`."""

    @abstractmethod
    def make(self, handle: Any) -> T:
        """The object that a handle means, as it is now."""


class Customers(ComputedShelf[Customer]):
    """A handle is a customer's number, which is its seq too."""

    def __len__(self) -> int:
        return self._books.geometry.come_before(self._now() + 1)

    def __getitem__(self, seq: int) -> Customer:
        if not 0 <= seq < len(self):
            raise IndexError(seq)
        return self._books.customer(seq, self._now())

    def before(self, created: int) -> int:
        return self._books.geometry.come_before(created)

    def handles(self, low: int, high: int, statuses: Statuses, spans: Spans, *, newest: bool) -> Iterator[int]:
        high = min(high, len(self))
        return iter(range(high - 1, low - 1, -1) if newest else range(low, high))

    def make(self, handle: int) -> Customer:
        return self._books.customer(handle, self._now(), whole=False)


class Subscriptions(ComputedShelf[Subscription]):
    """One a customer, with its number."""

    def __len__(self) -> int:
        return self._books.geometry.come_before(self._now() + 1)

    def __getitem__(self, seq: int) -> Subscription:
        return self.make(seq)

    def before(self, created: int) -> int:
        return self._books.geometry.come_before(created)

    def handles(self, low: int, high: int, statuses: Statuses, spans: Spans, *, newest: bool) -> Iterator[int]:
        """Numbers from `low` to below `high` of subscriptions in these statuses (None: any) and within the spans (Unix
        seconds, by field). Nothing is made that a field's own formula can rule out."""
        high, now = min(high, len(self)), self._now()
        bounds = {name: (span.low or 0, _LARGEST if span.high is None else span.high) for name, span in spans.items()}
        if "canceled_at" in bounds:
            numbers = self._asked_to_end(low, high, bounds["canceled_at"], newest=newest)
        elif statuses is not None and statuses <= {"canceled", "incomplete_expired"}:
            numbers = self._ending(low, high, newest=newest)
        else:
            numbers = self._numbers(low, high, bounds, newest=newest)
        for number in numbers:
            if all(below <= self._field(name, number, now) < above for name, (below, above) in bounds.items()) and (
                statuses is None or self._books.status(number, now) in statuses
            ):
                yield number

    def make(self, handle: int) -> Subscription:
        return self._books.customer(handle, self._now(), whole=False).subscriptions[0]

    def _numbers(self, low: int, high: int, bounds: Mapping[str, tuple[int, int]], *, newest: bool) -> Iterator[int]:
        """A superset of the numbers that hold, in order."""
        geometry = self._books.geometry
        edges = [bounds[name] for name in ("current_period_start", "current_period_end") if name in bounds]
        if not edges or high <= low:
            return iter(range(high - 1, low - 1, -1) if newest else range(low, high))
        ahead = LONGEST_MONTH if "current_period_end" in bounds else 1
        below, above = edges[0]
        places = geometry.places(max(geometry.opened_at, below), min(above, self._now() + ahead))
        return self._in_places(low, high, places, newest=newest)

    def _in_places(self, low: int, high: int, places: list[tuple[int, int]], *, newest: bool) -> Iterator[int]:
        size = self._books.geometry.size
        cohorts = range(low // size, (high - 1) // size + 1)
        for cohort in reversed(cohorts) if newest else cohorts:
            for first, last in places if newest else reversed(places):
                start, end = max(low, cohort * size + first), min(high, cohort * size + last)
                yield from range(end - 1, start - 1, -1) if newest else range(start, end)

    def _asked_to_end(self, low: int, high: int, span: tuple[int, int], *, newest: bool) -> Iterator[int]:
        """Those whose end may have been asked for in `span`: each kind of end so long before or after a renewal."""
        geometry, fates = self._books.geometry, self._books.fates
        below, above = max(span[0], geometry.opened_at), min(span[1], self._now() + 1)
        if above - below > 10 * DAY:
            return self._ending(low, high, newest=newest)
        found: list[tuple[int, int]] = []
        for lag in ENDINGS:
            found += geometry.places(max(geometry.opened_at, below - lag), above - lag)
        numbers = self._in_places(low, high, _disjoint(found), newest=newest)
        return (number for number in numbers if fates[number % TABLE].end != "never")

    def _ending(self, low: int, high: int, *, newest: bool) -> Iterator[int]:
        """Those whose fate is to end some day."""
        mortal = [place for place, fate in enumerate(self._books.fates) if fate.end != "never"]
        blocks = range(low // TABLE, (high - 1) // TABLE + 1) if high > low else range(0)
        for block in reversed(blocks) if newest else blocks:
            for place in reversed(mortal) if newest else mortal:
                if low <= block * TABLE + place < high:
                    yield block * TABLE + place

    def _field(self, name: str, number: int, now: int) -> int:
        """The value of a field with a span; -1 for none."""
        if name == "canceled_at":
            ending = self._books.ending(number)
            return -1 if ending is None or ending.canceled_at > now else ending.canceled_at
        k = self._books.latest_bill(number, now) + (name == "current_period_end")
        return self._books.geometry.renewal_at(number, k)


def _disjoint(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places in ranges that do not overlap, the last ones first."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found[::-1]


class _Billed(ComputedShelf[T]):
    """What comes of invoices: seq is a key, a time with a place in it. A handle is (key, renewal, attempt)."""

    def __len__(self) -> int:
        return (self._now() + 1) << KEY_BITS

    def before(self, created: int) -> int:
        return created << KEY_BITS

    def handles(
        self, low: int, high: int, statuses: Statuses, spans: Spans, *, newest: bool
    ) -> Iterator[tuple[int, Renewal, int]]:
        high = min(high, len(self))
        low = max(low, self._earliest(statuses) << KEY_BITS)
        streams = [
            self._stream(low, high, lag, self._kept(attempt, statuses), attempt, first=first, newest=newest)
            for lag, attempt, first in self.streams()
        ]
        merged = streams[0] if len(streams) == 1 else merge(*streams, key=itemgetter(0), reverse=newest)
        return (each for each in merged if statuses is None or self.status(each[1], each[2]) in statuses)

    @abstractmethod
    def streams(self) -> list[tuple[int, int, bool | None]]:
        """(seconds after the renewal, attempt, whether of the first invoices only) of each kind of occurrence."""

    @abstractmethod
    def status(self, renewal: Renewal, attempt: int) -> str:
        """The status, in Stripe's words, of what that attempt at a renewal left."""

    def _kept(self, attempt: int, statuses: Statuses) -> Kept:
        """By period, whose invoice has such an object, as far as fate alone tells."""
        return self._books.billed

    def _earliest(self, statuses: Statuses) -> int:
        """Nothing with one of the statuses was created before."""
        return 0

    def _stream(
        self, low: int, high: int, lag: int, kept: Kept, attempt: int, *, first: bool | None, newest: bool
    ) -> Iterator[tuple[int, Renewal, int]]:
        begin, end = (low >> KEY_BITS) - lag, (high >> KEY_BITS) - lag + 1
        key_of = self._books.key
        for renewal in self._books.geometry.renewals(begin, end, kept, newest=newest, first=first):
            key = key_of(renewal.at + lag, renewal.number, attempt)
            if low <= key < high:
                yield key, renewal, attempt


class Invoices(_Billed[Invoice]):
    """A handle's attempt is 0."""

    def streams(self) -> list[tuple[int, int, bool | None]]:
        return [(0, 0, None)]

    def make(self, handle: tuple[int, Renewal, int]) -> Invoice:
        return self._books.invoice(handle[1].number, handle[1].k, self._now())

    def _kept(self, attempt: int, statuses: Statuses) -> Kept:
        """Only what fails at first is ever open for long, or uncollectible."""
        failing = statuses is not None and statuses <= {"open", "uncollectible"}
        return (lambda k: self._books.attempted(k, 0, False)) if failing else self._books.billed

    def status(self, renewal: Renewal, attempt: int) -> str:
        opened = renewal.at + (DRAFT if renewal.k else 0)
        now, tries = self._now(), self._books.attempts(renewal.number, renewal.k)
        if now < opened:
            return "draft"
        if now < opened + DELAYS[tries - 1]:
            return "open"
        return "paid" if succeeds(self._books.fate(renewal.number), renewal.k) else "uncollectible"

    def _earliest(self, statuses: Statuses) -> int:
        passing = statuses is not None and statuses <= {"draft", "open", "void"}
        return self._now() - _OPEN_FOR if passing else 0


class Charges(_Billed[Charge]):
    """One for each attempt. The first invoice is attempted at once, the others an hour later, and again after days."""

    def streams(self) -> list[tuple[int, int, bool | None]]:
        return [(0, 0, True), *((DRAFT + delay, attempt, False) for attempt, delay in enumerate(DELAYS))]

    def _kept(self, attempt: int, statuses: Statuses) -> Kept:
        return lambda k: self._books.attempted(k, attempt, None if statuses is None else "succeeded" in statuses)

    def status(self, renewal: Renewal, attempt: int) -> str:
        books = self._books
        last = attempt == books.attempts(renewal.number, renewal.k) - 1
        return "succeeded" if last and succeeds(books.fate(renewal.number), renewal.k) else "failed"

    def make(self, handle: tuple[int, Renewal, int]) -> Charge:
        _, renewal, attempt = handle
        bill = self._books.invoice(renewal.number, renewal.k, self._now())
        return bill.customer.charges[attempt]


class Intents(_Billed[PaymentIntent]):
    """One for each invoice, made when it is finalized."""

    def streams(self) -> list[tuple[int, int, bool | None]]:
        return [(0, 0, True), (DRAFT, 0, False)]

    def make(self, handle: tuple[int, Renewal, int]) -> PaymentIntent:
        intent = self._books.invoice(handle[1].number, handle[1].k, self._now()).intent
        assert intent is not None, "its handle is of the instant that made it"
        return intent

    def status(self, renewal: Renewal, attempt: int) -> str:
        opened = renewal.at + (DRAFT if renewal.k else 0)
        tries = self._books.attempts(renewal.number, renewal.k)
        paid = succeeds(self._books.fate(renewal.number), renewal.k) and self._now() >= opened + DELAYS[tries - 1]
        return "succeeded" if paid else "requires_payment_method"
