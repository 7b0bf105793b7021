"""The ledger of one customer, or user: a pure function of what was seen of it, what is in force, and an instant.

Per currency, one row per change of the MRR. MRR at an instant is the exact sum over the subscriptions, rounded once;
so moving worth between a customer's own subscriptions, or to another plan at the same price, is no row. Where another
policy begins to count, the difference is a row of kind policy; where another's number begins or ceases to stand for
this one, of kind source. Instants are Unix microseconds, amounts minor units a month.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from services.mrr.evidence import NO_BILL, BilledEvidence, infer_discounts, needs_invoices, tells_of_history
from services.mrr.in_force import Cause, InForce
from services.mrr.policy import Policy
from services.mrr.rounding import Exact, half_up, shares
from services.mrr.said import SaidTrack
from services.mrr.spans import segments, spells
from services.mrr.terms import Discount
from services.mrr.timeline import Facts
from services.mrr.tracks import NEVER, Track
from services.mrr.valuation import Basis, ItemValue, Valuation, worst

Kind = Literal["new", "reactivation", "expansion", "contraction", "churn", "policy", "source"]


class Row(msgspec.Struct, frozen=True, gc=False):
    """One change of the MRR in one currency. `subscriptions` are those whose worth changed; `policy` the version that
    counts from then on."""

    currency: str
    at: int
    before: int
    after: int
    kind: Kind
    cause: Cause
    subscriptions: tuple[str, ...]
    basis: Basis
    policy: str

    @property
    def key(self) -> tuple[str, int, int, int, str]:
        """What makes a row the same row, whoever tells of it."""
        return self.currency, self.at, self.before, self.after, self.kind


class ItemShare(msgspec.Struct, frozen=True, gc=False):
    """An item's part in the MRR: the exact worth, its share in whole minor units, how it came about, and the records
    that it was read from."""

    subscription: str
    item: str
    price: str
    quantity: int
    exact: Exact
    mrr: int
    basis: Basis
    steps: tuple[str, ...]
    behind: tuple[Cause, ...]


class Held(msgspec.Struct, frozen=True, gc=False):
    """A price that is paid: the quantity of its items, and its share in whole minor units a month."""

    price: str
    quantity: int
    mrr: int


class Balance(msgspec.Struct, frozen=True, gc=False):
    """What the MRR in one currency stands at. `unvalued` counts items of which something is unknown.

    `held` are the prices behind it; their shares add up to it.
    """

    currency: str
    mrr: int
    basis: Basis
    unvalued: int
    first_at: int | None
    since: int | None
    held: tuple[Held, ...] = ()


class AnyTrack(Protocol):
    """Something that is worth something over time: a subscription, or what was said of a user."""

    @property
    def id(self) -> str:
        """The subscription's; empty for what was said."""

    def points(self) -> Mapping[int, Cause]:
        """The instants at which its worth may change, each with the record that tells of it."""

    def at(self, instant: int) -> Valuation:
        """The worth at an instant."""

    def currency_at(self, instant: int) -> str:
        """The currency at an instant."""

    def behind(self, instant: int, item: str) -> tuple[Cause, ...]:
        """The records that an item's worth at an instant was read from."""


class Reign(msgspec.Struct, frozen=True, gc=False):
    """A span of time in which one policy counts, and what there is by it."""

    start: int
    policy: Policy
    tracks: tuple[AnyTrack, ...]
    cause: Cause | None = None


class Ledger(msgspec.Struct, frozen=True, gc=False):
    """The rows up to an instant, oldest first; and the next instant at which time alone may add one (`due`)."""

    rows: tuple[Row, ...]
    due: int | None
    reigns: tuple[Reign, ...] = ()
    in_force: InForce | None = None

    def balances(self, now: int) -> tuple[Balance, ...]:
        """What stands at `now`, for every currency that something is or was counted in."""
        worths: dict[str, list[Valuation]] = {row.currency: [] for row in self.rows}
        for track in self._reign_at(now).tracks:
            known = worths.setdefault(track.currency_at(now), [])
            if not self._is_away(now):
                known.append(track.at(now))
        return tuple(self._balance(currency, worths[currency]) for currency in sorted(worths))

    def _balance(self, currency: str, worths: list[Valuation]) -> Balance:
        rows = [row for row in self.rows if row.currency == currency]
        unvalued = sum(item.basis == "unknown" for worth in worths for item in worth.items)
        mrr = rows[-1].after if rows else 0
        return Balance(
            currency=currency,
            mrr=mrr,
            basis=worst(worth.basis for worth in worths),
            unvalued=unvalued,
            first_at=rows[0].at if rows else None,
            since=rows[-1].at if rows else None,
            held=_held([item for worth in worths for item in worth.items if item.exact], mrr) if mrr else (),
        )

    def explain(self, currency: str, at: int) -> list[ItemShare]:
        """The items behind the MRR of a currency at an instant; their shares add up to it."""
        return [] if self._is_away(at) else _shares(self._reign_at(at).tracks, currency, at)

    def explain_row(self, row: Row) -> list[ItemShare]:
        """The items behind what a row leaves. Another policy values what there was just before it began to count."""
        if row.kind == "policy":
            return _shares(self._reign_at(row.at).tracks, row.currency, row.at - 1)
        return self.explain(row.currency, row.at)

    def policy_at(self, at: int) -> Policy:
        """The policy that counts at an instant."""
        return self._reign_at(at).policy

    def _reign_at(self, at: int) -> Reign:
        return next(reign for reign in reversed(self.reigns) if reign.start <= at)

    def _is_away(self, at: int) -> bool:
        return self.in_force is not None and self.in_force.is_away(at)


