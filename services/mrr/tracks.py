"""One subscription over time: from when each observation of it holds, and what it is worth at an instant.

What Stripe stamps takes effect at its stamp: the start at `start_date`, or at `trial_end`; the end at `ended_at` (by
policy at `canceled_at`); a discount at its `start` and its `end`; a pause ends at its `resumes_at`. A quantity, a
price, a pause, `unpaid` carry no time: they hold from the first record that shows them. Before its first record a
subscription that was there already is taken to have been as that record shows it, except where invoices tell otherwise.

No status is foreseen: a trial that ended counts once Stripe says that the subscription is active, from its end on.
Instants are Unix microseconds.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from services.mrr.evidence import SECOND, BilledEvidence, Span, with_discounts
from services.mrr.in_force import ALWAYS, Cause
from services.mrr.policy import Policy
from services.mrr.terms import CustomerTerms, Discount, Item, Line, SubscriptionTerms
from services.mrr.timeline import Billed, Seen, Timeline
from services.mrr.valuation import Evidence, Valuation, value

DAY = 86_400 * SECOND
NEVER = 2**63

COUNTING = frozenset({"active", "past_due"})
COUNTED_BEFORE = frozenset({"unpaid", "canceled"})
ONCE_COUNTING = COUNTING | COUNTED_BEFORE
"""Statuses of a subscription that must have counted before, from its start: it had to pay to get there."""
ENDED = frozenset({"canceled", "incomplete_expired"})

NO_VALUE = Valuation((), 0, "subscription")


CUSTOMERS, INVOICES, SUBSCRIPTIONS = "stripe.customer.raw.v1", "stripe.invoice.raw.v1", "stripe.subscription.raw.v1"


def cause_of(seen: Seen, topic: str, at: int, *, history: bool = False) -> Cause:
    """The observation as the cause of a change at an instant; before anybody looked, it is reconstructed."""
    past = (seen.backfilled or history) and at <= seen.observed
    return Cause(seen.observed, topic, seen.version, seen.offset, seen.id, past)


class Coming(msgspec.Struct, frozen=True, gc=False):
    """The next observation's terms, whose discounts hold from `at` on: from where the earliest of them starts that the
    observation before did not show. What it shows no more has ended there."""

    at: int
    terms: SubscriptionTerms
    seen: Seen


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A span of time in which one observation of a subscription holds. `history`: before anybody looked, or between
    two observations, as the later one tells of it.

    `coming`: from when the discounts are the next observation's; `due_since` is when the subscription was first seen
    past due.
    """

    start: int
    terms: SubscriptionTerms
    seen: Seen
    history: bool = False
    due_since: int | None = None
    coming: Coming | None = None

    def turned(self, instant: int) -> Coming | None:
        """The next observation, where its discounts hold already."""
        return self.coming if self.coming is not None and instant >= self.coming.at else None


class Spell(msgspec.Struct, frozen=True, gc=False):
    """A span of time in which a customer gives the discount that one observation of it shows."""

    start: int
    discounts: tuple[Discount, ...]
    seen: Seen


def spells(timeline: Timeline[CustomerTerms]) -> list[Spell]:
    """The customer's discounts over time; before its first record the customer was as that record shows it."""
    found: list[Spell] = []
    for run in timeline:
        own = (run.terms.discount,) if run.terms.discount else ()
        start = ALWAYS
        if found:
            turn = _turn(found[-1].discounts, own)
            observed = run.first.observed
            start = max(found[-1].start, observed if turn is None else min(turn, observed))
        found.append(Spell(start, own, run.first))
    return found


def _turn(known: Iterable[Discount], later: Iterable[Discount]) -> int | None:
    """When the earliest discount starts that the next observation shows for the first time: from then, not from when
    it was seen, the next one's discounts hold."""
    ids = {discount.id for discount in known}
    starts = [discount.start for discount in later if discount.start is not None and discount.id not in ids]
    return min(starts) * SECOND if starts else None


