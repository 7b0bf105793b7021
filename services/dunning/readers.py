"""From one of Stripe's objects to the fact in it. Pure: no record, no clock."""

from collections.abc import Callable
from typing import Literal

from schemas.stripe import charges, invoices, objects, subscriptions
from schemas.stripe.objects import StripeObject, path
from services.dunning.facts import (
    Charge,
    Customer,
    Dispute,
    Fact,
    Intent,
    Invoice,
    InvoiceView,
    Nothing,
    Seen,
    Subscription,
    web_link,
)

Kind = Literal["customer", "subscription", "invoice", "charge", "payment_intent", "dispute"]
SETTLED_DISPUTES = frozenset({"won", "lost", "warning_closed", "prevented"})


def read(kind: Kind, obj: StripeObject, seen: Seen) -> Fact:
    """The fact in an object of that kind, which has an id."""
    return _READERS[kind](obj, seen)


def read_customer(obj: StripeObject, seen: Seen) -> Customer:
    """Address, name, locales and country, as Stripe has them; empty of a deleted one."""
    locales = obj.get("preferred_locales")
    return Customer(
        id=obj["id"],
        seen=seen,
        gone=seen if objects.is_deleted(obj) else None,
        empty=objects.is_deleted(obj),
        email=_text(obj.get("email")),
        name=_text(obj.get("name")),
        locales=tuple(one for one in locales if isinstance(one, str)) if isinstance(locales, list) else (),
        country=_text(path(obj, "address", "country")) or _text(path(obj, "shipping", "address", "country")),
    )


def read_subscription(obj: StripeObject, seen: Seen) -> Subscription:
    """Its status, when it ended, and whether it is set to."""
    status = str(obj.get("status") or "")
    return Subscription(
        id=obj["id"],
        seen=seen,
        status=status,
        ended_at=subscriptions.ended_at(obj),
        canceling=bool(obj.get("cancel_at_period_end")) or objects.instant(obj.get("cancel_at")) is not None,
    )


def read_invoice(obj: StripeObject, seen: Seen) -> Invoice | Nothing:
    """None of ours: an abandoned checkout's first invoice, one made by hand, one without a subscription."""
    subscription_id = invoices.subscription_id(obj)
    if subscription_id is None or not invoices.bills_a_running_subscription(obj):
        return Nothing(id=obj["id"], seen=seen)
    view = _view(obj, seen)
    cleared = view.status == "open" and view.amount_remaining <= 0
    return Invoice(
        id=obj["id"],
        subscription_id=subscription_id,
        currency=str(obj.get("currency") or ""),
        first=view,
        latest=view,
        first_failing=view if view.failing else None,
        cleared=seen if cleared else None,
        intents=tuple(sorted(invoices.payment_intent_ids(obj))),
        charges=tuple(sorted(invoices.charge_ids(obj))),
    )


def _view(obj: StripeObject, seen: Seen) -> InvoiceView:
    status = str(obj.get("status") or "")
    finalized = objects.instant(path(obj, "status_transitions", "finalized_at"))
    return InvoiceView(
        seen=seen,
        status=status,
        automatic=invoices.is_charged_automatically(obj),
        failing=invoices.has_failed(obj),
        attempts=objects.whole(invoices.attempt_count(obj)),
        amount_due=objects.whole(obj.get("amount_due")),
        amount_paid=objects.whole(obj.get("amount_paid")),
        amount_remaining=objects.whole(invoices.amount_remaining(obj)),
        credited=objects.whole(obj.get("pre_payment_credit_notes_amount")),
        due_at=objects.instant(obj.get("due_date")),
        next_attempt_at=invoices.next_payment_attempt(obj),
        attempted_at=finalized or charges.created_at(obj) or seen.at,
        closed_at=invoices.closed_at(obj),
        number=_text(obj.get("number")),
        pay_url=web_link(_text(obj.get("hosted_invoice_url"))),
        email=_text(obj.get("customer_email")),
    )


def read_charge(obj: StripeObject, seen: Seen) -> Charge:
    """An attempt at a payment: whether and why it failed, and what it paid for."""
    failed = charges.has_failed(obj)
    return Charge(
        id=obj["id"],
        seen=seen,
        created_at=charges.created_at(obj) or seen.at,
        status=str(obj.get("status") or ""),
        slow=charges.is_pending(obj) or charges.is_bank_debit(obj),
        reason=charges.decline_reason(obj) if failed else None,
        hard=failed and charges.is_hard_decline(obj),
        intent=charges.payment_intent_id(obj),
        invoice=charges.invoice_id(obj),
    )


def read_intent(obj: StripeObject, seen: Seen) -> Intent:
    """A payment that is on its way or asks for something."""
    return Intent(
        id=obj["id"],
        seen=seen,
        invoice=charges.invoice_id(obj),
        status=str(obj.get("status") or ""),
        processing=obj.get("status") == "processing",
        reason=charges.error_reason(obj),
    )


def read_dispute(obj: StripeObject, seen: Seen) -> Dispute:
    """Whether it is open."""
    return Dispute(id=obj["id"], seen=seen, open=str(obj.get("status") or "") not in SETTLED_DISPUTES)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


_READERS: dict[Kind, Callable[[StripeObject, Seen], Fact]] = {
    "customer": read_customer,
    "subscription": read_subscription,
    "invoice": read_invoice,
    "charge": read_charge,
    "payment_intent": read_intent,
    "dispute": read_dispute,
}
