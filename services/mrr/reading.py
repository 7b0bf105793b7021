"""Stripe's objects, of any version, as terms. Pure; what breaks Stripe's own promises raises Unreadable."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from schemas.currencies import is_currency
from schemas.events.product import ProductMessage
from schemas.money import exponent
from schemas.stripe import lines as invoice_lines
from schemas.stripe import prices
from schemas.stripe.invoices import subscription_id
from schemas.stripe.objects import StripeObject, expanded, id_of, is_deleted, listed, path
from schemas.stripe.subscriptions import coupon_of, discounts_of, has_cut_items, items, price_of, unread_discounts
from services.mrr.errors import Unreadable
from services.mrr.policy import INTERVALS
from services.mrr.terms import (
    WHOLE,
    CustomerTerms,
    Discount,
    InvoiceTerms,
    Item,
    Line,
    Number,
    Price,
    SubscriptionTerms,
    Tier,
)

LARGEST = 2**63 - 1
MOST = 2**53
"""No count of anything is larger: neither a quantity, nor a band, nor how many intervals or units belong together."""
LAST_SECOND = 221_845_392_000
"""The year 9000: later, an instant is no date that a table or a zone of days could go on from."""
LONGEST = 40
"""More digits than any amount has; a longer number would cost memory before it is refused."""


def read_subscription(obj: StripeObject) -> SubscriptionTerms:
    """The terms of a subscription; raises Unreadable."""
    name = _name(obj)
    status = obj.get("status")
    if not isinstance(status, str):
        raise Unreadable(f"{name} has no status")
    currency = _currency(obj.get("currency"), name)
    start = _seconds(obj.get("start_date"))
    start = _seconds(obj.get("created")) if start is None else start
    if start is None:
        raise Unreadable(f"{name} says neither when it started nor when it was created")
    pause = expanded(obj.get("pause_collection"))
    canceled_at = _seconds(obj.get("canceled_at"))
    return SubscriptionTerms(
        status=status,
        currency=currency,
        start=start,
        items=_items(obj, currency, name),
        trial_end=_seconds(obj.get("trial_end")),
        ended_at=_seconds(obj.get("ended_at")),
        canceled_at=canceled_at,
        leaving=bool(obj.get("cancel_at_period_end")) or obj.get("cancel_at") is not None or canceled_at is not None,
        pause=str(path(pause, "behavior") or "void") if pause is not None else "",
        resumes_at=_seconds(path(pause, "resumes_at")),
        discounts=_discounts(obj, currency),
        cut=has_cut_items(obj),
    )


def read_customer(obj: StripeObject) -> CustomerTerms | None:
    """The terms of a customer; None for a deleted one, of whom Stripe says nothing more."""
    if is_deleted(obj):
        return None
    single = obj.get("discount")
    discount = expanded(single)
    if discount is not None:
        return CustomerTerms(_discount(discount, currency=None))
    return CustomerTerms(Discount(id=single) if isinstance(single, str) and single else None)


def read_invoice(obj: StripeObject) -> InvoiceTerms | None:
    """The terms of an invoice; None where it bills no subscription or only parts of periods."""
    subscription = subscription_id(obj)
    if subscription is None:
        return None
    currency = _currency(obj.get("currency"), _name(obj))
    paid = _seconds(path(obj, "status_transitions", "paid_at")) if obj.get("status") == "paid" else None
    if not _positive(obj.get("amount_paid")):
        paid = None
    first = obj.get("billing_reason") == "subscription_create"
    return InvoiceTerms(subscription, currency, _full_period_lines(obj), first=first, paid_at=paid)


def read_mrr(message: ProductMessage) -> tuple[Number, str] | None:
    """The MRR that identify() passed, as (minor units, currency); None where it passed none. Raises Unreadable.

    The trait `mrr` is in major units, as people write it (49, "49.90"), of the trait `currency`, else of US dollars.
    """
    said = message.traits.get("mrr") if message.type == "identify" else None
    if said is None or message.user_id is None:
        return None
    what = f"the MRR of the user {message.user_id}"
    currency = _currency(message.traits.get("currency") or "usd", what)
    amount = _number(said, what)
    if Decimal(amount) < 0:
        raise Unreadable(f"{what} is negative: {amount}")
    minor = _number(Decimal(amount).scaleb(exponent(currency)), what)
    if Decimal(minor) >= 2**53:
        raise Unreadable(f"{what} is {amount}, which is too large for any table")
    return minor, currency


def _items(obj: StripeObject, currency: str, name: str) -> tuple[Item, ...]:
    members: Iterable[StripeObject] = items(obj)
    if not members and not has_cut_items(obj):
        if expanded(obj.get("plan")) is None:
            raise Unreadable(f"{name} has no items")
        members = ({"id": _name(obj), "plan": obj["plan"], "quantity": obj.get("quantity")},)
    rates = _inclusive_rates(obj.get("default_tax_rates"))
    automatic = path(obj, "automatic_tax", "enabled") is True
    found = [_item(member, currency, name, rates, automatic=automatic) for member in members]
    return tuple(sorted(found, key=lambda item: item.id))


def _item(member: StripeObject, currency: str, name: str, rates: Number, *, automatic: bool) -> Item:
    item = id_of(member)
    price = price_of(member)
    if not item or price is None:
        raise Unreadable(f"{name} has an item without an id or a price")
    where = f"the item {item} of {name}"
    read = _price(price, currency, where)
    own = listed(member.get("tax_rates"))
    tax = _inclusive_rates(own) if own else rates
    return Item(
        id=item,
        quantity=_quantity(member.get("quantity"), where, metered=read.metered),
        price=read,
        created=_seconds(member.get("created")) or 0,
        discounts=_discounts(member, currency),
        tax=tax,
        tax_untold=automatic and read.inclusive and not tax,
    )


def _quantity(value: Any, where: str, *, metered: bool) -> int:
    """A licensed item without a quantity is one; a metered one has none, and is worth nothing beforehand."""
    if metered or value is None:
        return 0 if metered else 1
    number = _count(value, f"the quantity of {where}")
    if number < 0:
        raise Unreadable(f"the quantity of {where} is negative: {number}")
    return number


def _price(price: StripeObject, currency: str, where: str) -> Price:
    interval, count = prices.interval_of(price)
    if interval is not None and interval not in INTERVALS:
        raise Unreadable(f"{where} is billed by the unknown interval {interval!r}")
    count = _count(count, f"the number of intervals of {where}")
    if count < 1:
        raise Unreadable(f"{where} is billed every {count} intervals")
    divide_by, round_up = prices.transform_of(price)
    divide_by = _count(divide_by, f"the size of the packs of {where}")
    if divide_by < 1:
        raise Unreadable(f"{where} divides its quantity by {divide_by}")
    billed = prices.in_currency(price, currency)
    mode = prices.tiers_mode(price)
    unit = None if billed is None or mode else prices.unit_amount(billed)
    return Price(
        id=id_of(price) or "",
        product=prices.product_of(price),
        interval=interval or "",
        count=count,
        unit=None if unit is None else _amount(unit, f"the amount of {where}"),
        mode=mode,
        tiers=_tiers(billed, where) if billed is not None and mode in {"graduated", "volume"} else None,
        divide_by=divide_by,
        round_up=round_up,
        metered=prices.is_metered(price),
        inclusive=prices.is_tax_inclusive(price),
    )


def _tiers(price: StripeObject, where: str) -> tuple[Tier, ...] | None:
    bands = prices.tiers_of(price)
    if not bands:
        return None
    found = []
    for band in bands:
        up_to = band.get("up_to")
        limit = None if up_to is None or up_to == "inf" else _count(up_to, f"a band of {where}")
        unit, flat = (_either(band, name, where) for name in ("unit_amount", "flat_amount"))
        found.append(Tier(limit, unit, flat))
    return tuple(sorted(found, key=lambda tier: (tier.up_to is None, tier.up_to or 0)))


def _either(band: StripeObject, name: str, where: str) -> Number:
    value = band.get(f"{name}_decimal")
    value = band.get(name) if value is None else value
    return 0 if value is None else _amount(value, f"a tier of {where}")


def _discounts(obj: StripeObject, currency: str) -> tuple[Discount, ...]:
    found = {unread: Discount(id=unread) for unread in unread_discounts(obj)}
    found |= {read.id: read for read in (_discount(shown, currency=currency) for shown in discounts_of(obj))}
    return tuple(found[name] for name in sorted(found))


def _discount(discount: StripeObject, *, currency: str | None) -> Discount:
    """`currency` is the subscription's; a customer's discount serves subscriptions of its own currency only."""
    name = id_of(discount) or ""
    coupon = coupon_of(discount)
    start, end = _seconds(discount.get("start")), _seconds(discount.get("end"))
    if coupon is None:  # its duration shows all the same: only a repeating one has an end
        return Discount(id=name, duration="" if end is None else "repeating", start=start, end=end)
    percent = coupon.get("percent_off")
    duration = coupon.get("duration")
    amount = None if percent is not None else _amount_off(coupon, currency)
    return Discount(
        id=name,
        percent=None if percent is None else _percent(percent, f"the discount {name} takes off"),
        amount=amount,
        currency="" if amount is None else currency or str(coupon.get("currency") or ""),
        duration=duration if isinstance(duration, str) else "",
        start=start,
        end=end,
        products=_products(coupon),
    )


def _amount_off(coupon: StripeObject, currency: str | None) -> int | None:
    own = coupon.get("currency")
    amount = coupon.get("amount_off")
    if currency is not None and own is not None and own != currency:
        amount = path(coupon, "currency_options", currency, "amount_off")
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    if not 0 <= amount <= LARGEST:
        raise Unreadable(f"the coupon {id_of(coupon)} takes off {amount}")
    return amount


def _products(coupon: StripeObject) -> tuple[str, ...]:
    products = path(coupon, "applies_to", "products") or []
    if not isinstance(products, list):
        raise Unreadable(f"the coupon {id_of(coupon)} applies to {products!r}, which is no list of products")
    return tuple(sorted(map(str, products)))


def _percent(value: Any, what: str) -> Number:
    percent = _number(value, what)
    if not 0 <= Decimal(percent) <= 100:
        raise Unreadable(f"{what} {percent} per cent")
    return percent


def _inclusive_rates(rates: object) -> Number:
    """The tax rates that amounts hold already, together, in per cent."""
    inside = [rate for rate in listed(list(rates) if isinstance(rates, tuple) else rates) if rate.get("inclusive")]
    read = (_percent(rate.get("percentage") or 0, f"the tax rate {id_of(rate)} is") for rate in inside)
    return _number(sum(map(Decimal, read), Decimal(0)), "a tax rate")


def _full_period_lines(obj: StripeObject) -> tuple[Line, ...]:
    """The lines that bill whole periods to come, by item and period.

    Left out are parts of a period, what was used in a period that ended (metered: it ends where the others begin),
    and what is billed as nothing (a trial tells no price).
    """
    groups: dict[tuple[str, int, int], list[StripeObject]] = {}
    for line in invoice_lines.lines_of(obj):
        item = invoice_lines.subscription_item_id(line)
        start, end = _seconds(path(line, "period", "start")), _seconds(path(line, "period", "end"))
        if item and start is not None and end is not None and start < end and not invoice_lines.is_proration(line):
            groups.setdefault((item, start, end), []).append(line)
    latest = max((start for _, start, _ in groups), default=0)
    lines = [_line(key, group) for key, group in sorted(groups.items()) if key[2] > latest]
    if invoice_lines.has_cut_lines(obj) and lines:
        last = next(reversed(groups))[0]
        whole = _whole_of_cut(obj, lines, usage=any(end <= latest for _, _, end in groups))
        lines = [line for line in lines if line.item != last]  # more of this item may be among what was cut off
        lines.append(whole)
    return tuple(line for line in lines if line.amount > 0)


def _whole_of_cut(obj: StripeObject, lines: list[Line], *, usage: bool) -> Line:
    """All that an invoice bills for whole periods: its subtotal without the other lines that can be seen."""
    seen = sum(_whole(line.get("amount")) for line in invoice_lines.lines_of(obj))
    other = seen - sum(line.amount for line in lines)
    longest = max(lines, key=lambda line: (line.end - line.start, line.item))
    amount = _whole(_whole(obj.get("subtotal")) - other)
    return Line(WHOLE, "", longest.start, longest.end, amount, 0, (), usage=usage)


def _line(key: tuple[str, int, int], group: list[StripeObject]) -> Line:
    item, start, end = key
    taken: dict[str, int] = {}
    for discount, amount in (part for line in group for part in invoice_lines.discount_amounts(line)):
        taken[discount] = taken.get(discount, 0) + amount
    return Line(
        item=item,
        price=invoice_lines.price_id(group[0]) or "",
        start=start,
        end=end,
        amount=_whole(sum(_whole(line.get("amount")) for line in group)),
        tax=_whole(sum(invoice_lines.inclusive_tax(line) for line in group)),
        discounts=tuple((discount, _whole(amount)) for discount, amount in sorted(taken.items())),
    )


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not abs(value) <= LARGEST:
        raise Unreadable(f"an invoice line's amount is {value!r}")
    return value


def _name(obj: StripeObject) -> str:
    return id_of(obj) or "an object without an id"


def _currency(value: Any, name: str) -> str:
    currency = value.lower() if isinstance(value, str) else ""
    if not is_currency(currency):
        raise Unreadable(f"{name} is in {value!r}, which is no currency")
    return currency


def _seconds(value: Any) -> int | None:
    """A time of Stripe's; raises Unreadable where it is none that a calendar has."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not 0 <= value < LAST_SECOND:
        raise Unreadable(f"{value!r} is no time: Stripe's are seconds since 1970")
    return int(value)


def _count(value: Any, what: str) -> int:
    """A count that tables hold, and sums of it too. A whole number is one however it is written: 3, "3", 3.0."""
    number = _number(value, what)
    if not isinstance(number, int):
        raise Unreadable(f"{what} is {number}, not a whole number")
    if abs(number) > MOST:
        raise Unreadable(f"{what} is {number}, which is no count of anything")
    return number


def _positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _amount(value: Any, what: str) -> Number:
    amount = _number(value, what)
    if abs(Decimal(amount)) > LARGEST:
        raise Unreadable(f"{what} is beyond 64 bits")
    if Decimal(amount) < 0:
        raise Unreadable(f"{what} is negative: {amount}")
    return amount


def _number(value: Any, what: str) -> Number:
    """An exact number: an integer, or the shortest text of a decimal (of a JSON float, the text that it came as)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str | float | Decimal):
        raise Unreadable(f"{what} is {value!r}, not a number")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise Unreadable(f"{what} is {value!r}, not a number") from None
    if not number.is_finite() or not -LONGEST < number.adjusted() < LONGEST:
        raise Unreadable(f"{what} is {value!r}, which is no amount of anything")
    whole = number.to_integral_value()
    return int(whole) if whole == number else f"{number.normalize():f}"
