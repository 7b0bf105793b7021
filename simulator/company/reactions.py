"""What people do when something happened: a failed payment, an invoice in the mail, a charge, an end."""

from simulator.company import customers, invoicing, payments, subscriptions
from simulator.company.habits import new_method
from simulator.company.model import Charge, Decline, Invoice, Subscription
from simulator.company.periods import DAY, HOUR
from simulator.company.world import World

_AFTER_FAILURE = (
    (36.0, "new card"),
    (5.0, "bank transfer"),
    (3.0, "void"),
    (2.0, "give up"),
    (5.0, "leave"),
    (49.0, "wait"),
)
_DISPUTE_REASONS = ("fraudulent", "subscription_canceled", "product_unacceptable", "unrecognized", "duplicate")


def failed(world: World, invoice: Invoice, decline: Decline) -> None:
    """The first failed attempt: dunning mail reaches the customer, or support looks at it."""
    customer, chance = invoice.customer, invoice.customer.chance
    if invoice.subscription.status == "incomplete":
        _retry_checkout(world, invoice)
        return
    if decline.reason == "authentication_required" and chance.happens(0.75):
        world.at(world.now + chance.between(600, 60 * HOUR), customer, _pay_with_new_card, invoice)
        return
    reaction = chance.weighted(_AFTER_FAILURE)
    when = world.now + chance.between(4 * HOUR, 10 * DAY)
    if reaction == "new card":
        world.at(when, customer, _pay_with_new_card, invoice)
    elif reaction == "bank transfer":
        world.at(when, customer, _pay_out_of_band, invoice)
    elif reaction == "void":
        world.at(when, customer, _write_off, invoice, "void")
    elif reaction == "give up":
        world.at(when, customer, _write_off, invoice, "uncollectible")
    elif reaction == "leave":
        world.at(when, customer, subscriptions.cancel_now, invoice.subscription)


def _retry_checkout(world: World, invoice: Invoice) -> None:
    """Another card within the day (in UTC), or nothing: so a start and its payment fall on one day."""
    chance = invoice.customer.chance
    left_today = DAY - world.now % DAY - 1
    if left_today > 600 and chance.happens(0.55):
        wait = chance.between(60, min(left_today, 6 * HOUR))
        world.at(world.now + wait, invoice.customer, _pay_with_new_card, invoice)


def retries_ended(world: World, invoice: Invoice, *, founded_at: int) -> None:
    """The last retry failed: some pay late, others are written off. Who is unpaid decides within three weeks, or if
    those end before `founded_at`, within two of it: that a subscription has been unpaid leaves no trace later."""
    customer, chance, subscription = invoice.customer, invoice.customer.chance, invoice.subscription
    late = world.now + chance.between(1 * DAY, 12 * DAY)
    if subscription.status == "unpaid" and world.now < founded_at:
        late = max(late, founded_at + chance.between(HOUR, 12 * DAY))
    if subscription.ended:
        if chance.happens(0.4):
            invoicing.give_up(world, invoice, "max_payment_attempts")
        elif chance.happens(0.1):
            world.at(late, customer, _pay_with_new_card, invoice)
    elif chance.happens(0.45):
        world.at(late, customer, _pay_with_new_card, invoice)
    else:
        when = world.now + chance.between(13 * DAY, 19 * DAY)
        world.at(max(when, late), customer, _dismiss, subscription)


def _dismiss(world: World, subscription: Subscription) -> None:
    if subscription.status in {"unpaid", "past_due"}:
        subscriptions.cancel_now(world, subscription, "payment_failed")


def invoice_opened(world: World, invoice: Invoice) -> None:
    """An invoice in the mail: paid by transfer (outside Stripe) or on its page, early, late or never."""
    customer, chance = invoice.customer, invoice.customer.chance
    due = (invoice.due_date or world.now) - world.now
    fate = chance.weighted(((80.0, "in time"), (14.0, "late"), (6.0, "never")))
    if fate == "never":
        how = chance.pick(("void", "uncollectible"))
        world.at(world.now + due + 20 * DAY, customer, _write_off, invoice, how)
        return
    when = chance.between(HOUR, due - HOUR) if fate == "in time" else due + chance.between(HOUR, 12 * DAY)
    pay = _pay_out_of_band if chance.happens(0.5) else _pay_on_page
    world.at(world.now + when, customer, pay, invoice)


def _pay_with_new_card(world: World, invoice: Invoice) -> None:
    if invoice.status == "open" and invoice.customer.deleted_at is None:
        customers.replace_method(invoice.customer, new_method(invoice.customer, "good", world.now))
        payments.collect(world, invoice)


def _pay_on_page(world: World, invoice: Invoice) -> None:
    if invoice.customer.deleted_at is None:
        payments.collect(world, invoice)


def _pay_out_of_band(world: World, invoice: Invoice) -> None:
    if invoicing.payable(invoice):
        invoicing.paid(world, invoice, charge=None, out_of_band=True)


def _write_off(world: World, invoice: Invoice, how: str) -> None:
    if not invoicing.payable(invoice):
        return
    if how == "void":
        invoicing.void(world, invoice)
    else:
        invoicing.give_up(world, invoice)


def charged(world: World, charge: Charge) -> None:
    """Money arrived: now and then it is given back, or asked back."""
    customer, chance = charge.customer, charge.customer.chance
    if chance.happens(0.012):
        part = charge.amount if chance.happens(0.6) else max(1, charge.amount // 2)
        world.at(world.now + chance.between(HOUR, 20 * DAY), customer, payments.refund, charge, part)
    elif charge.method.kind == "card" and chance.happens(0.006):
        world.at(world.now + chance.between(2 * DAY, 40 * DAY), customer, _dispute, charge)


def _dispute(world: World, charge: Charge) -> None:
    customer, chance = charge.customer, charge.customer.chance
    inquiry = chance.happens(0.2)
    case = payments.dispute(world, charge, chance.pick(_DISPUTE_REASONS), inquiry=inquiry)
    if case is None:
        return
    answered = world.now + chance.between(DAY, 8 * DAY)
    decided = answered + chance.between(10 * DAY, 30 * DAY)
    if inquiry:
        world.at(answered, customer, payments.set_dispute, case, "warning_under_review")
        world.at(decided, customer, payments.set_dispute, case, "warning_closed")
        return
    world.at(answered, customer, payments.set_dispute, case, "under_review")
    world.at(decided, customer, payments.set_dispute, case, "won" if chance.happens(0.4) else "lost")
    subscription = charge.intent.invoice.subscription
    if chance.happens(0.3):
        world.at(world.now + HOUR, customer, subscriptions.cancel_now, subscription, "payment_disputed")


def paused_at_trial_end(world: World, subscription: Subscription) -> None:
    """It goes on when a card is left, or is canceled within three weeks."""
    customer, chance = subscription.customer, subscription.customer.chance
    if chance.happens(0.5):
        world.at(world.now + chance.between(2 * DAY, 14 * DAY), customer, _resume, subscription)
    else:
        world.at(world.now + chance.between(15 * DAY, 19 * DAY), customer, _drop_paused, subscription)


def _resume(world: World, subscription: Subscription) -> None:
    if subscription.status == "paused" and subscription.customer.deleted_at is None:
        customers.replace_method(subscription.customer, new_method(subscription.customer, "good", world.now))
        subscriptions.resume_paused(world, subscription)


def _drop_paused(world: World, subscription: Subscription) -> None:
    if subscription.status == "paused":
        subscriptions.cancel_now(world, subscription)
