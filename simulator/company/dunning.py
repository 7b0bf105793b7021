"""Accounts receivable: what a collected or failed attempt means for the invoice and its subscription."""

from simulator.company import invoicing, payments, subscriptions
from simulator.company.model import Charge, Decline, Invoice
from simulator.company.periods import DAY, HOUR
from simulator.company.world import World

_JITTER = 6 * HOUR


class AccountsReceivable:
    """Stripe's automatic collection, by the account's rules and each customer's `dunning_end`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def charge_succeeded(self, charge: Charge) -> None:
        invoice = charge.intent.invoice
        invoicing.paid(self._world, invoice, charge=charge)
        if invoice.subscription.status == "incomplete":
            subscriptions.activate(self._world, invoice.subscription)
        self._world.life.charged(charge)

    def attempt_failed(self, invoice: Invoice, decline: Decline, attempted_at: int) -> None:
        """`attempted_at` is when the attempt was made; a bank debit fails days later."""
        world = self._world
        invoice.failures += 1
        invoice.customer.delinquent = True
        world.witness.failed(invoice, decline, attempted_at=attempted_at, at=world.now)
        if invoice.subscription.status == "active":
            world.set_subscription_status(invoice.subscription, "past_due")
        if invoice.reason != "subscription_create":
            plan_retry(world, invoice)
        if invoice.failures == 1:
            world.life.failed(invoice, decline)


def plan_retry(world: World, invoice: Invoice) -> None:
    """Schedule the next automatic attempt, unless there is one already; after the last, dunning ends."""
    if not invoice.auto_advance or invoice.next_payment_attempt is not None:
        return
    days = world.rules.retry_days
    if invoice.attempt_count > len(days):
        _retries_ended(world, invoice)
        return
    jitter = invoice.customer.chance.between(-_JITTER, _JITTER)
    planned = world.now + days[invoice.attempt_count - 1] * DAY + jitter
    invoice.next_payment_attempt = planned
    world.at(planned, invoice.customer, _retry, invoice, planned)


def _retry(world: World, invoice: Invoice, planned: int) -> None:
    """After a hard decline only the count goes up, until there is another payment method."""
    intent = invoice.intent
    if invoice.status != "open" or invoice.next_payment_attempt != planned or intent is None:
        return
    hard = intent.error is not None and intent.error.hard
    if hard and intent.method is invoice.customer.method:
        invoice.attempt_count += 1
        invoice.next_payment_attempt = None
        plan_retry(world, invoice)
    else:
        payments.automatic_attempt(world, invoice)


def _retries_ended(world: World, invoice: Invoice) -> None:
    invoicing.hold(invoice)
    subscription = invoice.subscription
    end = invoice.customer.dunning_end
    if subscription.status == "past_due" and end == "cancel":
        subscriptions.cancel_now(world, subscription, "payment_failed")
    elif subscription.status == "past_due" and end == "unpaid":
        world.set_subscription_status(subscription, "unpaid")
        world.witness.lapsed(subscription, world.now)
    world.life.retries_ended(invoice)
