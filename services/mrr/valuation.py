"""What a subscription's items are worth a month, exactly, and by which steps.

    gross     unit amount × quantity (or the tiers', or the latest whole-period invoice line) × month factor
    discounts the item's own, then the subscription's or its customer's: percentages first, compounding; then amounts,
              which belong to an invoice, so they come off once per billing interval, shared over the items
    tax       an inclusive one is taken out

Nothing is rounded here, nothing is below zero, and whether the subscription counts at all is decided elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Literal

from services.mrr.policy import Policy
from services.mrr.terms import Discount, Item, Line, Price, fraction

Basis = Literal["subscription", "invoice", "unknown", "identify"]
ZERO = Fraction(0)
_LARGEST = 2**53
"""No item is worth as much as this a month: so sums over a thousand such still fit the 64 bits of a column."""


@dataclass(slots=True)
class ItemValue:
    """An item's worth: exact minor units a month. `steps` says how it came about, where that was asked for.

    `basis`: by the subscription's own terms; by an invoice, where those could not be read; `unknown` where neither
    could, so that it is too low by whatever could not be read; `identify` where the product says so.
    """

    item: str
    price: str
    quantity: int
    exact: Fraction
    basis: Basis
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Valuation:
    """A subscription's worth: its items', which add up to `exact`."""

    items: tuple[ItemValue, ...]
    exact: Fraction
    basis: Basis


@dataclass(frozen=True, slots=True)
class Evidence:
    """The items to be valued, and what invoices tell where their terms cannot be read.

    `lines`: the whole-period line that stands for an item's price and quantity, by its id; `taxes`: the line that shows
    which share of an item's amount is tax, by its id; `inferred`: what an unreadable discount must be, by its id.
    """

    items: tuple[Item, ...]
    lines: Mapping[str, Line] = field(default_factory=dict)
    taxes: Mapping[str, Line] = field(default_factory=dict)
    inferred: Mapping[str, Discount] = field(default_factory=dict)


def value(
    evidence: Evidence, discounts: Sequence[Discount], policy: Policy, *, currency: str, explain: bool = False
) -> Valuation:
    """Value the items with the discounts that hold. `discounts` are the subscription's or its customer's.

    An item worth 2**53 minor units a month or more is not counted and marked unknown: no sum of such fits a table.
    """
    items = evidence.items
    values = [_gross(item, policy, evidence, explain=explain) for item in items]
    for item, worth in zip(items, values, strict=True):
        if item.discounts:
            _discount([(item, worth)], item.discounts, policy, currency, evidence, explain=explain)
    if discounts:
        _discount(list(zip(items, values, strict=True)), discounts, policy, currency, evidence, explain=explain)
    for item, worth in zip(items, values, strict=True):
        # most prices leave it unsaid whether a tax is inside; a rate, and an invoice, say it themselves
        if item.price.inclusive or item.tax or item.id in evidence.taxes:
            _take_tax_out(item, worth, evidence, explain=explain)
        if worth.exact >= _LARGEST:
            worth.exact, worth.basis = ZERO, "unknown"
            worth.steps.append("too large for any table: not counted")
    return Valuation(tuple(values), total([worth.exact for worth in values]), worst(worth.basis for worth in values))


def total(parts: Sequence[Fraction]) -> Fraction:
    """Their exact sum. Of one it is that one: adding fractions is what costs most here."""
    return parts[0] if len(parts) == 1 else sum(parts, ZERO)


def worst(bases: Iterable[Basis]) -> Basis:
    """The basis of a sum: that of its least certain part."""
    found = set(bases)
    if "unknown" in found:
        return "unknown"
    if "invoice" in found:
        return "invoice"
    return "identify" if found == {"identify"} else "subscription"


def _gross(item: Item, policy: Policy, evidence: Evidence, *, explain: bool) -> ItemValue:
    price = item.price
    worth = ItemValue(item.id, price.id, item.quantity, ZERO, "subscription")
    if price.metered or not price.interval:
        if explain:
            worth.steps.append("metered: not counted" if price.metered else "not recurring: not counted")
        return worth
    line = evidence.lines.get(item.id)
    amount = None if line is not None else period_amount(price, item.quantity)
    if amount is not None:
        factor = policy.month_factor(price.interval, price.count)
        worth.exact = amount if factor == 1 else amount * factor
        if explain:
            worth.steps += [_priced(price, item.quantity, amount), _factored(factor, f"{price.count} {price.interval}")]
    elif line is not None:
        _from_line(worth, price, line, policy, explain=explain)
    else:
        worth.basis = "unknown"
        worth.steps.append(f"the amount of {price.id} cannot be read, and no invoice tells it yet: not counted")
    return worth


def _from_line(worth: ItemValue, price: Price, line: Line, policy: Policy, *, explain: bool) -> None:
    same = line.price == price.id
    interval, count = (price.interval, price.count) if same else span_of(line.start, line.end)
    factor = policy.month_factor(interval, count)
    worth.exact, worth.basis, worth.price = line.amount * factor, "invoice", line.price
    if explain:
        day = datetime.fromtimestamp(line.start, UTC).date()
        worth.steps += [f"invoice line of {day}: {line.amount}", _factored(factor, f"{count} {interval}")]


def period_amount(price: Price, quantity: int) -> Fraction | None:
    """What a quantity costs for one billing interval, in minor units; None where the price does not tell."""
    if price.mode in {"graduated", "volume"}:
        return None if price.tiers is None else _tiered(price, _transformed(price, quantity))
    if price.unit is None or price.mode:
        return None
    unit = price.unit
    units = quantity if price.divide_by == 1 else _transformed(price, quantity)
    return Fraction(unit * units) if isinstance(unit, int) else fraction(unit) * units


def _transformed(price: Price, quantity: int) -> int:
    whole, rest = divmod(quantity, price.divide_by)
    return whole + 1 if rest and price.round_up else whole


def _tiered(price: Price, quantity: int) -> Fraction | None:
    tiers = price.tiers or ()
    if price.mode == "volume":
        band = next((tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to), None)
        return None if band is None else fraction(band.unit) * quantity + fraction(band.flat)
    total, below = ZERO, 0
    for place, tier in enumerate(tiers):
        inside = (quantity if tier.up_to is None else min(quantity, tier.up_to)) - below
        if inside <= 0 and place > 0:
            break  # the first band is reached even by nothing: its flat amount is what having the item costs
        total += fraction(tier.unit) * max(inside, 0) + fraction(tier.flat)
        below = quantity if tier.up_to is None else tier.up_to
    return total if below >= quantity else None


def _discount(
    over: Sequence[tuple[Item, ItemValue]],
    discounts: Sequence[Discount],
    policy: Policy,
    currency: str,
    evidence: Evidence,
    *,
    explain: bool,
) -> None:
    """Take the discounts off the items' worths: percentages first, then amounts."""
    amounts = []
    for discount in discounts:
        if not policy.discounts.counts(discount.duration):
            continue
        reached = _restricted(over, discount)
        known = discount if discount.readable else evidence.inferred.get(discount.id)
        if not discount.readable:
            _mark(reached, discount, known)
        if known is not None and known.percent is not None:
            _take_share(reached, known, explain=explain)
        elif known is not None and known.currency in {"", currency}:
            amounts.append(known)
    for known in amounts:
        _take_amount(_restricted(over, known), known, policy, explain=explain)