def _shares(tracks: Iterable[AnyTrack], currency: str, at: int) -> list[ItemShare]:
    found = [(track, worth) for track in tracks if track.currency_at(at) == currency for worth in track.at(at).items]
    exact = [worth.exact for _, worth in found]
    parts = shares(exact, half_up(sum(exact)))
    return [
        ItemShare(
            subscription=track.id,
            item=worth.item,
            price=worth.price,
            quantity=worth.quantity,
            exact=worth.exact,
            mrr=part,
            basis=worth.basis,
            steps=tuple(worth.steps),
            behind=track.behind(at, worth.item),
        )
        for (track, worth), part in zip(found, parts, strict=True)
    ]


def ledger(facts: Facts, in_force: InForce, now: int) -> Ledger:
    """The ledger that follows from the facts as of `now`; nothing in it is later."""
    reigns = tuple(
        Reign(era.start, era.policy, tuple(_tracks(facts, era.policy)), era.cause) for era in in_force.eras(now)
    )
    book = _Book()
    due = in_force.next_after(now)
    gone = in_force.away[-1].start if in_force.away and in_force.away[-1].end is None else NEVER
    edges = {at: (cause, begins) for at, cause, begins in in_force.edges()}
    for place, reign in enumerate(reigns):
        points = [(track, track.points()) for track in reign.tracks]
        until = reigns[place + 1].start if place + 1 < len(reigns) else NEVER
        for at in _instants(reign, [found for _, found in points], edges, until):
            if at > now:
                due = at if due is None else min(due, at)
                break
            if at > gone:
                break
            changes = [(track, found[at]) for track, found in points if at in found]
            book.go_on(at, reign, changes, edges.get(at))
    return Ledger(tuple(book.rows), None if now >= gone else due, reigns, in_force)


def _instants(reign: Reign, points: Iterable[Mapping[int, Cause]], edges: Iterable[int], until: int) -> Sequence[int]:
    """When something may change under a reign, in the order of time: what was before it counts by another policy."""
    instants = set(edges).union(*points)
    if reign.cause is not None:
        instants.add(reign.start)
    elif until == NEVER:
        return sorted(instants)
    return sorted(at for at in instants if reign.start <= at < until)


def _tracks(facts: Facts, policy: Policy) -> Iterator[AnyTrack]:
    bills = dict(facts.bills)
    known, unread = _discounts(facts)
    inferred = infer_discounts(bills.values(), unread) if unread else {}
    must_be = {name: discount for name, (discount, _) in inferred.items()}
    shown_by = {name: line for name, (_, line) in inferred.items()}
    inherited = spells(facts.customer)
    for subscription, timeline in facts.subscriptions:
        billed = bills.get(subscription, NO_BILL)
        needed = any(needs_invoices(run.terms, billed) for run in timeline)
        matters = needed or (timeline[0].first.backfilled and tells_of_history(billed, timeline[0].terms))
        evidence = BilledEvidence(billed if matters else NO_BILL, needed, must_be, shown_by)
        yield Track(subscription, policy, segments(timeline, policy), inherited, billed, known, evidence)
    if facts.said:
        yield SaidTrack(facts.said)


def _discounts(facts: Facts) -> tuple[Mapping[str, Discount], set[str]]:
    """Discounts that one record shows and another only names, by id; and those that none shows."""
    every = _every_discount(facts)
    shown = {discount.id: discount for discount in every if discount.readable}
    named = {discount.id for discount in every if not discount.readable}
    return {name: shown[name] for name in named if name in shown}, named - shown.keys()


