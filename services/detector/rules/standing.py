"""When a subscription counted toward MRR, and when it lapsed: its standings laid out in time."""

import msgspec

from services.detector.facts import Facts, Seen, Standings, Subscription
from services.detector.rules.attempts import attempts_on

RETRY_DAYS = 14
"""Stripe's own default: retries end two weeks after the first attempt."""

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


def history_of(facts: Facts, subscription: Subscription) -> History:
    """Walk the versions in order; each change of standing begins or ends a stretch."""
    stretches: list[Stretch] = []
    lapses: list[Lapse] = []
    start: int | None = None
    before: Standings | None = None
    for told in subscription.standings:
        if before is not None and told.standing == before.standing:
            continue
        if told.standing == "counting":
            start = _start(told, before)
        else:
            lapse = _lapse(facts, subscription.id, told, before) if told.standing == "lapsed" else None
            end = lapse.at if lapse else _observed(told)
            start = told.counts_from if before is None and _ever_counted(told, end) else start
            counted = start is not None or bool(stretches)
            if start is not None:
                stretches.append(Stretch(start, max(end, start)))
                start = None
            if lapse and (counted or told.status == "paused"):
                lapses.append(lapse)
        before = told
    if start is not None:
        stretches.append(Stretch(start, None))
    return _until_deleted(facts, subscription, History(tuple(stretches), tuple(lapses)))


def _start(told: Standings, before: Standings | None) -> int:
    """The first stretch begins where Stripe says; one after a lapse or a pause when it was seen again."""
    if before is None or before.status in {"trialing", "incomplete"}:
        return min(told.counts_from, _observed(told))
    return _observed(told)


def _ever_counted(told: Standings, end: int) -> bool:
    """Whether a subscription first seen lapsed had counted before: not one that ended within its trial, nor one
    whose first invoice nobody paid."""
    return told.standing == "lapsed" and told.status not in {"incomplete_expired", "paused"} and told.counts_from < end


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
    ends = []
    for invoice in facts.invoices.values():
        if invoice.subscription_id != subscription_id or not invoice.latest.attempts:
            continue
        failed = [charge for charge in attempts_on(facts, invoice).failed if charge.created_at <= observed]
        if failed and len(failed) >= invoice.latest.attempts:
            ends.append(failed[-1].created_at)
        else:
            ends.append(observed if live else invoice.latest.attempted_at + RETRY_DAYS * 86_400)
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
