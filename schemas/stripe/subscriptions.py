"""Reading a subscription: its items, periods, prices and discounts in any version of the API."""

from datetime import datetime

from schemas.stripe.objects import StripeObject, expanded, id_of, instant, is_cut, listed, path

ENDED = frozenset({"canceled", "incomplete_expired"})


def ended_at(subscription: StripeObject) -> datetime | None:
    """When it ended, of one that has; None where Stripe does not say."""
    if subscription.get("status") not in ENDED:
        return None
    return instant(subscription.get("ended_at")) or instant(subscription.get("canceled_at"))


def items(subscription: StripeObject) -> tuple[StripeObject, ...]:
    """The items carried by the object; `has_cut_items` says whether there are more."""
    return listed(subscription.get("items"))


def has_cut_items(subscription: StripeObject) -> bool:
    """Whether the subscription has more items than the ten that the object carries."""
    return is_cut(subscription.get("items"))


def price_of(item: StripeObject) -> StripeObject | None:
    """An item's price, or its plan in older shapes."""
    return expanded(item.get("price")) or expanded(item.get("plan"))


def current_period(subscription: StripeObject) -> tuple[datetime | None, datetime | None]:
    """(start, end): over the items since basil, on the subscription itself before."""
    starts = [at for item in items(subscription) if (at := instant(item.get("current_period_start")))]
    ends = [at for item in items(subscription) if (at := instant(item.get("current_period_end")))]
    start = min(starts) if starts else instant(subscription.get("current_period_start"))
    end = max(ends) if ends else instant(subscription.get("current_period_end"))
    return start, end


def coupon_of(discount: StripeObject) -> StripeObject | None:
    """A discount's coupon where it can be read: `coupon` up to basil, `source.coupon` from clover on if expanded."""
    return expanded(discount.get("coupon")) or expanded(path(discount, "source", "coupon"))


def coupon_id(discount: StripeObject) -> str | None:
    """The coupon's id even where the coupon itself cannot be read."""
    return id_of(discount.get("coupon")) or id_of(path(discount, "source", "coupon"))


def discounts_of(obj: StripeObject) -> tuple[StripeObject, ...]:
    """The discounts of a subscription, item or customer that the read expanded; the older singular one counts."""
    many = listed(obj.get("discounts"))
    if many:
        return many
    single = expanded(obj.get("discount"))
    return (single,) if single else ()


def unread_discounts(obj: StripeObject) -> tuple[str, ...]:
    """Ids of discounts that are there but were not expanded: unknown, not empty."""
    members = obj.get("discounts")
    if not isinstance(members, list):
        return ()
    return tuple(member for member in members if isinstance(member, str))


def is_collection_paused(subscription: StripeObject) -> bool:
    """Whether pause_collection is set, whatever its behaviour."""
    return expanded(subscription.get("pause_collection")) is not None
