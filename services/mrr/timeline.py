"""What was seen of a customer's objects, and when: the set of facts that the ledger is a function of.

Merging is commutative and idempotent: a timeline is in the order of versions, whatever the order of arrival, and a
version that is there already changes nothing. An observation that a newer version contradicts (seen earlier than it,
by a poller that had lost its lease) counts for nothing. Consecutive observations with the same terms are one run.
Times are Unix microseconds.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from services.mrr.terms import CustomerTerms, InvoiceTerms, Line, Said, SubscriptionTerms

T = TypeVar("T")


class Seen(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One observation of an object: the record that holds it. `backfilled`: it was there before it was first read."""

    observed: int
    version: int
    offset: int
    id: str
    backfilled: bool = False


class Run(msgspec.Struct, Generic[T], frozen=True, gc=False, array_like=True):
    """Consecutive observations of one object that bear the same terms, oldest first."""

    terms: T
    seen: tuple[Seen, ...]

    @property
    def first(self) -> Seen:
        return self.seen[0]


Timeline = tuple[Run[T], ...]


def observe(timeline: Timeline[T], seen: Seen, terms: T) -> Timeline[T]:
    """The timeline with an observation; the same object where it tells nothing."""
    if not timeline:
        return (Run(terms, (seen,)),)
    last = timeline[-1]
    newest = last.seen[-1]
    if seen.version <= newest.version or seen.observed < newest.observed:
        return _insert(timeline, seen, terms)
    if last.terms == terms:
        return (*timeline[:-1], Run(terms, (*last.seen, seen)))
    return (*timeline, Run(terms, (seen,)))


def _insert(timeline: Timeline[T], seen: Seen, terms: T) -> Timeline[T]:
    known = [(one, run.terms) for run in timeline for one in run.seen]
    if any(one.version == seen.version for one, _ in known):
        return timeline
    ordered = sorted([*known, (seen, terms)], key=lambda pair: pair[0].version)
    kept = list(_uncontradicted(ordered))
    return timeline if kept == known else _runs(kept)


def _uncontradicted(ordered: list[tuple[Seen, T]]) -> Iterable[tuple[Seen, T]]:
    kept: list[tuple[Seen, T]] = []
    earliest = None
    for pair in reversed(ordered):
        if earliest is None or pair[0].observed <= earliest:
            earliest = pair[0].observed
            kept.append(pair)
    return reversed(kept)


def _runs(ordered: Iterable[tuple[Seen, T]]) -> Timeline[T]:
    runs: list[Run[T]] = []
    for seen, terms in ordered:
        if runs and runs[-1].terms == terms:
            runs[-1] = Run(terms, (*runs[-1].seen, seen))
        else:
            runs.append(Run(terms, (seen,)))
    return tuple(runs)


class Billed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a subscription's invoices told: whole-period lines by item and start, and when one was first paid.

    `complete`: the invoice it began with was read, so `first_paid_at` is really the first.
    """

    lines: tuple[Line, ...] = ()
    first_paid_at: int | None = None
    complete: bool = False


class Facts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that is known of one customer, or user, and bears on MRR.

    Subscriptions and their bills are in the order of ids; what was `said` of a user in that of time.
    """

    customer: tuple[Run[CustomerTerms], ...] = ()
    subscriptions: tuple[tuple[str, tuple[Run[SubscriptionTerms], ...]], ...] = ()
    bills: tuple[tuple[str, Billed], ...] = ()
    said: tuple[Said, ...] = ()


class Merged(msgspec.Struct, frozen=True, gc=False):
    """Facts with one more.

    `bears`: the ledger may be another now; else the fact was only seen once more. `pays`: it tells of a payment,
    which bears on the ledger only by a policy that counts from the first one.
    """

    facts: Facts
    bears: bool
    pays: bool = False


def with_customer(facts: Facts, seen: Seen, terms: CustomerTerms) -> Merged:
    """The facts with an observation of the customer."""
    timeline = observe(facts.customer, seen, terms)
    if timeline is facts.customer:
        return Merged(facts, bears=False)
    merged = Facts(timeline, facts.subscriptions, facts.bills, facts.said)
    plain = not facts.customer and terms.discount is None
    return Merged(merged, bears=not plain and _firsts(timeline) != _firsts(facts.customer))


def with_subscription(facts: Facts, subscription: str, seen: Seen, terms: SubscriptionTerms) -> Merged:
    """The facts with an observation of a subscription."""
    known = dict(facts.subscriptions)
    before = known.get(subscription, ())
    timeline = observe(before, seen, terms)
    if timeline is before:
        return Merged(facts, bears=False)
    known[subscription] = timeline
    merged = Facts(facts.customer, tuple(sorted(known.items())), facts.bills, facts.said)
    return Merged(merged, bears=_firsts(timeline) != _firsts(before))


def with_invoice(facts: Facts, seen: Seen, terms: InvoiceTerms) -> Merged:
    """The facts with what an invoice tells of its subscription."""
    known = dict(facts.bills)
    before = known.get(terms.subscription, Billed())
    paid = [at for at in (before.first_paid_at, terms.paid_at) if at is not None]
    lines, told = _billed_lines(before.lines, terms.lines, seen)
    after = Billed(lines, min(paid, default=None), before.complete or terms.first)
    if after == before:
        return Merged(facts, bears=False)
    known[terms.subscription] = after
    merged = Facts(facts.customer, facts.subscriptions, tuple(sorted(known.items())), facts.said)
    payment = (after.first_paid_at, after.complete) != (before.first_paid_at, before.complete)
    return Merged(merged, bears=told, pays=payment)


def _firsts(timeline: Timeline[T]) -> list[tuple[T, Seen]]:
    """Of each run what it says and since when: all that the ledger takes of a timeline."""
    return [(run.terms, run.first) for run in timeline]


def _billed_lines(before: tuple[Line, ...], lines: tuple[Line, ...], seen: Seen) -> tuple[tuple[Line, ...], bool]:
    """Per item and start the line of the newest version; and whether one says something that was not known."""
    known = {(line.item, line.start): line for line in before}
    told = False
    for line in lines:
        stamped = msgspec.structs.replace(line, version=seen.version, offset=seen.offset)
        old = known.get((line.item, line.start))
        if old is None or old.version < seen.version:
            known[line.item, line.start] = stamped
            told |= old is None or msgspec.structs.replace(old, version=seen.version, offset=seen.offset) != stamped
    return tuple(line for _, line in sorted(known.items())), told
