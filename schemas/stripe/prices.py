"""Reading a price (or the plan of older shapes): what it costs, how often, and how the quantity is counted."""

from typing import Any

from schemas.stripe.objects import StripeObject, expanded, id_of, listed, path


def interval_of(price: StripeObject) -> tuple[str | None, Any]:
    """(interval, interval_count): of `recurring` on a price, on the plan itself in older shapes.

    (None, 1) for a one-off price. Both are given as they are there, known or not; a count that is not there is 1.
    """
    recurring = expanded(price.get("recurring")) or price
    interval = recurring.get("interval")
    count = recurring.get("interval_count")
    return (interval if isinstance(interval, str) else None, 1 if count is None else count)


def is_metered(price: StripeObject) -> bool:
    """Whether what was used is billed afterwards, instead of a quantity that is licensed beforehand."""
    recurring = expanded(price.get("recurring")) or price
    return recurring.get("usage_type") == "metered"


def unit_amount(price: StripeObject) -> Any:
    """The amount of one unit in minor units as it is there: a decimal string before an integer; None with tiers."""
    for name in ("unit_amount_decimal", "unit_amount", "amount_decimal", "amount"):
        found = price.get(name)
        if found is not None:
            return found
    return None


def tiers_of(price: StripeObject) -> tuple[StripeObject, ...] | None:
    """The bands of a tiered price; None where the read did not give them: they are there and unknown."""
    found = price.get("tiers")
    return listed(found) if isinstance(found, list | dict) else None


def tiers_mode(price: StripeObject) -> str:
    """`graduated` or `volume`; empty where the price has one amount per unit."""
    mode = price.get("tiers_mode")
    if isinstance(mode, str):
        return mode
    return "unknown" if price.get("billing_scheme") == "tiered" else ""


def transform_of(price: StripeObject) -> tuple[Any, bool]:
    """(divide_by as it is there, whether it rounds up) of transform_quantity or transform_usage; (1, False) without."""
    found = expanded(price.get("transform_quantity")) or expanded(price.get("transform_usage"))
    divide_by = path(found, "divide_by")
    return (1, False) if divide_by is None else (divide_by, path(found, "round") == "up")


def is_tax_inclusive(price: StripeObject) -> bool:
    """Whether the amount holds its tax already."""
    return price.get("tax_behavior") == "inclusive"


def in_currency(price: StripeObject, currency: str) -> StripeObject | None:
    """The amounts of a price in that currency: its own, or its `currency_options` where they were expanded."""
    own = price.get("currency")
    if own is None or own == currency:
        return price
    option = expanded(path(price, "currency_options", currency))
    return None if option is None else {**price, **option, "currency": currency}


def product_of(price: StripeObject) -> str:
    """The product's id; empty where there is none."""
    return id_of(price.get("product")) or ""
