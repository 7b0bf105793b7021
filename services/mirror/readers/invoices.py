"""Invoices."""

from schemas.stripe import invoices
from schemas.stripe.objects import StripeObject, id_of, listed, path
from services.mirror.columns import Row, Table, flag, json, seconds, text, whole


def row_of(invoice: StripeObject, _owner: str) -> Row:
    """The columns of INVOICES. Amounts in minor units, times in UTC; None where Stripe does not say."""
    intents, charges = invoices.payment_intent_ids(invoice), invoices.charge_ids(invoice)
    moments = invoice.get("status_transitions")
    return {
        "customer_id": text(id_of(invoice.get("customer"))),
        "subscription_id": text(invoices.subscription_id(invoice)),
        "number": text(invoice.get("number")),
        "status": text(invoice.get("status")),
        "billing_reason": text(invoice.get("billing_reason")),
        "collection_method": text(invoice.get("collection_method")),
        "currency": text(invoice.get("currency")),
        "created_at": seconds(invoice.get("created")),
        "period_start": seconds(invoice.get("period_start")),
        "period_end": seconds(invoice.get("period_end")),
        "due_date": seconds(invoice.get("due_date")),
        "finalized_at": seconds(path(moments, "finalized_at")),
        "paid_at": seconds(path(moments, "paid_at")),
        "voided_at": seconds(path(moments, "voided_at")),
        "marked_uncollectible_at": seconds(path(moments, "marked_uncollectible_at")),
        "subtotal": whole(invoice.get("subtotal")),
        "discount_amount": _sum(invoice.get("total_discount_amounts")),
        "tax_amount": _tax(invoice),
        "total": whole(invoice.get("total")),
        "starting_balance": whole(invoice.get("starting_balance")),
        "ending_balance": whole(invoice.get("ending_balance")),
        "amount_due": whole(invoice.get("amount_due")),
        "amount_paid": whole(invoice.get("amount_paid")),
        "amount_remaining": whole(invoices.amount_remaining(invoice)),
        "attempted": flag(invoice.get("attempted")),
        "attempt_count": whole(invoice.get("attempt_count")),
        "next_payment_attempt": seconds(invoice.get("next_payment_attempt")),
        "auto_advance": flag(invoice.get("auto_advance")),
        "paid_out_of_band": invoices.paid_out_of_band(invoice),
        "payment_intent_id": text(intents[0]) if intents else None,
        "charge_id": text(charges[0]) if charges else None,
        "customer_name": text(invoice.get("customer_name")),
        "customer_email": text(invoice.get("customer_email")),
        "hosted_invoice_url": text(invoice.get("hosted_invoice_url")),
        "metadata": json(invoice.get("metadata")),
    }


def _sum(amounts: object) -> int | None:
    if not isinstance(amounts, list):
        return None
    return sum(whole(one.get("amount")) or 0 for one in listed(amounts))


def _tax(invoice: StripeObject) -> int | None:
    """`total_taxes` since basil, `total_tax_amounts` and `tax` before."""
    for name in ("total_taxes", "total_tax_amounts"):
        if (taxes := _sum(invoice.get(name))) is not None:
            return taxes
    return whole(invoice.get("tax"))


INVOICES = Table(
    kind="invoice",
    name="invoices",
    key="invoice_id",
    columns={
        "customer_id": "text",
        "subscription_id": "text",
        "number": "text",
        "status": "text",
        "billing_reason": "text",
        "collection_method": "text",
        "currency": "text",
        "created_at": "timestamptz",
        "period_start": "timestamptz",
        "period_end": "timestamptz",
        "due_date": "timestamptz",
        "finalized_at": "timestamptz",
        "paid_at": "timestamptz",
        "voided_at": "timestamptz",
        "marked_uncollectible_at": "timestamptz",
        "subtotal": "bigint",
        "discount_amount": "bigint",
        "tax_amount": "bigint",
        "total": "bigint",
        "starting_balance": "bigint",
        "ending_balance": "bigint",
        "amount_due": "bigint",
        "amount_paid": "bigint",
        "amount_remaining": "bigint",
        "attempted": "boolean",
        "attempt_count": "bigint",
        "next_payment_attempt": "timestamptz",
        "auto_advance": "boolean",
        "paid_out_of_band": "boolean",
        "payment_intent_id": "text",
        "charge_id": "text",
        "customer_name": "text",
        "customer_email": "text",
        "hosted_invoice_url": "text",
        "metadata": "jsonb",
    },
    read=row_of,
)
