"""Signal 2: a subscription lapsed and its customer has no other that counts toward MRR.

One signal is open from the first such lapse until a subscription counts again; further lapses meanwhile join it.
"""

from typing import Any

import msgspec

from schemas.events.signal import SignalCode
from services.detector.facts import Facts, Kind
from services.detector.rules.base import GRACE, Exhibit, Finding, Found, Policy, first_cause, history_starts
from services.detector.rules.standing import Lapse, Stretch, history_of
from services.detector.wording import day, moment


class Gap(msgspec.Struct, frozen=True):
    """The lapses of one time without a subscription that counts, the first first, and when that ended."""

    lapses: tuple[Lapse, ...]
    ended_at: int | None


class SubscriptionLapsed:
    """The rule `subscription_lapsed`."""

    code: SignalCode = "subscription_lapsed"

    def find(self, facts: Facts, policy: Policy, now: int) -> Found:
        gone_at = _deletion_counts_from(facts)
        deleted = gone_at is not None and gone_at <= now
        histories = [history_of(facts, one, deleted=deleted) for _, one in sorted(facts.subscriptions.items())]
        lapses = [lapse for history in histories for lapse in history.lapses]
        stretches = [stretch for history in histories for stretch in history.stretches]
        since = history_starts(facts, policy)
        found = tuple(_finding(gap) for gap in _gaps(lapses, stretches) if gap.lapses[0].at >= since)
        return Found(found, None if deleted else gone_at)


def _deletion_counts_from(facts: Facts) -> int | None:
    """When a customer's deletion is taken to have ended its subscriptions, if they do not say so themselves."""
    return None if facts.deleted is None else facts.deleted.observed_at // 1_000_000 + GRACE


def _gaps(lapses: list[Lapse], stretches: list[Stretch]) -> list[Gap]:
    gaps: list[Gap] = []
    for lapse in sorted(lapses, key=lambda lapse: (lapse.at, lapse.subscription_id)):
        if any(stretch.holds(lapse.at) for stretch in stretches):
            continue
        if gaps and (gaps[-1].ended_at is None or lapse.at < gaps[-1].ended_at):
            gaps[-1] = Gap((*gaps[-1].lapses, lapse), gaps[-1].ended_at)
        else:
            gaps.append(Gap((lapse,), min((s.start for s in stretches if s.start > lapse.at), default=None)))
    return gaps


def _finding(gap: Gap) -> Finding:
    first = gap.lapses[0]
    return Finding(
        code="subscription_lapsed",
        cause=first_cause((_kind(lapse), lapse.seen) for lapse in gap.lapses),
        severity="critical",
        opened_at=first.at,
        resolved_at=gap.ended_at,
        resolution="paying_again" if gap.ended_at is not None else None,
        sentence=_sentence(gap),
        detail={"voluntary": first.voluntary, "subscriptions": [_detail(lapse) for lapse in gap.lapses]},
        evidence=tuple(_exhibit(lapse) for lapse in gap.lapses),
    )


def _sentence(gap: Gap) -> str:
    first = gap.lapses[0]
    said = f"{_what_happened(first)}, and the customer has no other that pays."
    if gap.ended_at is None:
        return said
    return f"{_what_happened(first)}; the customer has paid again since {day(gap.ended_at)}."


def _what_happened(lapse: Lapse) -> str:
    on = day(lapse.at)
    if lapse.reason == "customer_deleted":
        return f"The customer was deleted in Stripe on {on}, which ended the subscription"
    if lapse.status == "unpaid":
        return f"The subscription became unpaid on {on} after its payments failed"
    if lapse.status == "paused":
        return f"The trial ended on {on} without a payment method, so the subscription is paused"
    if lapse.status == "incomplete_expired":
        return f"The subscription expired on {on} because its invoice was not paid"
    if lapse.reason == "payment_disputed":
        return f"The subscription was canceled on {on} after a payment was disputed"
    return f"The subscription was canceled on {on}" + ("" if lapse.voluntary else " after its payments failed")


def _detail(lapse: Lapse) -> dict[str, Any]:
    return {
        "subscription_id": lapse.subscription_id,
        "status": lapse.status,
        "lapsed_at": moment(lapse.at),
        "voluntary": lapse.voluntary,
        "reason": lapse.reason,
    }


def _kind(lapse: Lapse) -> Kind:
    return "customer" if lapse.reason == "customer_deleted" else "subscription"


def _exhibit(lapse: Lapse) -> Exhibit:
    return Exhibit(_kind(lapse), lapse.subscription_id, lapse.seen, f"{_what_happened(lapse)}.")
