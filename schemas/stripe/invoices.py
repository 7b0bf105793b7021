"""Reading an invoice: which subscription, which payments, and when a payment of it has failed."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from schemas.stripe.objects import StripeObject, first, id_of, instant, listed, path

NOT_RENEWING = frozenset({"manual", "subscription_create"})
"""Billing reasons that are no failure of a running subscription: by hand, or an abandoned checkout."""

_CLOSINGS = {"paid": "paid_at", "void": "voided_at", "uncollectible": "marked_uncollectible_at"}


def subscription_id(invoice: StripeObject) -> str | None:
    """The subscription an invoice bills: `parent` (basil on), `subscription` (acacia), else its lines."""

    def candidates() -> Iterator[str | None]:
        yield id_of(path(invoice, "parent", "subscription_details", "subscription"))
        yield id_of(invoice.get("subscription"))
        yield id_of(path(invoice, "subscription_details", "subscription"))
        for line in listed(invoice.get("lines")):
            yield id_of(path(line, "parent", "subscription_item_details", "subscription"))
            yield id_of(path(line, "parent", "invoice_item_details", "subscription"))
            yield id_of(line.get("subscription"))

    return first(candidates())


def closed_at(invoice: StripeObject) -> datetime | None:
    """When it was paid, voided or given up as uncollectible; None of one that is open, or where Stripe does not say."""
    moment = _CLOSINGS.get(str(invoice.get("status") or ""))
    return instant(path(invoice, "status_transitions", moment)) if moment else None


def payment_intent_ids(invoice: StripeObject) -> tuple[str, ...]:
    """The payment intents that an invoice knows of, the default one first; empty where the read did not ask."""
    payments = sorted(listed(invoice.get("payments")), key=lambda payment: not payment.get("is_default"))
    found = [id_of(path(payment, "payment", "payment_intent")) for payment in payments]
    found.append(id_of(invoice.get("payment_intent")))
    return tuple(dict.fromkeys(pi for pi in found if pi))


def charge_ids(invoice: StripeObject) -> tuple[str, ...]:
    """The charges that an invoice names itself (acacia's `charge`, or a payment that is a charge)."""
    found = [id_of(path(payment, "payment", "charge")) for payment in listed(invoice.get("payments"))]
    found.append(id_of(invoice.get("charge")))
    return tuple(dict.fromkeys(charge for charge in found if charge))


def amount_remaining(invoice: StripeObject) -> int:
    """What is still to be paid, in minor units."""
    remaining = invoice.get("amount_remaining")
    if isinstance(remaining, int):
        return remaining
    due, paid = invoice.get("amount_due"), invoice.get("amount_paid")
    return (due if isinstance(due, int) else 0) - (paid if isinstance(paid, int) else 0)


def attempt_count(invoice: StripeObject) -> int:
    """Automatic attempts so far; it can rise without a charge after a hard decline."""
    count = invoice.get("attempt_count")
    return count if isinstance(count, int) else 0


def is_charged_automatically(invoice: StripeObject) -> bool:
    """Whether Stripe itself tries to collect it; an invoice that is sent can be overdue, never failed."""
    return invoice.get("collection_method") != "send_invoice"


def bills_a_running_subscription(invoice: StripeObject) -> bool:
    """Whether it is a renewal, an update or a threshold of a subscription: not its first invoice, not by hand."""
    return subscription_id(invoice) is not None and invoice.get("billing_reason") not in NOT_RENEWING


def has_failed(invoice: StripeObject) -> bool:
    """The one predicate of a failed payment (signal 1 and dunning share it): an automatically collected invoice
    of a running subscription that is open, was attempted, and still has something to pay.

    Stripe has no such status: an invoice whose first hour has not passed is `attempted = false` and has not failed.
    """
    return (
        invoice.get("status") == "open"
        and is_charged_automatically(invoice)
        and bills_a_running_subscription(invoice)
        and bool(invoice.get("attempted"))
        and attempt_count(invoice) > 0
        and amount_remaining(invoice) > 0
    )


def next_payment_attempt(invoice: StripeObject) -> datetime | None:
    """When Stripe tries again; None when no further attempt is scheduled."""
    return instant(invoice.get("next_payment_attempt"))


def paid_out_of_band(invoice: StripeObject) -> bool:
    """Paid outside of Stripe: the newest field that says so, else paid without a payment although due."""
    off_stripe = invoice.get("amount_paid_off_stripe")
    if isinstance(off_stripe, int):
        return off_stripe > 0
    flag = invoice.get("paid_out_of_band")
    if isinstance(flag, bool):
        return flag
    if invoice.get("payments") is None or invoice.get("status") != "paid":
        return False
    paid = any(payment.get("status") == "paid" for payment in listed(invoice.get("payments")))
    due = invoice.get("amount_due")
    return not paid and isinstance(due, int) and due > 0


def line_quantity(line: StripeObject) -> Decimal | None:
    """The quantity of a line; dahlia writes it as a decimal string too."""
    text = line.get("quantity_decimal")
    if isinstance(text, str):
        return Decimal(text)
    whole = line.get("quantity")
    return Decimal(whole) if isinstance(whole, int) else None
