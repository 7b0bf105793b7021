"""What a subscription is worth a month, by the default policy: Stripe's own definition of MRR, exactly.

Counts while the subscription is active or past due and its collection is not paused into nothing; licensed items only;
discounts only when they last for ever, the items' own before the subscription's (or the customer's, inherited), per
cents before amounts, never below zero.
"""

from collections.abc import Iterable
from fractions import Fraction

from simulator.company.model import Customer, Discount, Item, Plan, Subscription
from simulator.company.pricing import half_up, interval_amount

_PER_MONTH = {"day": Fraction(365, 12), "week": Fraction(52, 12), "month": Fraction(1), "year": Fraction(1, 12)}


def counts(subscription: Subscription) -> bool:
    """Whether the subscription counts toward MRR now, whatever it is worth."""
    paused = subscription.pause is not None and subscription.pause.behaviour != "keep_as_draft"
    return subscription.status in {"active", "past_due"} and not paused


def customer_mrr(customer: Customer, at: int) -> dict[str, int]:
    """Minor units a month by currency: the exact sum of the customer's subscriptions, rounded once, half up."""
    exact: dict[str, Fraction] = {}
    for subscription in customer.subscriptions:
        if counts(subscription):
            worth = subscription_mrr(subscription, at)
            exact[subscription.currency] = exact.get(subscription.currency, Fraction(0)) + worth
    return {currency: half_up(amount) for currency, amount in exact.items() if half_up(amount)}


def subscription_mrr(subscription: Subscription, at: int) -> Fraction:
    """The exact monthly worth of a subscription that counts."""
    worth = sum((_item_mrr(item, at) for item in subscription.items), Fraction(0))
    discounts = subscription.discounts or ((subscription.customer.discount,) if subscription.customer.discount else ())
    return _discounted(worth, discounts, subscription.items[0].plan, at)


def _item_mrr(item: Item, at: int) -> Fraction:
    if item.plan.metered:
        return Fraction(0)
    worth = interval_amount(item.plan, item.quantity or 0) * month_factor(item.plan)
    return _discounted(worth, item.discounts, item.plan, at)


def month_factor(plan: Plan) -> Fraction:
    return _PER_MONTH[plan.interval] / plan.interval_count


def _discounted(worth: Fraction, discounts: Iterable[Discount], billed: Plan, at: int) -> Fraction:
    """`billed` tells how often an amount comes off: once an invoice."""
    lasting = [d.coupon for d in discounts if d.coupon.duration == "forever" and d.live(at)]
    for coupon in lasting:
        if coupon.percent_off is not None:
            worth *= 1 - coupon.percent_off / 100
    for coupon in lasting:
        if coupon.amount_off is not None:
            worth -= coupon.amount_off * month_factor(billed)
    return max(Fraction(0), worth)
