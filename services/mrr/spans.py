"""From when each observation of a subscription, or of its customer's discount, holds.

What Stripe stamps takes effect at its stamp: the start at `start_date`, or at `trial_end`; the end at `ended_at` (by
policy at `canceled_at`); a discount at its `start` and its `end`; a pause ends at its `resumes_at`. A quantity, a
price, a pause, `unpaid` carry no time: they hold from the first record that shows them. What began and ended between
two records is known by its stamps. Instants are Unix microseconds.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from services.mrr.evidence import SECOND, with_discounts
from services.mrr.in_force import ALWAYS
from services.mrr.policy import Policy
from services.mrr.terms import CustomerTerms, Discount, Item, SubscriptionTerms
from services.mrr.timeline import Seen, Timeline

DAY = 86_400 * SECOND

COUNTING = frozenset({"active", "past_due"})
COUNTED_BEFORE = frozenset({"unpaid", "canceled"})
ONCE_COUNTING = COUNTING | COUNTED_BEFORE
"""Statuses of a subscription that must have counted before, from its start: it had to pay to get there."""
ENDED = frozenset({"canceled", "incomplete_expired"})


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
    turn = _turn(all_discounts(segment.terms), all_discounts(later, of=kept))
    return segment if turn is None else msgspec.structs.replace(segment, coming=Coming(turn, later, seen))


def all_discounts(terms: SubscriptionTerms, *, of: Container[str] | None = None) -> Iterator[Discount]:
    """The subscription's discounts and those of its items, or of some of them."""
    yield from terms.discounts
    for item in terms.items:
        if of is None or item.id in of:
            yield from item.discounts


def with_discounts_of(later: SubscriptionTerms, items: Iterable[Item]) -> Iterator[Item]:
    """The items with the discounts that the next observation shows on them; those of one that is gone, if it shows
    them at all."""
    on_items = {item.id: item.discounts for item in later.items}
    shown = {discount.id for discount in all_discounts(later)}
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


S = TypeVar("S", Segment, Spell)


def place_at(spans: Sequence[S], instant: int) -> int:
    """The place of the span that an instant lies in; the first where it lies before all of them."""
    place = len(spans) - 1
    while place > 0 and spans[place].start > instant:
        place -= 1
    return place


def span_at(spans: Sequence[S], instant: int) -> S:
    """The span that an instant lies in."""
    return spans[place_at(spans, instant)]