def _restricted(over: Sequence[tuple[Item, ItemValue]], discount: Discount) -> list[tuple[Item, ItemValue]]:
    return [
        (item, worth)
        for item, worth in over
        if worth.exact and (not discount.products or item.price.product in discount.products)
    ]


def _mark(over: Sequence[tuple[Item, ItemValue]], discount: Discount, inferred: Discount | None) -> None:
    for _, worth in over:
        if inferred is None:
            worth.basis = "unknown"
            worth.steps.append(f"the discount {discount.id} cannot be read, and no invoice tells it yet: not taken off")
        elif worth.basis == "subscription":
            worth.basis = "invoice"


def _take_share(over: Sequence[tuple[Item, ItemValue]], discount: Discount, *, explain: bool) -> None:
    percent = fraction(discount.percent or 0)
    for _, worth in over:
        worth.exact *= 1 - percent / 100
        if explain:
            worth.steps.append(f"− {_text(percent)} % (discount {discount.id})")


def _take_amount(over: Sequence[tuple[Item, ItemValue]], discount: Discount, policy: Policy, *, explain: bool) -> None:
    """Off once an invoice: where items have different intervals there is one as often as the shortest of them."""
    whole = sum((worth.exact for _, worth in over), ZERO)
    if not whole or discount.amount is None:
        return
    factor = max(policy.month_factor(item.price.interval, item.price.count) for item, _ in over)
    off = min(discount.amount * factor, whole)
    for _, worth in over:
        part = off * worth.exact / whole
        worth.exact -= part
        if explain:
            worth.steps.append(f"− {_text(part)} a month (discount {discount.id}: {discount.amount} an invoice)")


def _take_tax_out(item: Item, worth: ItemValue, evidence: Evidence, *, explain: bool) -> None:
    rate = fraction(item.tax)
    line = evidence.taxes.get(item.id)
    billed = ZERO if line is None else Fraction(line.tax, line.amount)
    share = rate / (100 + rate) if rate else billed
    worth.exact *= 1 - share
    if explain and share:
        told = f" of {_text(rate)} %" if rate else ", as its latest invoice shows,"
        worth.steps.append(f"inclusive tax{told} taken out")


def span_of(start: int, end: int) -> tuple[str, int]:
    """The interval and count that a billed period (Unix seconds) is: whole months where the days of the month agree,
    else whole weeks, else days."""
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (start, end))
    months = (ends.year - begins.year) * 12 + ends.month - begins.month
    if months and _are_the_same_day(begins.date(), ends.date()):
        return ("year", months // 12) if months % 12 == 0 else ("month", months)
    days = max(1, round((end - start) / 86_400))
    return ("week", days // 7) if days % 7 == 0 else ("day", days)


def _are_the_same_day(begins: date, ends: date) -> bool:
    """Whether both are the same day of their months: one anchored at the 31st ends shorter months on their last."""
    if ends.day == begins.day:
        return True
    shorter = ends if ends.day < begins.day else begins
    return _is_last_of_month(shorter)


def _is_last_of_month(day: date) -> bool:
    return date.fromordinal(day.toordinal() + 1).month != day.month


def _priced(price: Price, quantity: int, amount: Fraction) -> str:
    if price.mode:
        return f"{quantity} in {price.mode} tiers: {_text(amount)}"
    packs = "" if price.divide_by == 1 else f" in packs of {price.divide_by}"
    return f"{price.unit} × {quantity}{packs}: {_text(amount)}"


def _factored(factor: Fraction, interval: str) -> str:
    return f"× {factor} (every {interval})"


def _text(number: Fraction) -> str:
    """A number for people: whole, or with up to six decimals."""
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.6f}".rstrip("0").rstrip(".")
