"""Reading the lines of an invoice in any version of the API."""

from datetime import datetime

from schemas.stripe.objects import StripeObject, id_of, instant, is_cut, listed, path


def lines_of(invoice: StripeObject) -> tuple[StripeObject, ...]:
    """The lines carried by the invoice; `has_cut_lines` says whether there are more."""
    return listed(invoice.get("lines"))


def has_cut_lines(invoice: StripeObject) -> bool:
    """Whether the invoice has more lines than the ten that the object carries."""
    return is_cut(invoice.get("lines"))


def subscription_item_id(line: StripeObject) -> str | None:
    """The subscription item a line bills for its period; None for a one-off item."""
    new = id_of(path(line, "parent", "subscription_item_details", "subscription_item"))
    return new or id_of(line.get("subscription_item"))


def is_proration(line: StripeObject) -> bool:
    """Whether the line settles a part of a period after a change, instead of billing a whole one."""
    for name in ("subscription_item_details", "invoice_item_details"):
        found = path(line, "parent", name, "proration")
        if isinstance(found, bool):
            return found
    return line.get("proration") is True


def price_id(line: StripeObject) -> str | None:
    """The price a line was billed at."""
    new = id_of(path(line, "pricing", "price_details", "price"))
    return new or id_of(line.get("price")) or id_of(line.get("plan"))


def period_of(line: StripeObject) -> tuple[datetime | None, datetime | None]:
    """(start, end) of what the line bills."""
    return instant(path(line, "period", "start")), instant(path(line, "period", "end"))


def inclusive_tax(line: StripeObject) -> int:
    """The tax that the line's amount holds already, in minor units."""
    total = 0
    for tax in listed(line.get("taxes")) or listed(line.get("tax_amounts")):
        inside = tax.get("tax_behavior") == "inclusive" or tax.get("inclusive") is True
        amount = tax.get("amount")
        if inside and isinstance(amount, int):
            total += amount
    return total


def discount_amounts(line: StripeObject) -> tuple[tuple[str, int], ...]:
    """What each discount took off the line, by the discount's id, in minor units."""
    found = []
    for part in listed(line.get("discount_amounts")):
        discount, amount = id_of(part.get("discount")), part.get("amount")
        if discount and isinstance(amount, int):
            found.append((discount, amount))
    return tuple(found)