def segments(timeline: Timeline[SubscriptionTerms], policy: Policy) -> list[Segment]:
    """From when each observation holds, by Stripe's stamps where there are any."""
    found: list[Segment] = []
    for place, run in enumerate(timeline):
        terms, seen = run.terms, run.first
        if place == 0:
            found += _first_segments(terms, seen)
            continue
        before = timeline[place - 1].terms
        start = _takes_effect(before, terms, seen.observed, policy)
        unseen = _counted_unseen(before, terms, start)
        while len(found) > 1 and found[-1].start > (start if unseen is None else unseen):
            found.pop()
        last = found[-1]
        found[-1] = _with_coming(last, terms, seen)
        if unseen is not None:
            found.append(Segment(unseen, terms, seen, history=True))
        still = terms.status == "past_due" == before.status
        since = last.due_since if still and last.due_since is not None else seen.observed
        found.append(Segment(start, terms, seen, due_since=since if terms.status == "past_due" else None))
    return found


def _first_segments(terms: SubscriptionTerms, seen: Seen) -> list[Segment]:
    due_since = seen.observed if terms.status == "past_due" else None
    if not seen.backfilled and terms.status not in COUNTED_BEFORE:
        return [Segment(ALWAYS, terms, seen, due_since=due_since)]
    return [Segment(ALWAYS, terms, seen, history=True), Segment(seen.observed, terms, seen, due_since=due_since)]


def _with_coming(segment: Segment, later: SubscriptionTerms, seen: Seen) -> Segment:
    kept = {item.id for item in segment.terms.items}
    turn = _turn(_all_discounts(segment.terms), _all_discounts(later, of=kept))
    return segment if turn is None else msgspec.structs.replace(segment, coming=Coming(turn, later, seen))


def _all_discounts(terms: SubscriptionTerms, *, of: Container[str] | None = None) -> Iterator[Discount]:
    """The subscription's discounts and those of its items, or of some of them."""
    yield from terms.discounts
    for item in terms.items:
        if of is None or item.id in of:
            yield from item.discounts


def _with_discounts_of(later: SubscriptionTerms, items: Iterable[Item]) -> Iterator[Item]:
    """The items with the discounts that the next observation shows on them; those of one that is gone, if it shows
    them at all."""
    on_items = {item.id: item.discounts for item in later.items}
    shown = {discount.id for discount in _all_discounts(later)}
    for item in items:
        kept = tuple(discount for discount in item.discounts if discount.id in shown)
        yield with_discounts(item, on_items.get(item.id, kept))


def _takes_effect(before: SubscriptionTerms, now: SubscriptionTerms, observed: int, policy: Policy) -> int:
    """When what an observation shows began, where it differs from the one before in what Stripe stamps."""
    stamp: int | None = None
    if now.status in ENDED:
        stamp = now.ended_at
    elif before.status == "trialing" and now.status not in {"trialing", "unpaid"}:
        stamp = now.trial_end
    elif before.status == "incomplete" and now.status in COUNTING:
        stamp = now.start
    elif policy.churn_at == "cancel_request" and now.leaving and not before.leaving:
        stamp = now.canceled_at
    return observed if stamp is None else min(stamp * SECOND, observed)


def _counted_unseen(before: SubscriptionTerms, now: SubscriptionTerms, ends: int) -> int | None:
    """From when it counted, until `ends`, where neither observation shows that it ever did; None where it did not.

    A trial that ends in nothing ends the subscription with it, and Stripe lets one that is incomplete expire within a
    day: what went on for longer was paid for.
    """
    if now.status not in COUNTED_BEFORE or before.status not in {"trialing", "incomplete"}:
        return None
    begins = max(now.start, now.trial_end or 0) * SECOND
    return begins if ends - begins > DAY else None


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A subscription at an instant at which it counts: what holds, and what that is worth. `inherited`: the discounts
    are its customer's."""

    segment: Segment
    evidence: Evidence
    discounts: tuple[Discount, ...]
    inherited: bool
    worth: Valuation


