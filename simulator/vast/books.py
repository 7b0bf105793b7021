"""The objects of a vast account, made from the customer's number and the time, in the company's own terms."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from simulator.company.catalogue import Catalogue
from simulator.company.chance import Chance
from simulator.company.discounting import discounted
from simulator.company.habits import DO_NOT_HONOR, GENERIC, INSUFFICIENT
from simulator.company.invoicing import licensed_lines
from simulator.company.model import (
    Charge,
    Customer,
    Decline,
    Discount,
    Invoice,
    Item,
    Line,
    PaymentIntent,
    PaymentMethod,
    Subscription,
    SubscriptionStatus,
    numbered,
)
from simulator.vast.fates import DELAYS, DRAFT, REQUEST, SUDDEN, TABLE, Fate, attempts, deal, succeeds
from simulator.vast.geometry import Geometry

KEY_BITS = 31
"""A key orders objects of a kind: the second of their creation, then a place in it."""

_FIRST = ("Olivia", "Noah", "Emma", "Liam", "Ava", "Mia", "Lucas", "Ella", "Henry", "Grace", "Jack", "Ruby")
_LAST = ("Smith", "Johnson", "O'Brien", "Taylor", "Brown", "Wilson", "Clark", "Walker", "Young", "Hall", "King")
_COUNTRY = {"usd": "US", "eur": "DE", "gbp": "GB", "jpy": "JP", "kwd": "KW"}
_DECLINES = (INSUFFICIENT, INSUFFICIENT, GENERIC, DO_NOT_HONOR)


@dataclass(frozen=True, slots=True)
class Ending:
    """When it was asked for, and when the subscription ended; None for one that goes on."""

    canceled_at: int
    ended_at: int


@dataclass(frozen=True, slots=True)
class _Price:
    """What an invoice of a fate says: its parts with what is taken off each."""

    parts: tuple[tuple[str, int, int, Fraction, int], ...]
    subtotal: int
    off: int


class Books:
    """Everything that can be known of one account, by number; `now` is told with every question."""

    def __init__(self, *, seed: int, geometry: Geometry, catalogue: Catalogue, email_domain: str) -> None:
        self.geometry = geometry
        self.fates = deal(seed)
        self._seed = seed
        self._catalogue = catalogue
        self._domain = email_domain
        self._price = lru_cache(maxsize=TABLE)(self._priced)
        self._tries = lru_cache(maxsize=TABLE * 64)(self._tries_before)
        self.billed = lru_cache(maxsize=None)(self._billed)
        self.attempted = lru_cache(maxsize=None)(self._attempted)

    def fate(self, number: int) -> Fate:
        return self.fates[number % TABLE]

    def attempts(self, number: int, k: int) -> int:
        return attempts(number % TABLE, self.fate(number), k)

    def _billed(self, k: int) -> bytes:
        """A flag by fate: whether there is an invoice of period `k`."""
        return bytes(fate.billed(k) for fate in self.fates)

    def _attempted(self, k: int, attempt: int, paid: bool | None) -> bytes:
        """A flag by fate: whether that invoice has such an attempt, which paid it or did not if that is asked."""

        def holds(place: int, fate: Fate) -> bool:
            tries = attempts(place, fate, k)
            pays = attempt == tries - 1 and succeeds(fate, k)
            return fate.billed(k) and attempt < tries and paid in {None, pays}

        return bytes(holds(place, fate) for place, fate in enumerate(self.fates))

    def ending(self, number: int) -> Ending | None:
        """When it ends, or ended; None for a subscription that goes on."""
        fate = self.fate(number)
        if fate.end == "never":
            return None
        at = self.geometry.renewal_at(number, fate.last)
        if fate.end == "period_end":
            return Ending(at - REQUEST, at)
        ended = at + (SUDDEN if fate.end == "now" else DRAFT + DELAYS[-1])
        return Ending(ended, ended)

    def status(self, number: int, now: int) -> SubscriptionStatus:
        """The subscription's, at `now`."""
        ending = self.ending(number)
        if ending is not None and ending.ended_at <= now:
            return "canceled"
        k = self.latest_bill(number, now)
        begun = self.geometry.renewal_at(number, k) + DRAFT
        tries = self.attempts(number, k)
        return "past_due" if tries > 1 and begun <= now < begun + DELAYS[tries - 1] else "active"

    def latest_bill(self, number: int, now: int) -> int:
        """The last period that was billed by `now`."""
        k, fate = self.geometry.period_at(number, now), self.fate(number)
        if fate.end == "never":
            return k
        return min(k, fate.last - (1 if fate.end == "period_end" else 0))

    def customer(self, number: int, now: int, *, whole: bool = True) -> Customer:
        """The customer with subscription and latest invoice, or the `whole` of their invoices and payments."""
        who = self._person(number, now)
        sold = self._sold(who, now)
        last = self.latest_bill(number, now)
        for k in range(0 if whole else last, last + 1):
            self._bill(sold, k, now)
        sold.latest_invoice = who.invoices[-1]
        who.delinquent = sold.status == "past_due"
        who.numbered_invoices = last + (0 if who.invoices[-1].status == "draft" else 1)
        return who

    def invoice(self, number: int, k: int, now: int) -> Invoice:
        """The invoice of period `k`; its customer has no other invoice, intent or charge."""
        sold = self._sold(self._person(number, now), now)
        bill = sold.latest_invoice = self._bill(sold, k, now)
        return bill

    def _person(self, number: int, now: int) -> Customer:
        fate, chance = self.fate(number), Chance(self._seed, number + 1)
        first, last = chance.pick(_FIRST), chance.pick(_LAST)
        who = Customer(
            number=number,
            created=self.geometry.renewal_at(number, 0),
            name=f"{first} {last}",
            email=f"{first.lower()}.{number + 1}@{self._domain}",
            country=_COUNTRY[fate.currency],
            currency=fate.currency,
            locale="en",
            user_id=f"user_{number + 1}",
            chance=chance,
            seq=number,
        )
        who.method = PaymentMethod(
            number=numbered(number, 0),
            kind="card",
            brand="visa",
            last4=f"{number % 10_000:04d}",
            country=who.country,
            exp_month=1 + number % 12,
            exp_year=2031,
            fingerprint=f"{number:016x}",
            habit="good",
        )
        return who

    def _sold(self, who: Customer, now: int) -> Subscription:
        number, fate = who.number, self.fate(who.number)
        sold = Subscription(
            number=numbered(number, 0),
            customer=who,
            created=who.created,
            status=self.status(number, now),
            items=[],
            currency=fate.currency,
            seq=number,
            anchor=who.created,
            was_active=True,
        )
        sold.items.append(self._item(sold, self.latest_bill(number, now)))
        if fate.discounted:
            coupon = self._catalogue.coupons["FRIENDS20"]
            sold.discounts = (Discount(numbered(number, 0), coupon, who, who.created, None, sold),)
        self._end(sold, now)
        who.subscriptions.append(sold)
        return sold

    def _end(self, sold: Subscription, now: int) -> None:
        ending, number = self.ending(sold.customer.number), sold.customer.number
        if ending is None or ending.canceled_at > now:
            return
        sold.canceled_at = ending.canceled_at
        dunned = self.fate(number).end == "dunning"
        sold.cancel_reason = "payment_failed" if dunned else "cancellation_requested"
        if self.fate(number).end == "period_end":
            sold.cancel_at_period_end, sold.cancel_at = True, ending.ended_at
        if ending.ended_at <= now:
            sold.ended_at = ending.ended_at

    def _item(self, sold: Subscription, k: int) -> Item:
        number, fate = sold.customer.number, self.fate(sold.customer.number)
        renewal = self.geometry.renewal_at
        return Item(
            number=numbered(number, 0),
            plan=self._catalogue.plan(fate.family, fate.currency, "month"),
            quantity=fate.quantity,
            created=sold.created,
            anchor=sold.created,
            start=renewal(number, k),
            end=renewal(number, k + 1),
            cycles=k + 1,
        )

    def _priced(self, place: int) -> _Price:
        who = self._person(place, 0)
        sold = self._sold(who, who.created)
        lines = discounted(list(licensed_lines(sold.items[0])), sold, who.created)
        parts = tuple(
            (line.description, line.amount, line.quantity or 0, line.unit_amount or Fraction(0), _off(line))
            for line in lines
        )
        return _Price(parts, sum(line.amount for line in lines), sum(map(_off, lines)))

    def _bill(self, sold: Subscription, k: int, now: int) -> Invoice:
        who, price = sold.customer, self._price(sold.customer.number % TABLE)
        at = self.geometry.renewal_at(who.number, k)
        item = self._item(sold, k)
        taken = tuple((discount, price.off) for discount in sold.discounts)
        bill = Invoice(
            number=numbered(who.number, k),
            customer=who,
            subscription=sold,
            created=at,
            reason="subscription_cycle" if k else "subscription_create",
            lines=tuple(
                Line(item, item.plan, text, amount, quantity, unit, item.start, item.end, False, _share(sold, off))
                for text, amount, quantity, unit, off in price.parts
            ),
            currency=sold.currency,
            collection_method="charge_automatically",
            customer_name=who.name,
            customer_email=who.email,
            period_start=self.geometry.renewal_at(who.number, k - 1) if k else at,
            period_end=at,
            seq=self.key(at, who.number),
            subtotal=price.subtotal,
            total=price.subtotal - price.off,
            discounts=sold.discounts,
            discount_amounts=taken,
            amount_due=price.subtotal - price.off,
        )
        who.invoices.append(bill)
        self._collect(bill, k, now)
        return bill

    def key(self, at: int, number: int, attempt: int = 0) -> int:
        """Where something created at `at` stands among its kind."""
        cohort, place = divmod(number, self.geometry.size)
        return at << KEY_BITS | (place * 64 + cohort) << 2 | attempt

    def _collect(self, bill: Invoice, k: int, now: int) -> None:
        """Draft for an hour (the first is not), then attempt by attempt up to `now`."""
        opened = bill.created + (DRAFT if k else 0)
        if now < opened:
            bill.finalizes_at = bill.next_payment_attempt = opened
            return
        bill.status, bill.finalized_at, bill.ending_balance, bill.attempted = "open", opened, 0, True
        bill.label = f"{bill.customer.number + 0xA0000:05X}-{k + 1:04d}"
        who = bill.customer
        intent = PaymentIntent(numbered(who.number, k), who, bill, opened, bill.amount_due, bill.currency)
        intent.method, intent.seq = who.method, self.key(opened, who.number)
        bill.intent = intent
        who.intents.append(intent)
        tries = self.attempts(who.number, k)
        for attempt in range(tries):
            if opened + DELAYS[attempt] <= now:
                self._attempt(intent, k, attempt, last=attempt == tries - 1)
        if bill.status == "open" and bill.attempt_count < tries:
            bill.next_payment_attempt = opened + DELAYS[bill.attempt_count]

    def _attempt(self, intent: PaymentIntent, k: int, attempt: int, *, last: bool) -> None:
        bill, who = intent.invoice, intent.customer
        at, method = intent.created + DELAYS[attempt], who.method
        assert method is not None, "everybody has a card"
        paid = last and succeeds(self.fate(who.number), k)
        charge = Charge(
            number=numbered(who.number, self._charges_before(who.number, k) + attempt),
            customer=who,
            intent=intent,
            created=at,
            amount=intent.amount,
            currency=intent.currency,
            method=method,
            status="succeeded" if paid else "failed",
            seq=self.key(at, who.number, attempt),
            decline=None if paid else self.decline(who.number, k),
            settled_at=at,
            billing_name=who.name,
            billing_email=who.email,
            exp_month=method.exp_month,
            exp_year=method.exp_year,
        )
        who.charges.append(charge)
        bill.attempt_count = attempt + 1
        intent.latest_charge, intent.error = charge, charge.decline
        if paid:
            intent.status, bill.status, bill.paid_at = "succeeded", "paid", at
            bill.amount_paid, bill.auto_advance = bill.amount_due, False
            return
        bill.failures += 1
        if last:
            bill.status, bill.uncollectible_at, bill.auto_advance = "uncollectible", at, False
            bill.uncollectible_reason = "max_payment_attempts"

    def decline(self, number: int, k: int) -> Decline:
        return _DECLINES[(number + k) % len(_DECLINES)]

    def _tries_before(self, place: int, k: int) -> int:
        return sum(attempts(place, self.fates[place], before) for before in range(k))

    def _charges_before(self, number: int, k: int) -> int:
        return self._tries(number % TABLE, k)


def _off(line: Line) -> int:
    return sum(amount for _, amount in line.discount_amounts)


def _share(sold: Subscription, off: int) -> tuple[tuple[Discount, int], ...]:
    return tuple((discount, off) for discount in sold.discounts) if off else ()
