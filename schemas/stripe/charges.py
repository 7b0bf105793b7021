"""Reading a charge and a payment intent: whom an attempt was for, and why it failed."""

from collections.abc import Iterator
from datetime import datetime

from schemas.stripe.objects import StripeObject, expanded, first, id_of, instant, path

HARD_DECLINES = frozenset(
    {
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "highest_risk_level",
        "transaction_not_allowed",
    }
)
"""Decline codes after which the same card is not tried again. `authentication_required` is none: the customer can
confirm that payment."""


BANK_DEBITS = frozenset(
    {"ach_debit", "acss_debit", "au_becs_debit", "bacs_debit", "nz_bank_account", "sepa_debit", "us_bank_account"}
)
"""Kinds of payment whose charge is made at the attempt, and succeeds or fails days later."""


def has_failed(charge: StripeObject) -> bool:
    """Whether the attempt failed. A charge ends as succeeded or failed and never leaves either."""
    return charge.get("status") == "failed"


def is_pending(charge: StripeObject) -> bool:
    """Whether a bank debit is on its way: days may pass before it succeeds or fails."""
    return charge.get("status") == "pending"


def is_bank_debit(charge: StripeObject) -> bool:
    """Whether the charge is of a kind that takes days."""
    return path(charge, "payment_method_details", "type") in BANK_DEBITS


def payment_intent_id(charge: StripeObject) -> str | None:
    """The payment intent the charge was made for."""
    return id_of(charge.get("payment_intent"))


def invoice_id(obj: StripeObject) -> str | None:
    """The invoice that a charge or a payment intent itself names.

    Up to acacia `invoice`; since clover the intent's `payment_details.order_reference`, which Stripe describes only
    as a reference of the business, so that it counts only where it looks like an invoice's id.
    """

    def candidates() -> Iterator[str | None]:
        yield id_of(obj.get("invoice"))
        reference = path(obj, "payment_details", "order_reference")
        yield reference if isinstance(reference, str) and reference.startswith("in_") else None

    return first(candidates())


def decline_reason(charge: StripeObject) -> str | None:
    """Why a charge failed, as Stripe's decline code: `outcome.reason` (which carries insufficient_funds and the
    like), else `failure_code` (mostly just card_declined)."""
    for found in (path(charge, "outcome", "reason"), charge.get("failure_code")):
        if isinstance(found, str) and found:
            return found
    return None


def error_reason(intent: StripeObject) -> str | None:
    """Why a payment intent's last attempt failed; Stripe clears it when the intent is updated later."""
    error = expanded(intent.get("last_payment_error")) or {}
    for found in (error.get("decline_code"), error.get("code")):
        if isinstance(found, str) and found:
            return found
    return None


def is_hard_decline(charge: StripeObject) -> bool:
    """Whether trying the same card again is pointless: a hard decline code, or the issuer's advice."""
    return decline_reason(charge) in HARD_DECLINES or path(charge, "outcome", "advice_code") == "do_not_try_again"


def created_at(obj: StripeObject) -> datetime | None:
    """When Stripe made the object; of a charge, when the attempt was made."""
    return instant(obj.get("created"))
