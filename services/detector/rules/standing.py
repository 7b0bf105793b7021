"""When a subscription counted toward MRR, and when it lapsed: its standings laid out in time."""

import msgspec

from services.detector.facts import Facts, Seen, Standings, Subscription
from services.detector.rules.attempts import AttemptIndex, first_failure_at

RETRY_DAYS = 14
"""Stripe's own default: retries end two weeks after the first attempt."""

INVOICE_DAYS = 90
"""So far back invoices are read when an account is connected."""

INVOLUNTARY_REASONS = frozenset({"payment_failed", "payment_disputed"})


class Stretch(msgspec.Struct, frozen=True):
    """From when until when a subscription counted; Unix seconds, the end not included, None while it lasts."""

    start: int
    end: int | None

    def holds(self, instant: int) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


class Lapse(msgspec.Struct, frozen=True):
    """A subscription that ended, became unpaid, or paused at the end of its trial."""

    subscription_id: str
    at: int
    status: str
    reason: str | None
    voluntary: bool
    seen: Seen


class History(msgspec.Struct, frozen=True):
    """A subscription's stretches and lapses, in the order of time."""

    stretches: tuple[Stretch, ...]
    lapses: tuple[Lapse, ...]


class _Walk:
    """The walk over a subscription's versions: each change of standing begins or ends a stretch."""

    def __init__(self, facts: Facts, subscription: Subscription) -> None:
        self._facts = facts
        self._id = subscription.id
        self._start: int | None = None
        self.stretches: list[Stretch] = []
        self.lapses: list[Lapse] = []

    def step(self, told: Standings, before: Standings | None) -> None:
        if before is None or before.status == "trialing":
            self._unseen_pause(told)
        if told.standing == "counting":
            self._start = self._begins(told, before)
        elif told.standing == "lapsed":
            self._lapses(told, before)
        else:
            self._ends(_observed(told))

    def finish(self) -> None:
        if self._start is not None:
            self.stretches.append(Stretch(self._start, None))

    def _ends(self, at: int) -> None:
        if self._start is not None:
            self.stretches.append(Stretch(self._start, max(at, self._start)))
            self._start = None

    def _begins(self, told: Standings, before: Standings | None) -> int:
        """A stretch begins where Stripe says, if it does; else when the subscription was seen to count again."""
        resumed = told.resumed_at is not None and bool(self.lapses) and self.lapses[-1].status == "paused"
        if resumed and told.resumed_at is not None:
            return min(told.resumed_at, _observed(told))
        if before is None or before.status in {"trialing", "incomplete"}:
            return min(told.counts_from, _observed(told))
        return _observed(told)

    def _lapses(self, told: Standings, before: Standings | None) -> None:
        lapse = _lapse(self._facts, self._id, told, before)
        if before is None and not self.lapses and _had_counted(told, lapse.at):
            self._start = told.counts_from
        counted = self._start is not None or bool(self.stretches)
        self._ends(lapse.at)
        if counted or told.status == "paused":
            self.lapses.append(lapse)

    def _unseen_pause(self, told: Standings) -> None:
        """A trial that ended without an invoice paused the subscription, though it was never seen paused."""
        ended, until = told.trial_end, told.resumed_at if told.standing == "counting" else told.since
        if ended is None or until is None or told.status == "paused" or not self._knows_invoices_since(ended):
            return
        of_it = (one for one in self._facts.invoices.values() if one.subscription_id == self._id)
        if ended < until and not any(ended <= invoice.latest.created_at < until for invoice in of_it):
            self.lapses.append(Lapse(self._id, ended, "paused", None, voluntary=False, seen=told.seen))

    def _knows_invoices_since(self, instant: int) -> bool:
        return instant >= (self._facts.first_seen or 0) // 1_000_000 - INVOICE_DAYS * 86_400


def history_of(facts: Facts, subscription: Subscription, *, deleted: bool = False) -> History:
    """Lay out a subscription's standings in time; `deleted`: its customer is gone, and what it had ended then."""
    walk, before = _Walk(facts, subscription), None
    for told in subscription.standings:
        if before is None or told.standing != before.standing:
            walk.step(told, before)
        before = told
    walk.finish()
    history = History(tuple(walk.stretches), tuple(walk.lapses))
    return _until_deleted(facts, subscription, history) if deleted else history


def _had_counted(told: Standings, until: int) -> bool:
    """Whether a subscription first seen lapsed had counted before: not one that ended within its trial, nor one
    whose first invoice nobody paid."""
    return told.status not in {"incomplete_expired", "paused"} and told.counts_from < until


def _lapse(facts: Facts, subscription_id: str, told: Standings, before: Standings | None) -> Lapse:
    at = told.since if told.since is not None else _unpaid_since(facts, subscription_id, told, before)
    return Lapse(
        subscription_id=subscription_id,
        at=min(at, _observed(told)),
        status=told.status,
        reason=told.reason,
        voluntary=_is_voluntary(told, before),
        seen=told.seen,
    )


def _is_voluntary(told: Standings, before: Standings | None) -> bool:
    """By Stripe's reason; where it gives none, by whether payments had failed when it was canceled."""
    if told.status != "canceled":
        return False
    if told.reason is not None:
        return told.reason not in INVOLUNTARY_REASONS
    return before is None or before.status not in {"past_due", "unpaid"}


def _unpaid_since(facts: Facts, subscription_id: str, told: Standings, before: Standings | None) -> int:
    """Stripe keeps no time of `unpaid`. It becomes so when the last retry fails: at the last failed charge, unless
    the retries went on without one; then when it was seen to change, or two weeks after the first attempt."""
    observed = _observed(told)
    estimates = _retries_ended(facts, subscription_id, observed, live=before is not None)
    earliest = _observed(before) if before is not None else 0
    return max(min(max(estimates, default=observed), observed), earliest)


def _retries_ended(facts: Facts, subscription_id: str, observed: int, *, live: bool) -> list[int]:
    """By failed invoice of the subscription, when its last attempt failed."""
    index, ends = AttemptIndex(facts), []
    for invoice in facts.invoices.values():
        attempts = index.on(invoice)
        first = first_failure_at(invoice, attempts)
        if invoice.subscription_id != subscription_id or first is None or first > observed:
            continue
        charged = [charge.created_at for charge in attempts.failed if charge.created_at <= observed]
        if len(charged) >= invoice.latest.attempts:
            ends.append(charged[-1])
        else:
            ends.append(observed if live else first + RETRY_DAYS * 86_400)
    return ends


def _until_deleted(facts: Facts, subscription: Subscription, history: History) -> History:
    """Deleting a customer ends what it had at once, whether or not the subscription was read again since."""
    last = history.stretches[-1] if history.stretches else None
    if facts.deleted is None or last is None or last.end is not None:
        return history
    at = max(facts.deleted.observed_at // 1_000_000, last.start)
    gone = Lapse(subscription.id, at, "canceled", "customer_deleted", voluntary=True, seen=facts.deleted)
    return History((*history.stretches[:-1], Stretch(last.start, at)), (*history.lapses, gone))


def _observed(told: Standings) -> int:
    return told.seen.observed_at // 1_000_000
