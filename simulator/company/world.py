"""The company's time: what exists, what is going to happen, and the one way in which time passes."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from simulator.company.catalogue import Catalogue, catalogue
from simulator.company.model import (
    Charge,
    Customer,
    Decline,
    Dispute,
    Invoice,
    InvoiceStatus,
    PaymentIntent,
    Subscription,
    SubscriptionStatus,
)
from simulator.company.shelf import Shelf

Action = Callable[..., object]

_NOBODY = 1 << 60


class Witness(Protocol):
    """Somebody who keeps the truth: told of everything at the instant it happens."""

    def revalue(self, customer: Customer, at: int) -> None:
        """The customer's subscriptions changed at `at`; called once per customer and event."""

    def failed(self, invoice: Invoice, decline: Decline, *, attempted_at: int, at: int) -> None:
        """An attempt to collect `invoice`, made at `attempted_at`, turned out at `at` to have failed."""

    def settled(self, invoice: Invoice, how: str, at: int) -> None:
        """`invoice` became `paid`, `void` or `uncollectible`."""

    def lapsed(self, subscription: Subscription, at: int) -> None:
        """`subscription` became canceled, unpaid, incomplete_expired or paused."""

    def joined(self, customer: Customer, at: int) -> None: ...

    def left(self, customer: Customer, at: int) -> None: ...


class Life(Protocol):
    """What customers and banks decide. The company's rules ask it; a test may answer by script."""

    def outcome(self, invoice: Invoice) -> Decline | int | None:
        """An attempt on `invoice` now: None succeeds, a decline fails, a number of seconds waits for a bank."""

    def debit_outcome(self, charge: Charge) -> Decline | None:
        """What the bank says at the end of that wait."""

    def usage(self, subscription: Subscription) -> int:
        """Metered units used in the period that ended."""

    def created(self, subscription: Subscription) -> None: ...

    def period_started(self, subscription: Subscription) -> None: ...

    def invoice_opened(self, invoice: Invoice) -> None:
        """An invoice that is sent to the customer to pay."""

    def failed(self, invoice: Invoice, decline: Decline) -> None:
        """The first failed attempt on `invoice`."""

    def retries_ended(self, invoice: Invoice) -> None: ...

    def charged(self, charge: Charge) -> None: ...

    def ended(self, subscription: Subscription) -> None: ...


class Desk(Protocol):
    """The company's accounts receivable: what an attempt's end means."""

    def charge_succeeded(self, charge: Charge) -> None: ...

    def attempt_failed(self, invoice: Invoice, decline: Decline, attempted_at: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The account's billing settings (what Stripe's dashboard calls *Billing > Settings*)."""

    draft_seconds: int = 3600
    retry_days: tuple[int, ...] = (3, 5, 7)
    """Days from each attempt to the next; after the last the customer's `dunning_end` happens."""
    incomplete_seconds: int = 23 * 3600


class World:
    """Everything that exists at `now`, and a queue of what happens next.

    `advance` runs the queue in the order of (time, customer, order in which the customer's events were scheduled), so
    that the same seed gives the same company however its time is cut into steps.
    """

    def __init__(self, *, seed: int, opened_at: int, rules: Rules | None = None) -> None:
        self.seed = seed
        self.opened_at = opened_at
        self.now = opened_at
        self.rules = rules or Rules()
        self.catalogue: Catalogue = catalogue(opened_at)
        self.customers: Shelf[Customer] = Shelf()
        self.subscriptions: Shelf[Subscription] = Shelf()
        self.invoices: Shelf[Invoice] = Shelf()
        self.charges: Shelf[Charge] = Shelf()
        self.intents: Shelf[PaymentIntent] = Shelf()
        self.disputes: Shelf[Dispute] = Shelf()
        self.life: Life
        self.desk: Desk
        self.witness: Witness
        self.ordered: dict[int, list[Decline | int | None]] = {}
        """By customer number: how the next attempts end, whatever life would say (see `Life.outcome`)."""
        self.ordered_ends: dict[int, list[Decline | None]] = {}
        """The same for what a bank says in the end (see `Life.debit_outcome`)."""
        self.listeners: list[Callable[[object], None]] = []
        """Called with an object before something that search can see changes on it."""
        self.observers: list[Callable[[int], None]] = []
        """Called after each event with the number of the customer it concerned."""
        self._queue: list[tuple[int, int, int, Action, tuple[Any, ...]]] = []
        self._changed: set[int] = set()

    def at(self, time: int, customer: Customer, action: Action, *args: object) -> None:
        """Have `action(world, *args)` happen at `time` (now, if that has passed)."""
        customer.scheduled += 1
        entry = (max(time, self.now), customer.number, customer.scheduled, action, args)
        heapq.heappush(self._queue, entry)

    def alarm(self, time: int, stream: int, action: Action, *args: object) -> None:
        """The same for an arrival: the customer numbered `stream` does not exist yet, and comes after all others."""
        heapq.heappush(self._queue, (max(time, self.now), _NOBODY, stream, action, args))

    def advance(self, to: int) -> int:
        """Let time pass up to and including `to`; an earlier time changes nothing. Returns how many events ran."""
        events = 0
        queue = self._queue
        while queue and queue[0][0] <= to:
            time, number, _, action, args = heapq.heappop(queue)
            self.now = time
            action(self, *args)
            events += 1
            if self._changed:
                self._settle()
            for observer in self.observers:
                observer(len(self.customers) - 1 if number == _NOBODY else number)
        self.now = max(self.now, to)
        return events

    def next_event_at(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def act(self, action: Action, *args: object) -> None:
        """Do something now, from outside the queue (tests and tools)."""
        action(self, *args)
        self._settle()

    def changed(self, customer: Customer) -> None:
        """The customer's MRR may be another one from now on."""
        self._changed.add(customer.number)

    def touch(self, thing: object) -> None:
        """Something that search can see is about to change on `thing`."""
        for listener in self.listeners:
            listener(thing)

    def set_subscription_status(self, subscription: Subscription, status: SubscriptionStatus) -> None:
        """Move a subscription to another state, and whoever counts it."""
        if subscription.status == status:
            return
        self.touch(subscription)
        self.subscriptions.moved(subscription, subscription.status, status)
        subscription.status = status
        self.changed(subscription.customer)

    def set_invoice_status(self, invoice: Invoice, status: InvoiceStatus) -> None:
        self.touch(invoice)
        self.invoices.moved(invoice, invoice.status, status)
        invoice.status = status

    def _settle(self) -> None:
        for number in sorted(self._changed):
            self.witness.revalue(self.customers[number], self.now)
        self._changed.clear()
