"""One subscription over time: what it is worth at an instant, and the instants at which that may change.

Before its first record a subscription that was there already is taken to have been as that record shows it, except
where invoices tell otherwise. No status is foreseen: a trial that ended counts once Stripe says that the subscription
is active, from its end on. Instants are Unix microseconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from services.mrr.evidence import SECOND, BilledEvidence, Span, with_discounts
from services.mrr.in_force import ALWAYS, Cause
from services.mrr.policy import Policy
from services.mrr.spans import (
    COUNTING,
    DAY,
    ONCE_COUNTING,
    Segment,
    Spell,
    all_discounts,
    place_at,
    span_at,
    with_discounts_of,
)
from services.mrr.terms import Discount, Item, Line, SubscriptionTerms
from services.mrr.timeline import Billed, Seen
from services.mrr.valuation import Evidence, Valuation, value

NEVER = 2**63
NO_VALUE = Valuation((), 0, "subscription")
CUSTOMERS, INVOICES, SUBSCRIPTIONS = "stripe.customer.raw.v1", "stripe.invoice.raw.v1", "stripe.subscription.raw.v1"


def cause_of(seen: Seen, topic: str, at: int, *, history: bool = False) -> Cause:
    """The observation as the cause of a change at an instant; before anybody looked, it is reconstructed."""
    past = (seen.backfilled or history) and at <= seen.observed
    return Cause(seen.observed, topic, seen.version, seen.offset, seen.id, past)


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
        return span_at(self.segments, instant).terms.currency

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
            found.append(cause_of(span_at(self.spells, instant).seen, CUSTOMERS, instant))
        return tuple(found) if len(found) == 1 else tuple(dict.fromkeys(found))

    def _moment(self, instant: int) -> Moment | None:
        """What holds at an instant; None where it does not count."""
        if instant not in self._moments:
            self._moments[instant] = self._look_at(instant)
        return self._moments[instant]

    def _look_at(self, instant: int) -> Moment | None:
        place = place_at(self.segments, instant)
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
        return self._items_of(span_at(self.segments, instant), instant)

    def _items_of(self, segment: Segment, instant: int) -> tuple[Item, ...]:
        items = segment.terms.items
        if segment.history and len(items) > 1:
            oldest = min(item.created for item in items)
            items = tuple(item for item in items if item.created == oldest or item.created * SECOND <= instant)
        if (turned := segment.turned(instant)) is not None:
            items = tuple(with_discounts_of(turned.terms, items))
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
        return self._holding(span_at(self.spells, instant).discounts, instant) if self.spells else ()

    def _candidates(self) -> Iterator[tuple[int, Cause]]:
        for place, segment in enumerate(self.segments):
            for at in self._stamps(segment, first=place == 0):
                yield at, cause_of(segment.seen, SUBSCRIPTIONS, at, history=segment.history)
            if (coming := segment.coming) is not None:
                for at in self._edges(all_discounts(coming.terms)):
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
        if first or terms.start * SECOND > segment.start:
            yield terms.start * SECOND
        for at in (terms.trial_end, terms.ended_at, terms.canceled_at if terms.leaving else None, terms.resumes_at):
            if at is not None:
                yield at * SECOND
        if self.billed.first_paid_at is not None and self.policy.activate_at == "first_payment":
            yield self.billed.first_paid_at * SECOND
        if (grace := self._grace_ends(segment)) is not None:
            yield grace
        yield from self._edges(all_discounts(terms))

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
