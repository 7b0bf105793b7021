"""A living company: who signs up when, and what customers, banks and the support team do.

Every choice is drawn from the customer's own chance. Where Stripe leaves no trace of an instant, or two readings of a
rule are possible, the company avoids the case rather than making its truth a matter of opinion: a free subscription is
never canceled, an incomplete one is paid on the day it began or not at all, a tiered quantity changes at a renewal,
nobody stays paused for longer than three weeks, and nobody who was unpaid before the founding ends has ceased to be
(but in a company of full variety, which is watched from its first day).
"""

from dataclasses import dataclass
from typing import Literal

from simulator.company import customers, reactions, subscriptions, variety, whims
from simulator.company.chance import Chance
from simulator.company.habits import AUTHENTICATE, DEBIT_FAILED, GENERIC, card_outcome, new_method
from simulator.company.model import Charge, Customer, Decline, Invoice, Subscription
from simulator.company.offers import Offer, again, choose
from simulator.company.people import new_customer
from simulator.company.periods import DAY, HOUR
from simulator.company.world import World

_GROUP = 5

Variety = Literal["usual", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How many customers sign up, and when: so many in so many days, and on at the same pace."""

    customers: int = 2000
    days: int = 90
    opening_share: float = 0.6
    """So many come in the first week: the company moved its billing to Stripe then."""
    opening_days: int = 7
    email_domain: str = "customers.example"
    variety: Variety = "usual"
    """`full`: everything that Stripe Billing can do to a price occurs, rare or not (see `company.variety`)."""

    def signup_at(self, seed: int, opened_at: int, number: int) -> int:
        """When customer `number` signs up; never falls as the number grows, without end.

        One group of five in ten is imported together: customers, and much of what they have, share a second.
        """
        if number // _GROUP % 10 == 0:
            number -= number % _GROUP
        opening = int(self.customers * self.opening_share)
        place = Chance(seed, 1 << 40 | number).unit()
        opening_seconds = min(self.opening_days, self.days / 2) * DAY
        if number < opening:
            return opened_at + int(opening_seconds * (number + place) / opening)
        span = self.days * DAY - opening_seconds - 1
        later = max(1, self.customers - opening)
        return opened_at + int(opening_seconds + span * (number - opening + place) / later)


class LivingCompany:
    """Implements what the world asks of life."""

    def __init__(self, world: World, growth: Growth) -> None:
        self._world = world
        self._growth = growth
        self._full = growth.variety == "full"
        self._expect(0)

    def _expect(self, number: int) -> None:
        at = self._growth.signup_at(self._world.seed, self._world.opened_at, number)
        self._world.alarm(at, number, self._arrive, number)

    def _arrive(self, world: World, number: int) -> None:
        """The sign-up `number`; customers whom a director made have numbers of their own."""
        customer = new_customer(world, len(world.customers), self._growth.email_domain)
        customers.join(world, customer)
        chance = customer.chance
        wait = chance.between(1, 900) if chance.happens(0.96) else chance.between(DAY, 4 * DAY)
        if number // _GROUP % 10 == 0 and chance.happens(0.8):
            wait = 0
        if not chance.happens(0.03):
            world.at(world.now + wait, customer, self._subscribe, customer)
        if chance.happens(0.05):
            world.at(world.now + chance.between(5 * DAY, 60 * DAY), customer, self._subscribe_again, customer)
        self._expect(number + 1)

    def _subscribe(self, world: World, customer: Customer) -> None:
        opening = world.now < world.opened_at + self._growth.opening_days * DAY
        offer = choose(world, customer, trials=0.08 if opening else 0.35)
        if self._full:
            offer = variety.enriched(world, customer, offer)
            if customer.chance.happens(0.2):
                soon = world.now + customer.chance.between(DAY, 200 * DAY)
                world.at(soon, customer, self._subscribe_again, customer)
        self._sell(world, customer, offer)
        if self._full:
            variety.stack_coupons(world, customer)

    def _subscribe_again(self, world: World, customer: Customer) -> None:
        """A second product, for whom the first one is worth paying for."""
        paying = any(s.status == "active" and not whims.is_free(s) for s in customer.subscriptions)
        if paying and customer.method is not None and customer.deleted_at is None:
            self._sell(world, customer, again(world, customer))

    def _sell(self, world: World, customer: Customer, offer: Offer) -> None:
        if offer.customer_coupon is not None:
            subscriptions.give_discount(world, offer.customer_coupon, customer)
        subscriptions.begin(world, customer, offer.wanted, offer.terms)

    def _come_back(self, world: World, customer: Customer) -> None:
        if customer.deleted_at is None and not customers.has_live_subscription(customer):
            customers.replace_method(customer, new_method(customer, "good", world.now))
            if self._full:
                variety.perhaps_move_abroad(customer)
            self._sell(world, customer, again(world, customer))

    def _delete_later(self, world: World, customer: Customer) -> None:
        if not customers.has_live_subscription(customer):
            customers.delete(world, customer)

    # What the world asks.

    def outcome(self, invoice: Invoice) -> Decline | int | None:
        """Bank debits take days; a checkout fails now and then whatever the card; the rest is the card's habit."""
        method, chance = invoice.customer.method, invoice.customer.chance
        if method is None or invoice.collection_method == "send_invoice":
            return None
        if method.kind != "card":
            return chance.between(3 * DAY, 5 * DAY)
        if invoice.subscription.status == "incomplete":
            if invoice.failures or not chance.happens(0.07):
                return None
            return AUTHENTICATE if method.habit == "auth" else GENERIC
        return card_outcome(method, chance, self._world.now, tries=invoice.failures)

    def debit_outcome(self, charge: Charge) -> Decline | None:
        """A first debit never bounces: its subscription is active already, and would be nobody's abandoned cart."""
        first = charge.intent.invoice.reason == "subscription_create"
        return None if first or not charge.customer.chance.happens(0.07) else DEBIT_FAILED

    def usage(self, subscription: Subscription) -> int:
        return subscription.customer.chance.between(0, 60_000)

    def created(self, subscription: Subscription) -> None:
        if subscription.status == "trialing":
            whims.plan_trial(self._world, subscription)
            if self._full:
                variety.plan_trial(self._world, subscription)

    def period_started(self, subscription: Subscription) -> None:
        whims.plan_period(self._world, subscription, variety.WHIMS if self._full else ())

    def invoice_opened(self, invoice: Invoice) -> None:
        reactions.invoice_opened(self._world, invoice)

    def failed(self, invoice: Invoice, decline: Decline) -> None:
        reactions.failed(self._world, invoice, decline)

    def retries_ended(self, invoice: Invoice) -> None:
        founded_at = self._world.opened_at + (0 if self._full else self._growth.days * DAY)
        reactions.retries_ended(self._world, invoice, founded_at=founded_at)

    def charged(self, charge: Charge) -> None:
        reactions.charged(self._world, charge)

    def ended(self, subscription: Subscription) -> None:
        """Some come back after a while, some are deleted."""
        customer, chance = subscription.customer, subscription.customer.chance
        if subscription.status == "paused":
            reactions.paused_at_trial_end(self._world, subscription)
            return
        if customer.deleted_at is not None:
            return
        if chance.happens(0.15):
            wait = chance.between(2 * DAY, 40 * DAY)
            self._world.at(self._world.now + wait, customer, self._come_back, customer)
        elif chance.happens(0.04):
            wait = chance.between(HOUR, 25 * DAY)
            self._world.at(self._world.now + wait, customer, self._delete_later, customer)
