"""Stripe's objects as a test needs them: complete enough to be read, and no longer than what the test is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.mrr.evidence import SECOND
from services.mrr.policy import STRIPE, Policy
from services.mrr.reading import read_customer, read_subscription
from services.mrr.valuation import Evidence, Valuation, value

Json = dict[str, Any]
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
DAY = 86_400
_product = {"product": "prod_1"}


def price(amount: Any = 1000, interval: str = "month", count: int = 1, **more: Any) -> Json:
    """A price of so much per unit and interval; `more` is laid over it."""
    recurring = {"interval": interval, "interval_count": count, "usage_type": more.pop("usage_type", "licensed")}
    decimal = None if amount is None else str(amount)
    whole = amount if isinstance(amount, int) else None
    own = {"id": "price_1", "currency": "usd", "unit_amount": whole, "unit_amount_decimal": decimal}
    return {**own, **_product, "recurring": recurring, "type": "recurring", **more}


def tiered(mode: str, *bands: tuple[int | None, int, int], **more: Any) -> Json:
    """A tiered price; a band is (up_to, unit amount, flat amount)."""
    tiers = [{"up_to": up_to, "unit_amount": unit, "flat_amount": flat} for up_to, unit, flat in bands]
    shown: Json = {"tiers": tiers} if bands else {}
    return price(None, billing_scheme="tiered", tiers_mode=mode, **shown, **more)


def item(of: Json | None = None, quantity: Any = 1, name: str = "si_1", **more: Any) -> Json:
    """A subscription item."""
    return {"id": name, "price": of or price(), "quantity": quantity, "created": START, "discounts": [], **more}


def discount(name: str = "di_1", *, percent: Any = None, amount: int | None = None, **more: Any) -> Json:
    """A discount with its coupon inline, as basil shows it; `duration` forever unless said otherwise."""
    coupon = {"id": f"coupon_{name}", "percent_off": percent, "amount_off": amount, "duration": "forever"}
    coupon |= {"currency": None if amount is None else more.pop("currency", "usd")}
    coupon |= {key: more.pop(key) for key in ("duration", "applies_to", "currency_options") if key in more}
    return {"id": name, "object": "discount", "coupon": coupon, "start": START, "end": None, **more}


def subscription(*items: Json, name: str = "sub_1", **more: Any) -> Json:
    """An active subscription that began at START."""
    members = list(items) or [item()]
    own: Json = {"id": name, "object": "subscription", "customer": "cus_1", "status": "active", "currency": "usd"}
    own |= {"start_date": START, "created": START, "trial_end": None, "ended_at": None, "canceled_at": None}
    own |= {"cancel_at": None, "cancel_at_period_end": False, "pause_collection": None, "discounts": []}
    return {**own, "items": {"object": "list", "data": members, "has_more": False}, **more}


def customer(of: Json | None = None, name: str = "cus_1") -> Json:
    """A customer with a discount of its own, or none."""
    return {"id": name, "object": "customer", "currency": "usd", "discount": of}


def line(amount: int, *, of: str = "si_1", start: int = START, days: int = 31, **more: Any) -> Json:
    """An invoice line of a whole period, as basil shows it."""
    details = {"subscription_item": of, "subscription": "sub_1", "proration": more.pop("proration", False)}
    own: Json = {"amount": amount, "period": {"start": start, "end": start + days * DAY}, "quantity": 1}
    own |= {"parent": {"type": "subscription_item_details", "subscription_item_details": details}}
    own |= {"pricing": {"price_details": {"price": more.pop("price", "price_1"), "product": "prod_1"}}}
    return {**own, "discount_amounts": [], "taxes": [], **more}


def invoice(*lines: Json, name: str = "in_1", **more: Any) -> Json:
    """A paid invoice of sub_1."""
    own: Json = {"id": name, "object": "invoice", "customer": "cus_1", "currency": "usd", "status": "paid"}
    own |= {"parent": {"subscription_details": {"subscription": "sub_1"}}, "amount_paid": 1, "created": START}
    own |= {"billing_reason": "subscription_cycle", "status_transitions": {"paid_at": START + 3600}}
    own |= {"subtotal": sum(one["amount"] for one in lines)}
    return {**own, "lines": {"object": "list", "data": list(lines), "has_more": False}, **more}


def worth(obj: Json, policy: Policy = STRIPE, *, inherited: Sequence[Json] = (), at: int | None = None) -> Valuation:
    """What the subscription's terms alone are worth at an instant (Unix seconds; START by default)."""
    terms = read_subscription(obj)
    own = terms.discounts
    if not own:
        read = [read_customer(customer(one)) for one in inherited]
        own = tuple(one.discount for one in read if one is not None and one.discount is not None)
    instant = (START if at is None else at) * SECOND
    holding = [one for one in own if one.holds(instant)]
    return value(Evidence(terms.items), holding, policy, currency=terms.currency)


def mrr(obj: Json, policy: Policy = STRIPE, **more: Any) -> Any:
    """The exact worth of a subscription's terms."""
    return worth(obj, policy, **more).exact