def _every_discount(facts: Facts) -> list[Discount]:
    """Of each object the oldest first."""
    found: list[Discount] = []
    for _, timeline in facts.subscriptions:
        for run in timeline:
            found += run.terms.discounts
            for item in run.terms.items:
                found += item.discounts
    return found + [told.terms.discount for told in facts.customer if told.terms.discount is not None]


def _held(items: Sequence[ItemValue], mrr: int) -> tuple[Held, ...]:
    """The prices of the items with their shares, in the order of their ids."""
    if len(items) == 1:
        return (Held(items[0].price, items[0].quantity, mrr),)
    found: dict[str, Held] = {}
    for item, part in zip(items, shares([item.exact for item in items], mrr), strict=True):
        known = found.get(item.price, Held(item.price, 0, 0))
        found[item.price] = Held(item.price, known.quantity + item.quantity, known.mrr + part)
    return tuple(found[price] for price in sorted(found))


@dataclass
class _Book:
    """The rows so far, and what each subscription is worth, whether or not it is what stands."""

    rows: list[Row] = field(default_factory=list)
    worths: dict[str, dict[str, Exact]] = field(default_factory=dict)
    mrr: dict[str, int] = field(default_factory=dict)
    basis: dict[str, Basis] = field(default_factory=dict)
    away: bool = False
    policy: str = ""

    def go_on(
        self,
        at: int,
        reign: Reign,
        changes: Iterable[tuple[AnyTrack, Cause]],
        edge: tuple[Cause, bool] | None,
    ) -> None:
        """Go on to an instant: where another's number begins to stand it does so first, where it ceases to, last."""
        self.policy = reign.policy.version
        if edge is not None and edge[1]:
            self._stand(at, edge[0], away=True)
        if at == reign.start and reign.cause is not None:
            every = [(track, reign.cause) for track in reign.tracks]
            self._note_all(at, self._change(at - 1, every), "policy")
        if changed := self._change(at, changes):
            self._note_all(at, changed, None)
        if edge is not None and not edge[1]:
            self._stand(at, edge[0], away=False)

    def _stand(self, at: int, cause: Cause, *, away: bool) -> None:
        """Another's number stands from here on, or no more: nothing that the customer did."""
        self.away = away
        for currency, worths in sorted(self.worths.items()):
            names = (name for name, worth in worths.items() if worth)
            self._add(currency, at, "source", cause=cause, names=names, basis=self.basis.get(currency, "subscription"))

    def _change(self, at: int, changes: Iterable[tuple[AnyTrack, Cause]]) -> dict[str, list[tuple[Cause, str, Basis]]]:
        """Value these at an instant; what changed, by currency."""
        changed: dict[str, list[tuple[Cause, str, Basis]]] = {}
        for track, cause in changes:
            worth = track.at(at)
            for currency in self._enter(track, track.currency_at(at), worth.exact):
                changed.setdefault(currency, []).append((cause, track.id, worth.basis))
        return changed

    def _enter(self, track: AnyTrack, currency: str, exact: Exact) -> list[str]:
        """The currencies in which the subscription is worth something else than before."""
        changed = []
        for held, worths in self.worths.items():
            if held != currency and worths.pop(track.id, 0):
                changed.append(held)
        worths = self.worths.setdefault(currency, {})
        if worths.get(track.id, 0) != exact:
            worths[track.id] = exact
            changed.append(currency)
        return changed

    def _note_all(self, at: int, changed: dict[str, list[tuple[Cause, str, Basis]]], kind: Kind | None) -> None:
        for currency in sorted(changed):
            causes = changed[currency]
            cause, name, basis = causes[0]
            names = [name]
            if len(causes) > 1:
                cause = min((cause for cause, _, _ in causes), key=Cause.rank)
                names = [name for _, name, _ in causes]
                basis = worst(basis for _, _, basis in causes)
            self.basis[currency] = basis
            self._add(currency, at, kind, cause=cause, names=names, basis=basis)

    def _add(
        self, currency: str, at: int, kind: Kind | None, *, cause: Cause, names: Iterable[str], basis: Basis
    ) -> None:
        before = self.mrr.get(currency, 0)
        after = 0 if self.away else half_up(sum(self.worths[currency].values()))
        if after == before:
            return
        kind = kind or _kind(before, after, again=currency in self.mrr)
        self.mrr[currency] = after
        subscriptions = tuple(sorted(name for name in names if name))
        self.rows.append(Row(currency, at, before, after, kind, cause, subscriptions, basis, self.policy))


def _kind(before: int, after: int, *, again: bool) -> Kind:
    if before == 0:
        return "reactivation" if again else "new"
    if after == 0:
        return "churn"
    return "expansion" if after > before else "contraction"
