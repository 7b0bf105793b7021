"""The ledger of one customer: a pure function of what was seen of it, a policy, and an instant.

Per currency, one row per change of the customer's MRR. MRR at an instant is the exact sum over the subscriptions,
rounded once; so moving worth between a customer's own subscriptions, or to another plan at the same price, is no row.
Instants are Unix microseconds, amounts minor units a month.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from schemas.catalogue import CONTROL_DECISION
from services.mrr.evidence import BilledEvidence, infer_discounts, needs_invoices, tells_of_history
from services.mrr.in_force import Ended
from services.mrr.policy import Policy
from services.mrr.rounding import half_up, shares
from services.mrr.terms import Discount
from services.mrr.timeline import Billed, Facts
from services.mrr.tracks import Cause, Track, segments, spells
from services.mrr.valuation import ZERO, Basis, Valuation, total, worst

NO_BILL = Billed()
Kind = Literal["new", "reactivation", "expansion", "contraction", "churn", "source"]


@dataclass(frozen=True, slots=True)
class Row:
    """One change of a customer's MRR in one currency. `subscriptions` are those whose worth changed."""

    currency: str
    at: int
    before: int
    after: int
    kind: Kind
    cause: Cause
    subscriptions: tuple[str, ...]
    basis: Basis

    @property
    def key(self) -> tuple[str, int, int, int, str]:
        """What makes a row the same row, whoever tells of it."""
        return self.currency, self.at, self.before, self.after, self.kind


@dataclass(frozen=True, slots=True)
class ItemShare:
    """An item's part in a customer's MRR: the exact worth, its share in whole minor units, and how it came about."""

    subscription: str
    item: str
    price: str
    quantity: int
    exact: Fraction
    mrr: int
    basis: Basis
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """What a customer's MRR in one currency stands at. `unvalued` counts items of which something is unknown."""

    currency: str
    mrr: int
    basis: Basis
    unvalued: int
    first_at: int | None
    since: int | None


@dataclass(frozen=True)
class Ledger:
    """The rows up to an instant, oldest first; and the next instant at which time alone may add one (`due`).

    `ended_at` is when the connection was ended, if it was: from then on no subscription counts.
    """

    rows: tuple[Row, ...]
    due: int | None
    tracks: tuple[Track, ...] = field(default=(), repr=False)
    ended_at: int | None = None

    def balances(self, now: int) -> tuple[Balance, ...]:
        """What stands at `now`, for every currency that a subscription is or was billed in."""
        worths: dict[str, list[Valuation]] = {row.currency: [] for row in self.rows}
        for track in self.tracks:
            known = worths.setdefault(track.currency_at(now), [])
            if not self._has_ended(now):
                known.append(track.at(now))
        return tuple(self._balance(currency, worths[currency]) for currency in sorted(worths))

    def _balance(self, currency: str, worths: list[Valuation]) -> Balance:
        rows = [row for row in self.rows if row.currency == currency]
        unvalued = sum(item.basis == "unknown" for worth in worths for item in worth.items)
        return Balance(
            currency=currency,
            mrr=rows[-1].after if rows else 0,
            basis=worst(worth.basis for worth in worths),
            unvalued=unvalued,
            first_at=rows[0].at if rows else None,
            since=rows[-1].at if rows else None,
        )

    def explain(self, currency: str, at: int) -> list[ItemShare]:
        """The items behind the MRR of a currency at an instant; their shares add up to it."""
        found = [
            (track.id, worth)
            for track in self.tracks
            if track.currency_at(at) == currency and not self._has_ended(at)
            for worth in track.at(at, explain=True).items
        ]
        exact = [worth.exact for _, worth in found]
        parts = shares(exact, half_up(sum(exact, ZERO)))
        return [
            ItemShare(subscription, w.item, w.price, w.quantity, w.exact, part, w.basis, tuple(w.steps))
            for (subscription, w), part in zip(found, parts, strict=True)
        ]

    def _has_ended(self, at: int) -> bool:
        return self.ended_at is not None and at >= self.ended_at


