"""From one of Stripe's objects to the fact in it. Pure: no record, no clock.

An object that says nothing any rule asks for gives None: a payment intent that succeeded, an invoice that bills no
running subscription.
"""

from collections.abc import Callable
from datetime import datetime

from schemas.stripe import charges, invoices, objects, subscriptions
from schemas.stripe.objects import StripeObject, path
from services.detector.facts import (
    Charge,
    Customer,
    Fact,
    Intent,
    Invoice,
    InvoiceView,
    Kind,
    Seen,
    Standing,
    Standings,
    Subscription,
)

LAPSED = frozenset({"canceled", "unpaid", "incomplete_expired", "paused"})
COUNTING = frozenset({"active", "past_due"})
STOPS_COUNTING = frozenset({"void", "mark_uncollectible"})
"""Behaviours of pause_collection under which nothing is collected: the subscription does not count toward MRR
meanwhile. That is no lapse: the company itself set it, and the status stays what it was."""


def read(kind: Kind, obj: StripeObject, seen: Seen) -> Fact | None:
    """The fact in an object of that kind, which has an id."""
    return _READERS[kind](obj, seen)


def read_customer(obj: StripeObject, seen: Seen) -> Customer:
    """Whether it is deleted; nothing else of it bears on a signal."""
    return Customer(deleted=seen if objects.is_deleted(obj) else None)


def read_invoice(obj: StripeObject, seen: Seen) -> Invoice | None:
    """An invoice of a running subscription; None of any other. Amounts in minor units, times in Unix seconds."""
    subscription_id = invoices.subscription_id(obj)
    if subscription_id is None or not invoices.bills_a_running_subscription(obj):
        return None
    view = _view(obj, seen)
    cleared = view.status == "open" and view.attempts > 0 and view.amount_remaining <= 0
    return Invoice(
        id=obj["id"],
        subscription_id=subscription_id,
        currency=str(obj.get("currency") or ""),
        first=seen,
        latest=view,
        first_failing=seen if view.failing else None,
        last_failing=view if view.failing else None,
        cleared_at=seen.observed_at if cleared else None,
        intents=tuple(sorted(invoices.payment_intent_ids(obj))),
        charges=tuple(sorted(invoices.charge_ids(obj))),
    )


def _view(obj: StripeObject, seen: Seen) -> InvoiceView:
    status = str(obj.get("status") or "")
    number = obj.get("number")
    return InvoiceView(
        seen=seen,
        status=status,
        automatic=invoices.is_charged_automatically(obj),
        failing=invoices.has_failed(obj),
        attempts=objects.whole(invoices.attempt_count(obj)),
        amount_due=objects.whole(obj.get("amount_due")),
        amount_remaining=objects.whole(invoices.amount_remaining(obj)),
        next_attempt_at=_seconds(invoices.next_payment_attempt(obj)),
        created_at=_seconds(charges.created_at(obj)) or seen.observed_at // 1_000_000,
        finalized_at=_seconds(objects.instant(path(obj, "status_transitions", "finalized_at"))),
        closed_at=_seconds(invoices.closed_at(obj)),
        off_stripe=invoices.paid_out_of_band(obj),
        number=number if isinstance(number, str) else None,
    )


def read_charge(obj: StripeObject, seen: Seen) -> Charge:
    """An attempt at a payment: whether and why it failed, and what it paid for."""
    failed = charges.has_failed(obj)
    return Charge(
        id=obj["id"],
        created_at=_seconds(charges.created_at(obj)) or seen.observed_at // 1_000_000,
        slow=charges.is_pending(obj) or charges.is_bank_debit(obj),
        failed=seen if failed else None,
        succeeded=obj.get("status") == "succeeded",
        reason=charges.decline_reason(obj) if failed else None,
        hard=failed and charges.is_hard_decline(obj),
        intent=charges.payment_intent_id(obj),
        invoice=charges.invoice_id(obj),
    )


def read_intent(obj: StripeObject, seen: Seen) -> Intent | None:
    """A payment that is on its way or asks for something; None of one that succeeded and names no invoice."""
    invoice, reason, status = charges.invoice_id(obj), _problem(obj), obj.get("status")
    if status == "succeeded" and invoice is None:
        return None
    return Intent(
        id=obj["id"],
        invoice=invoice,
        processing=status == "processing",
        problem=seen if reason else None,
        reason=reason,
    )


def _problem(obj: StripeObject) -> str | None:
    if obj.get("status") == "requires_action":
        return "authentication_required"
    return charges.error_reason(obj)


def read_subscription(obj: StripeObject, seen: Seen) -> Subscription:
    """How it stands by this version, and since when where Stripe says."""
    status = str(obj.get("status") or "")
    standing = _standing(obj, status)
    lapsed = standing == "lapsed"
    trial_end = _seconds(objects.instant(obj.get("trial_end")))
    anchor = _seconds(objects.instant(obj.get("billing_cycle_anchor")))
    told = Standings(
        seen=seen,
        status=status,
        standing=standing,
        since=_seconds(_lapsed_at(obj, status)) if lapsed else None,
        counts_from=_counts_from(obj) or seen.observed_at // 1_000_000,
        trial_end=trial_end,
        resumed_at=anchor if anchor and trial_end and anchor > trial_end else None,
        reason=_cancel_reason(obj) if lapsed else None,
    )
    return Subscription(id=obj["id"], standings=(told,))


def _standing(obj: StripeObject, status: str) -> Standing:
    if status in LAPSED:
        return "lapsed"
    if status in COUNTING:
        return "other" if path(obj, "pause_collection", "behavior") in STOPS_COUNTING else "counting"
    return "other"


def _lapsed_at(obj: StripeObject, status: str) -> datetime | None:
    """When it lapsed, where Stripe says: unpaid carries no time."""
    if status in subscriptions.ENDED:
        return subscriptions.ended_at(obj)
    if status == "paused":
        since = objects.instant(path(obj, "status_details", "paused", "transitioned_at"))
        return since or objects.instant(obj.get("trial_end"))
    return None


def _counts_from(obj: StripeObject) -> int | None:
    starts = (objects.instant(obj.get(name)) for name in ("start_date", "trial_end"))
    known = [at for at in starts if at] or [at for at in (charges.created_at(obj),) if at]
    return _seconds(max(known)) if known else None


def _cancel_reason(obj: StripeObject) -> str | None:
    reason = path(obj, "cancellation_details", "reason")
    return reason if isinstance(reason, str) else None


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None


_READERS: dict[Kind, Callable[[StripeObject, Seen], Fact | None]] = {
    "customer": read_customer,
    "subscription": read_subscription,
    "invoice": read_invoice,
    "charge": read_charge,
    "payment_intent": read_intent,
}