@dataclass(slots=True)
class Track:
    """A subscription over time, under one policy. `points` are the instants at which its worth may change."""

    id: str
    policy: Policy
    segments: list[Segment]
    spells: list[Spell]
    billed: Billed
    known: Mapping[str, Discount]
    evidence: BilledEvidence
    _moments: dict[int, Moment | None] = field(default_factory=dict)
    _latest: Moment | None = None

    def currency_at(self, instant: int) -> str:
        """The currency it is billed in at an instant."""
        return _span_at(self.segments, instant).terms.currency

    def points(self) -> dict[int, Cause]:
        """The instants at which the worth may change, each with the record that tells of it (of several the first)."""
        found: dict[int, Cause] = {}
        for at, cause in self._candidates():
            old = found.get(at)
            if old is None or cause.rank() < old.rank():
                found[at] = cause
        for segment in self.segments:
            if segment.history:  # an earlier record may have shown that stamp, but not that it counted from there
                found[segment.start] = cause_of(segment.seen, SUBSCRIPTIONS, segment.start, history=True)
        found.pop(ALWAYS, None)
        return found

    def at(self, instant: int) -> Valuation:
        """The worth at an instant."""
        moment = self._moment(instant)
        return NO_VALUE if moment is None else moment.worth

    def behind(self, instant: int, item: str) -> tuple[Cause, ...]:
        """The records that an item's worth was read from: the subscription's, and where they bear on it its invoice's
        and its customer's."""
        moment = self._moment(instant)
        if moment is None:
            return ()
        seen = moment.segment.seen
        found = [cause_of(seen, SUBSCRIPTIONS, instant, history=moment.segment.history)]
        if (turned := moment.segment.turned(instant)) is not None:
            found.append(cause_of(turned.seen, SUBSCRIPTIONS, instant))
        lines = self._lines_behind(moment.evidence, item, moment.discounts)
        found += [Cause(seen.observed, INVOICES, line.version, line.offset, "") for line in lines]
        if moment.inherited:
            found.append(cause_of(_span_at(self.spells, instant).seen, CUSTOMERS, instant))
        return tuple(found) if len(found) == 1 else tuple(dict.fromkeys(found))

    def _moment(self, instant: int) -> Moment | None:
        """What holds at an instant; None where it does not count."""
        if instant not in self._moments:
            self._moments[instant] = self._look_at(instant)
        return self._moments[instant]

    def _look_at(self, instant: int) -> Moment | None:
        place = _place_at(self.segments, instant)
        segment = self.segments[place]
        if not self._counts(segment, instant):
            return None
        turned = segment.turned(instant)
        own = self._holding((segment if turned is None else turned).terms.discounts, instant)
        discounts = own or self._inherited(instant)
        evidence = self._evidence_at(instant, place)
        worth = self._worth(evidence, discounts, segment.terms.currency)
        moment = self._latest = Moment(segment, evidence, discounts, not own and bool(discounts), worth)
        return moment

    def _worth(self, evidence: Evidence, discounts: tuple[Discount, ...], currency: str) -> Valuation:
        """Valued anew where it is not what it was at the instant that was looked at before."""
        latest = self._latest
        basis = evidence, discounts, currency
        if latest is not None and basis == (latest.evidence, latest.discounts, latest.segment.terms.currency):
            return latest.worth
        return value(evidence, discounts, self.policy, currency=currency)

    def _lines_behind(self, evidence: Evidence, item: str, discounts: Sequence[Discount]) -> Iterator[Line]:
        """The invoice lines that an item's amount, its tax, and the discounts that cannot be read are taken from."""
        yield from (lines[item] for lines in (evidence.lines, evidence.taxes) if item in lines)
        items_own = next((one.discounts for one in evidence.items if one.id == item), ())
        for discount in (*items_own, *discounts):
            if not discount.readable and self.policy.discounts.counts(discount.duration):
                line = self.evidence.inferred_by.get(discount.id)
                if line is not None:
                    yield line

    def _evidence_at(self, instant: int, place: int) -> Evidence:
        segment = self.segments[place]
        history = segment.history and place == 0
        told = self.evidence.billed.lines and (self.evidence.needed or history)
        if not told and not segment.terms.cut:
            return Evidence(self._items_of(segment, instant), inferred=self.evidence.inferred)
        end = self.segments[place + 1].start if place + 1 < len(self.segments) else NEVER
        return self.evidence.at(self._items_at, segment.terms, instant, Span(segment.start, end, history))

    def _items_at(self, instant: int) -> tuple[Item, ...]:
        return self._items_of(_span_at(self.segments, instant), instant)

    def _items_of(self, segment: Segment, instant: int) -> tuple[Item, ...]:
        items = segment.terms.items
        if segment.history and len(items) > 1:
            oldest = min(item.created for item in items)
            items = tuple(item for item in items if item.created == oldest or item.created * SECOND <= instant)
        if (turned := segment.turned(instant)) is not None:
            items = tuple(_with_discounts_of(turned.terms, items))
        if [item for item in items if item.discounts]:
            items = tuple(with_discounts(item, self._holding(item.discounts, instant)) for item in items)
        return items

    def _counts(self, segment: Segment, instant: int) -> bool:
        """Whether the subscription counts at an instant: the gate in front of every worth."""
        terms = segment.terms
        begins = max(terms.start, terms.trial_end or 0) * SECOND
        if self.policy.activate_at == "first_payment" and self.billed.complete:
            paid = self.billed.first_paid_at
            if paid is None:
                return False
            begins = max(begins, paid * SECOND)
        if instant < begins or instant >= self._ends(terms):
            return False
        if segment.history:
            return terms.status in ONCE_COUNTING and (terms.status != "canceled" or terms.ended_at is not None)
        return (
            terms.status in COUNTING and not _is_paused(terms, instant) and not self._is_beyond_grace(segment, instant)
        )

    def _ends(self, terms: SubscriptionTerms) -> int:
        end = NEVER if terms.ended_at is None else terms.ended_at * SECOND
        if self.policy.churn_at == "cancel_request" and terms.leaving and terms.canceled_at is not None:
            return min(end, terms.canceled_at * SECOND)
        return end

    def _grace_ends(self, segment: Segment) -> int | None:
        days = self.policy.past_due_grace_days
        return None if days is None or segment.due_since is None else segment.due_since + days * DAY

    def _is_beyond_grace(self, segment: Segment, instant: int) -> bool:
        ends = self._grace_ends(segment)
        return ends is not None and instant >= ends

    def _holding(self, discounts: Sequence[Discount], instant: int) -> tuple[Discount, ...]:
        return tuple(d for raw in discounts if (d := self.known.get(raw.id, raw)).holds(instant)) if discounts else ()

    def _inherited(self, instant: int) -> tuple[Discount, ...]:
        return self._holding(_span_at(self.spells, instant).discounts, instant) if self.spells else ()

    def _candidates(self) -> Iterator[tuple[int, Cause]]:
        for place, segment in enumerate(self.segments):
            for at in self._stamps(segment, first=place == 0):
                yield at, cause_of(segment.seen, SUBSCRIPTIONS, at, history=segment.history)
            if (coming := segment.coming) is not None:
                for at in self._edges(_all_discounts(coming.terms)):
                    yield at, cause_of(coming.seen, SUBSCRIPTIONS, at)
        for spell in self.spells:
            for at in (spell.start, *self._edges(spell.discounts)):
                yield at, cause_of(spell.seen, CUSTOMERS, at)
        first = self.segments[0]
        for line in self.evidence.lines_that_matter(first.seen.observed if first.history else None):
            at = line.start * SECOND
            past = first.history and at <= first.seen.observed
            yield at, Cause(max(at, first.seen.observed), INVOICES, line.version, line.offset, first.seen.id, past)
            if past:
                yield line.end * SECOND, cause_of(first.seen, SUBSCRIPTIONS, line.end * SECOND, history=True)

    def _stamps(self, segment: Segment, *, first: bool) -> Iterator[int]:
        terms = segment.terms
        yield segment.start
        if first:
            yield terms.start * SECOND
        for at in (terms.trial_end, terms.ended_at, terms.canceled_at if terms.leaving else None, terms.resumes_at):
            if at is not None:
                yield at * SECOND
        if self.billed.first_paid_at is not None and self.policy.activate_at == "first_payment":
            yield self.billed.first_paid_at * SECOND
        if (grace := self._grace_ends(segment)) is not None:
            yield grace
        yield from self._edges(_all_discounts(terms))

    def _edges(self, discounts: Iterable[Discount]) -> Iterator[int]:
        for raw in discounts:
            discount = self.known.get(raw.id, raw)
            for at in (discount.start, discount.end):
                if at is not None:
                    yield at * SECOND


def _is_paused(terms: SubscriptionTerms, instant: int) -> bool:
    """Whether what falls due is not collected for good; drafts that are kept will be."""
    over = terms.resumes_at is not None and instant >= terms.resumes_at * SECOND
    return terms.pause not in {"", "keep_as_draft"} and not over


S = TypeVar("S", Segment, Spell)


def _place_at(spans: Sequence[S], instant: int) -> int:
    """The place of the span that an instant lies in; the first where it lies before all of them."""
    place = len(spans) - 1
    while place > 0 and spans[place].start > instant:
        place -= 1
    return place


def _span_at(spans: Sequence[S], instant: int) -> S:
    """The span that an instant lies in."""
    return spans[_place_at(spans, instant)]
