"""What a subscription's invoices tell of its items where its own terms do not.

An invoice line stands for an item whose tiers or amount Stripe did not show, for the items that a long subscription
does not carry, and, before the connection, for a price that was another one then. Everything taken from here is marked.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from services.mrr.rounding import half_up
from services.mrr.terms import WHOLE, Discount, InvoiceTerms, Item, Line, Price, SubscriptionTerms
from services.mrr.timeline import Billed, Facts
from services.mrr.valuation import Evidence, period_amount, span_of

NO_BILL = Billed()
SECOND = 1_000_000
"""Instants are Unix microseconds; Stripe's times are seconds."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """A span of time, [start, end), in which the same terms hold. `history`: before anybody looked."""

    start: int
    end: int
    history: bool

    def nearest(self, lines: Sequence[Line], instant: int) -> Line:
        """Of the lines of one item, by their start: the latest that had started; where that is older than the terms,
        the first that bills by them; before the first, the first."""
        started = [line for line in lines if line.start * SECOND <= instant]
        if started and started[-1].start * SECOND >= self.start:
            return started[-1]
        later = (line for line in lines if self.start <= line.start * SECOND < self.end)
        return next(later, None) or (started[-1] if started else lines[0])


@dataclass(slots=True)
class BilledEvidence:
    """The evidence of one subscription. `inferred` and the lines it is `inferred_by` hold for its customer: see
    `infer_discounts`.

    `needed` says whether lines stand for terms at any time; else they tell of history alone.
    """

    billed: Billed
    needed: bool
    inferred: dict[str, Discount] = field(default_factory=dict)
    inferred_by: dict[str, Line] = field(default_factory=dict)
    _by_item: dict[str, list[Line]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_item = {}
        for line in self.billed.lines:  # by item, then by start
            self._by_item.setdefault(line.item, []).append(line)

    def at(
        self, items_at: Callable[[int], tuple[Item, ...]], terms: SubscriptionTerms, instant: int, span: Span
    ) -> Evidence:
        """The items to be valued at an instant, and what stands for what cannot be read of them: to be asked where
        lines are needed, also if there are none yet, or of history.

        `items_at` gives the items that the object carried at an instant; `span` is that in which the terms hold.
        """
        items = items_at(instant)
        told = self._lines_at(instant, span)
        if span.history and WHOLE not in told:
            items, lines = _as_billed(items, {item: line for item, line in told.items() if _covers(line, instant)})
        else:
            lines = {}
        if terms.cut:
            items, told = self._with_hidden(items, told | self._whole_at(instant, terms, span), items_at)
        unreadable = [item for item in items if _is_unreadable(item)]
        lines |= {item.id: told[item.id] for item in unreadable if item.id in told}
        if without := [item for item in unreadable if item.id not in told]:
            lines |= self._of_the_rest(without, items, self._whole_at(instant, terms, span).get(WHOLE), items_at)
        return Evidence(items, lines, dict(_taxes(items, told)), self.inferred)

    def lines_that_matter(self, connected: int | None) -> Iterator[Line]:
        """Lines at whose start a worth may change: all where they are needed, else those before the connection."""
        for line in self.billed.lines:
            if self.needed or (connected is not None and line.start * SECOND <= connected):
                yield line

    def _lines_at(self, instant: int, span: Span) -> dict[str, Line]:
        """Each item's line that tells most of an instant."""
        return {item: span.nearest(lines, instant) for item, lines in self._by_item.items()}

    def _whole_at(self, instant: int, terms: SubscriptionTerms, span: Span) -> dict[str, Line]:
        """The whole that tells most, in which no usage hides, or may; none before the first began."""
        metered = any(item.price.metered for item in terms.items)
        clean = [
            line
            for line in self.billed.lines
            if line.item == WHOLE
            and (line.usage or not metered or line.start <= max(terms.start, terms.trial_end or 0))
        ]
        return {WHOLE: span.nearest(clean, instant)} if clean and clean[0].start * SECOND <= instant else {}

    def _with_hidden(
        self, items: tuple[Item, ...], told: dict[str, Line], items_at: Callable[[int], tuple[Item, ...]]
    ) -> tuple[tuple[Item, ...], dict[str, Line]]:
        """The items with those that the object does not carry: each by its line, or all by what is left of the whole;
        where no line tells of any, one that stands for them and cannot be read.

        What is left is what the invoice billed less what it billed for the carried items, or where it does not show
        that, less what they cost when it began.
        """
        whole = told.get(WHOLE)
        if whole is None:
            present = {item.id for item in items}
            hidden = [_item_of(line) for item, line in told.items() if item not in present]
            return (*items, *(hidden or [_untold(items)])), told
        billed = {line.item: line.amount for line in self.billed.lines if line.start == whole.start}
        carried = sum(billed.get(item.id, _billed_for(item, told)) for item in items_at(whole.start * SECOND))
        rest = msgspec.structs.replace(whole, amount=max(0, whole.amount - carried))
        return (*items, _item_of(rest)), {**told, WHOLE: rest}

    def _of_the_rest(
        self,
        without: Sequence[Item],
        items: Sequence[Item],
        whole: Line | None,
        items_at: Callable[[int], tuple[Item, ...]],
    ) -> Iterator[tuple[str, Line]]:
        """Lines for items that can neither be read nor have one: all that an invoice billed beside the others.

        The first of them stands for all, and none where what is hidden stands for them already.
        """
        if whole is None:
            return
        began = items_at(whole.start * SECOND)
        known = {item.id for item in began}
        others = [*began, *(item for item in items if item.id not in known and item.created <= whole.start)]
        billed = {line.item: line.amount for line in self.billed.lines if line.start == whole.start}
        rest = whole.amount - sum(billed.get(item.id, _billed_for(item, {})) for item in others)
        shown_apart = any(item.id == WHOLE for item in items)
        for place, item in enumerate(without):
            amount = 0 if shown_apart or place else max(0, rest)
            yield item.id, msgspec.structs.replace(whole, item=item.id, price=item.price.id, amount=amount)


def _covers(line: Line, instant: int) -> bool:
    return line.start * SECOND <= instant < line.end * SECOND


def tells_of_history(billed: Billed, terms: SubscriptionTerms) -> bool:
    """Whether an invoice shows another price, quantity or item than these terms: else history needs no invoice."""
    items = {item.id: item for item in terms.items}
    return any(line.item not in items or not _is_at_todays_price(items[line.item], line) for line in billed.lines)


def bears(before: Facts, facts: Facts, invoice: InvoiceTerms) -> bool:
    """Whether the lines of an invoice that is among these facts, and was not before, may change the ledger.

    Most only bill what the subscription says itself. Where another invoice tells of another price, one at today's may
    end that price; and a newer version of an invoice may take back the tax that an older one showed.
    """
    if any(line.discounts for line in invoice.lines):
        return True
    timeline = next((runs for name, runs in facts.subscriptions if name == invoice.subscription), ())
    told, told_before = (
        next((billed for name, billed in known.bills if name == invoice.subscription), NO_BILL)
        for known in (facts, before)
    )
    return any(
        needs_invoices(run.terms, told) or needs_invoices(run.terms, told_before) or tells_of_history(told, run.terms)
        for run in timeline
    )


def needs_invoices(terms: SubscriptionTerms, billed: Billed) -> bool:
    """Whether something of these terms can only be valued from an invoice: of a tax, where the price holds one, or
    leaves it unsaid and a line shows one inside."""
    if terms.cut:
        return True
    taxed = [line.item for line in billed.lines if line.tax]
    for item in terms.items:
        if _is_unreadable(item) or (not item.tax and (item.price.inclusive or item.id in taxed)):
            return True
    return False


def _is_unreadable(item: Item) -> bool:
    price = item.price
    if price.unit is not None and not price.mode:
        return False
    return bool(price.interval) and not price.metered and period_amount(price, item.quantity) is None


def _as_billed(items: Sequence[Item], covering: dict[str, Line]) -> tuple[tuple[Item, ...], dict[str, Line]]:
    """The items as they were billed then: at the line's amount where it is not today's, with those gone since."""
    lines = {}
    for item in items:
        line = covering.get(item.id)
        if line is not None and not _is_at_todays_price(item, line):
            lines[item.id] = line
    present = {item.id for item in items}
    gone = [line for item, line in covering.items() if item not in present]
    return (*items, *map(_item_of, gone)), lines | {line.item: line for line in gone}


def _is_at_todays_price(item: Item, line: Line) -> bool:
    today = period_amount(item.price, item.quantity)
    return item.price.metered or (line.price == item.price.id and today is not None and half_up(today) == line.amount)


def _item_of(line: Line) -> Item:
    """An item that only an invoice knows."""
    interval, count = span_of(line.start, line.end)
    return Item(line.item, 0, Price(line.price, "", interval, count, None, inclusive=line.tax > 0))


def _untold(items: Sequence[Item]) -> Item:
    """An item for those that neither the object nor an invoice tells of: billed as often as one that is carried, so
    that an amount off comes off as often as without it."""
    of = next((item.price for item in items if item.price.interval), None)
    interval, count = ("month", 1) if of is None else (of.interval, of.count)
    return Item(WHOLE, 0, Price("", "", interval, count, None))


def _billed_for(item: Item, told: dict[str, Line]) -> int:
    """What an invoice bills beforehand for an item that the object carries."""
    if item.price.metered:
        return 0
    own = period_amount(item.price, item.quantity)
    if own is not None:
        return half_up(own)
    return told[item.id].amount if item.id in told else 0


def _taxes(items: Iterable[Item], told: dict[str, Line]) -> Iterator[tuple[str, Line]]:
    for item in items:
        line = told.get(item.id)
        if not item.tax and line is not None and line.amount and (line.tax or item.tax_untold):
            yield item.id, line


def with_discounts(item: Item, discounts: tuple[Discount, ...]) -> Item:
    """The item with these discounts instead of its own."""
    return item if discounts == item.discounts else msgspec.structs.replace(item, discounts=discounts)


def infer_discounts(bills: Iterable[Billed], unread: set[str]) -> dict[str, tuple[Discount, Line]]:
    """What the discounts that cannot be read must be, by what each took off the lines of its latest invoice, of which
    the last is named.

    A whole percentage where that gives every line's amount to the unit, else that amount an invoice.
    """
    latest: dict[str, tuple[Line, list[tuple[int, int]]]] = {}
    for line in (line for billed in bills for line in billed.lines):
        for discount, taken in line.discounts:
            known, parts = latest.get(discount, (line, []))
            if discount in unread and line.start >= known.start:
                latest[discount] = line, [*(parts if line.start == known.start else []), (taken, line.amount)]
    return {discount: (_inferred(discount, parts), line) for discount, (line, parts) in latest.items()}


def _inferred(discount: str, parts: Sequence[tuple[int, int]]) -> Discount:
    taken, whole = (sum(column) for column in zip(*parts, strict=True))
    percent = half_up(Fraction(100 * taken, whole))
    if all(half_up(Fraction(amount * percent, 100)) == part for part, amount in parts):
        return Discount(discount, percent=percent)
    return Discount(discount, amount=taken)
