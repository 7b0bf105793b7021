"""What a subscription's items are worth a month, exactly, and by which steps.

    gross     unit amount × quantity (or the tiers', or the latest whole-period invoice line) × month factor
    discounts the item's own, then the subscription's or its customer's: percentages first, compounding; then amounts,
              which belong to an invoice, so they come off once per billing interval, shared over the items
    tax       an inclusive one is taken out

Nothing is rounded here, nothing is below zero, and whether the subscription counts at all is decided elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import partial
from typing import Literal

import msgspec

from services.mrr.policy import Policy
from services.mrr.rounding import Exact
from services.mrr.terms import WHOLE, Discount, Item, Line, Price, fraction

Basis = Literal["subscription", "invoice", "unknown", "identify"]
Step = Callable[[], str]
"""Says what was done. It is worded only when it is asked for: most worths are never explained."""
_LARGEST = 2**53
"""No item is worth as much as this a month: so sums over a thousand such still fit the 64 bits of a column."""


@dataclass(slots=True)
class ItemValue:
    """An item's worth: exact minor units a month.

    `basis`: by the subscription's own terms; by an invoice, where those could not be read; `unknown` where neither
    could, so that what could not be read is missing in it, or still in it; `identify` where the product says so.
    """

    item: str
    price: str
    quantity: int
    exact: Exact
    basis: Basis
    how: list[Step] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """How it came about, in words."""
        return [step() for step in self.how]


class Valuation(msgspec.Struct, frozen=True, gc=False):
    """A subscription's worth: its items', which add up to `exact`."""

    items: tuple[ItemValue, ...]
    exact: Exact
    basis: Basis


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """The items to be valued, and what invoices tell where their terms cannot be read.

    `lines`: the whole-period line that stands for an item's price and quantity, by its id; `taxes`: the line that shows
    which share of an item's amount is tax, by its id; `inferred`: what an unreadable discount must be, by its id.
    """

    items: tuple[Item, ...]
    lines: Mapping[str, Line] = {}
    taxes: Mapping[str, Line] = {}
    inferred: Mapping[str, Discount] = {}


def value(evidence: Evidence, discounts: Sequence[Discount], policy: Policy, *, currency: str) -> Valuation:
    """Value the items with the discounts that hold. `discounts` are the subscription's or its customer's.

    An item worth 2**53 minor units a month or more is not counted and marked unknown: no sum of such fits a table.
    """
    items = evidence.items
    values = [_gross(item, policy, evidence) for item in items]
    for item, worth in zip(items, values, strict=True):
        if item.discounts:
            _discount([(item, worth)], item.discounts, policy, currency, evidence)
    if discounts:
        _discount(list(zip(items, values, strict=True)), discounts, policy, currency, evidence)
    for item, worth in zip(items, values, strict=True):
        # most prices leave it unsaid whether a tax is inside; a rate, and an invoice, say it themselves
        if item.price.inclusive or item.tax or item.id in evidence.taxes:
            _take_tax_out(item, worth, evidence)
        if worth.exact >= _LARGEST:
            worth.exact, worth.basis = 0, "unknown"
            worth.how.append(partial(str, "too large for any table: not counted"))
    if len(values) == 1:
        return Valuation((values[0],), values[0].exact, values[0].basis)
    return Valuation(tuple(values), sum(worth.exact for worth in values), worst(worth.basis for worth in values))


def worst(bases: Iterable[Basis]) -> Basis:
    """The basis of a sum: that of its least certain part."""
    found = set(bases)
    if "unknown" in found:
        return "unknown"
    if "invoice" in found:
        return "invoice"
    return "identify" if found == {"identify"} else "subscription"


def _gross(item: Item, policy: Policy, evidence: Evidence) -> ItemValue:
    price = item.price
    worth = ItemValue(item.id, price.id, item.quantity, 0, "subscription")
    if price.metered or not price.interval:
        worth.how.append(partial(str, "metered: not counted" if price.metered else "not recurring: not counted"))
        return worth
    line = evidence.lines.get(item.id)
    amount = None if line is not None else period_amount(price, item.quantity)
    if amount is not None:
        factor = policy.month_factor(price.interval, price.count)
        worth.exact = amount * factor
        worth.how += [
            partial(_priced, price, item.quantity, amount),
            partial(_factored, factor, price.count, price.interval),
        ]
    elif line is not None:
        _from_line(worth, price, line, policy)
    else:
        worth.basis = "unknown"
        worth.how.append(partial(_unread, item))
    return worth


def _from_line(worth: ItemValue, price: Price, line: Line, policy: Policy) -> None:
    same = line.price == price.id
    interval, count = (price.interval, price.count) if same else span_of(line.start, line.end)
    factor = policy.month_factor(interval, count)
    worth.exact, worth.basis, worth.price = line.amount * factor, "invoice", line.price
    worth.how += [partial(_billed, line), partial(_factored, factor, count, interval)]


def period_amount(price: Price, quantity: int) -> Exact | None:
    """What a quantity costs for one billing interval, in minor units; None where the price does not tell."""
    if price.mode in {"graduated", "volume"}:
        return None if price.tiers is None else _tiered(price, _transformed(price, quantity))
    if price.unit is None or price.mode:
        return None
    unit = price.unit
    units = quantity if price.divide_by == 1 else _transformed(price, quantity)
    return unit * units if isinstance(unit, int) else fraction(unit) * units


def _transformed(price: Price, quantity: int) -> int:
    whole, rest = divmod(quantity, price.divide_by)
    return whole + 1 if rest and price.round_up else whole


def _tiered(price: Price, quantity: int) -> Exact | None:
    tiers = price.tiers or ()
    if price.mode == "volume":
        band = next((tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to), None)
        return None if band is None else fraction(band.unit) * quantity + fraction(band.flat)
    total, below = Fraction(0), 0
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
            _take_share(reached, known)
        elif known is not None and known.currency in {"", currency}:
            amounts.append(known)
    for known in amounts:
        _take_amount(_restricted(over, known), known, policy)


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
            worth.how.append(partial(_not_taken_off, discount))
        elif worth.basis == "subscription":
            worth.basis = "invoice"


def _take_share(over: Sequence[tuple[Item, ItemValue]], discount: Discount) -> None:
    percent = fraction(discount.percent or 0)
    for _, worth in over:
        worth.exact *= 1 - percent / 100
        worth.how.append(partial(_share_taken, percent, discount))


def _take_amount(over: Sequence[tuple[Item, ItemValue]], discount: Discount, policy: Policy) -> None:
    """Off once an invoice: where items have different intervals there is one as often as the shortest of them."""
    whole = Fraction(sum(worth.exact for _, worth in over))
    if not whole or discount.amount is None:
        return
    factor = max(policy.month_factor(item.price.interval, item.price.count) for item, _ in over)
    off = min(discount.amount * factor, whole)
    for _, worth in over:
        part = off * worth.exact / whole
        worth.exact -= part
        worth.how.append(partial(_amount_taken, part, discount))


def _take_tax_out(item: Item, worth: ItemValue, evidence: Evidence) -> None:
    rate = fraction(item.tax)
    line = evidence.taxes.get(item.id)
    if line is None and item.tax_untold:
        worth.basis = "unknown"
        worth.how.append(_tax_left_in)
        return
    billed = Fraction(0) if line is None else Fraction(line.tax, line.amount)
    share = rate / (100 + rate) if rate else billed
    worth.exact *= 1 - share
    if share:
        worth.how.append(partial(_tax_taken_out, rate))
        if not rate and worth.basis == "subscription":
            worth.basis = "invoice"


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


def _priced(price: Price, quantity: int, amount: Exact) -> str:
    if price.mode:
        return f"{quantity} in {price.mode} tiers: {_text(amount)}"
    packs = "" if price.divide_by == 1 else f" in packs of {price.divide_by}"
    return f"{price.unit} × {quantity}{packs}: {_text(amount)}"


def _billed(line: Line) -> str:
    return f"invoice line of {datetime.fromtimestamp(line.start, UTC).date()}: {line.amount}"


def _factored(factor: Exact, count: int, interval: str) -> str:
    return f"× {factor} (every {count} {interval})"


def _unread(item: Item) -> str:
    if item.id == WHOLE:
        return "there are more items than Stripe lists in the subscription, and no invoice tells them yet: not counted"
    return f"the amount of {item.price.id} cannot be read, and no invoice tells it yet: not counted"


def _not_taken_off(discount: Discount) -> str:
    return f"the discount {discount.id} cannot be read, and no invoice tells it yet: not taken off"


def _share_taken(percent: Exact, discount: Discount) -> str:
    return f"− {_text(percent)} % (discount {discount.id})"


def _amount_taken(part: Exact, discount: Discount) -> str:
    return f"− {_text(part)} a month (discount {discount.id}: {discount.amount} an invoice)"


def _tax_taken_out(rate: Exact) -> str:
    told = f" of {_text(rate)} %" if rate else ", as its latest invoice shows,"
    return f"inclusive tax{told} taken out"


def _tax_left_in() -> str:
    return "the tax in it cannot be read, and no invoice tells it yet: not taken out"


def _text(number: Exact) -> str:
    """A number for people: whole, or with up to six decimals."""
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.6f}".rstrip("0").rstrip(".")