def ledger(facts: Facts, policy: Policy, now: int, ended: Ended | None = None) -> Ledger:
    """The ledger that follows from the facts as of `now`; nothing in it is later.

    Where the connection was `ended` by then, nothing took effect since, and what MRR there was ended with it.
    """
    tracks = tuple(_tracks(facts, policy))
    points = [track.points() for track in tracks]
    instants = sorted(set().union(*points)) if points else []
    due = None if ended else next((at for at in instants if at > now), None)
    book = _Book()
    for at in instants:
        if at > now or (ended and at >= ended.at):
            break
        book.advance(at, ((track, found[at]) for track, found in zip(tracks, points, strict=True) if at in found))
    if ended:
        book.end(ended)
    return Ledger(tuple(book.rows), due, tracks, ended.at if ended else None)


def _tracks(facts: Facts, policy: Policy) -> Iterable[Track]:
    bills = dict(facts.bills)
    known, unread = _discounts(facts)
    inferred = infer_discounts(bills.values(), unread) if unread else {}
    inherited = spells(facts.customer)
    for subscription, timeline in facts.subscriptions:
        billed = bills.get(subscription, NO_BILL)
        needed = any(needs_invoices(run.terms) for run in timeline)
        matters = needed or (timeline[0].first.backfilled and tells_of_history(billed, timeline[0].terms))
        evidence = BilledEvidence(billed if matters else NO_BILL, needed, inferred)
        yield Track(subscription, policy, segments(timeline, policy), inherited, billed, known, evidence)


def _discounts(facts: Facts) -> tuple[Mapping[str, Discount], set[str]]:
    """Discounts that one record shows and another only names, by id; and those that none shows."""
    shown: dict[str, Discount] = {}
    named: set[str] = set()
    for discount in _every_discount(facts):
        if discount.readable:
            shown[discount.id] = discount
        else:
            named.add(discount.id)
    return {name: shown[name] for name in named if name in shown}, named - shown.keys()


def _every_discount(facts: Facts) -> Iterable[Discount]:
    """Of each object the oldest first."""
    for _, timeline in facts.subscriptions:
        for run in timeline:
            yield from run.terms.discounts
            for item in run.terms.items:
                yield from item.discounts
    for told in facts.customer:
        if told.terms.discount is not None:
            yield told.terms.discount


@dataclass
class _Book:
    """The rows so far, and what each subscription is worth."""

    rows: list[Row] = field(default_factory=list)
    worths: dict[str, dict[str, Fraction]] = field(default_factory=dict)
    mrr: dict[str, int] = field(default_factory=dict)

    def advance(self, at: int, changes: Iterable[tuple[Track, Cause]]) -> None:
        """Go on to an instant at which these subscriptions may be worth something else."""
        changed: dict[str, list[tuple[Cause, str, Basis]]] = {}
        for track, cause in changes:
            worth = track.at(at)
            for currency in self._enter(track, track.currency_at(at), worth.exact):
                changed.setdefault(currency, []).append((cause, track.id, worth.basis))
        for currency in sorted(changed):
            self._note(currency, at, changed[currency])

    def end(self, ended: Ended) -> None:
        """What there is gives way: the account was disconnected, which is nothing that its customers did."""
        cause = Cause(ended.at, CONTROL_DECISION.name, 0, ended.offset, ended.id)
        for currency, before in sorted(self.mrr.items()):
            if before:
                names = tuple(sorted(name for name, worth in self.worths[currency].items() if worth))
                self.rows.append(Row(currency, ended.at, before, 0, "source", cause, names, "subscription"))

    def _enter(self, track: Track, currency: str, exact: Fraction) -> list[str]:
        """The currencies in which the subscription is worth something else than before."""
        changed = []
        for held, worths in self.worths.items():
            if held != currency and worths.pop(track.id, ZERO):
                changed.append(held)
        worths = self.worths.setdefault(currency, {})
        if worths.get(track.id, ZERO) != exact:
            worths[track.id] = exact
            changed.append(currency)
        return changed

    def _note(self, currency: str, at: int, changed: list[tuple[Cause, str, Basis]]) -> None:
        before = self.mrr.get(currency, 0)
        after = half_up(total(list(self.worths[currency].values())))
        if after == before:
            return
        kind: Kind
        if before == 0:
            kind = "reactivation" if currency in self.mrr else "new"
        else:
            kind = "churn" if after == 0 else "expansion" if after > before else "contraction"
        self.mrr[currency] = after
        cause = min((cause for cause, _, _ in changed), key=Cause.rank)
        names = tuple(sorted(name for _, name, _ in changed))
        basis = worst(basis for _, _, basis in changed)
        self.rows.append(Row(currency, at, before, after, kind, cause, names, basis))
