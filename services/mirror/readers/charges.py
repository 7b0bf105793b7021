"""Charges: every attempt to collect, with why it failed and the card it was made on."""

from schemas.stripe import charges
from schemas.stripe.objects import StripeObject, expanded, id_of, path
from services.mirror.columns import Row, Table, flag, json, seconds, text, whole


def row_of(charge: StripeObject, _owner: str) -> Row:
    """The columns of CHARGES. Amounts in minor units, times in UTC; None where Stripe does not say."""
    return {
        "customer_id": text(id_of(charge.get("customer"))),
        "payment_intent_id": text(charges.payment_intent_id(charge)),
        "invoice_id": text(charges.invoice_id(charge)),
        "status": text(charge.get("status")),
        "amount": whole(charge.get("amount")),
        "amount_captured": whole(charge.get("amount_captured")),
        "amount_refunded": whole(charge.get("amount_refunded")),
        "currency": text(charge.get("currency")),
        "created_at": seconds(charge.get("created")),
        "paid": flag(charge.get("paid")),
        "captured": flag(charge.get("captured")),
        "refunded": flag(charge.get("refunded")),
        "disputed": flag(charge.get("disputed")),
        "failure_code": text(charge.get("failure_code")),
        "failure_message": text(charge.get("failure_message")),
        "decline_code": text(charges.decline_reason(charge)) if charges.has_failed(charge) else None,
        "outcome_type": text(path(charge, "outcome", "type")),
        "network_status": text(path(charge, "outcome", "network_status")),
        "network_decline_code": text(path(charge, "outcome", "network_decline_code")),
        "advice_code": text(path(charge, "outcome", "advice_code")),
        "risk_level": text(path(charge, "outcome", "risk_level")),
        "payment_method_id": text(id_of(charge.get("payment_method"))),
        "payment_method_type": text(path(charge, "payment_method_details", "type")),
        **_card(charge),
        "billing_country": text(path(charge, "billing_details", "address", "country")),
        "description": text(charge.get("description")),
        "metadata": json(charge.get("metadata")),
    }


def _card(charge: StripeObject) -> Row:
    card = expanded(path(charge, "payment_method_details", "card")) or {}
    return {
        "card_brand": text(card.get("brand")),
        "card_last4": text(card.get("last4")),
        "card_exp_month": whole(card.get("exp_month")),
        "card_exp_year": whole(card.get("exp_year")),
        "card_country": text(card.get("country")),
        "card_funding": text(card.get("funding")),
    }


CHARGES = Table(
    kind="charge",
    name="charges",
    key="charge_id",
    columns={
        "customer_id": "text",
        "payment_intent_id": "text",
        "invoice_id": "text",
        "status": "text",
        "amount": "bigint",
        "amount_captured": "bigint",
        "amount_refunded": "bigint",
        "currency": "text",
        "created_at": "timestamptz",
        "paid": "boolean",
        "captured": "boolean",
        "refunded": "boolean",
        "disputed": "boolean",
        "failure_code": "text",
        "failure_message": "text",
        "decline_code": "text",
        "outcome_type": "text",
        "network_status": "text",
        "network_decline_code": "text",
        "advice_code": "text",
        "risk_level": "text",
        "payment_method_id": "text",
        "payment_method_type": "text",
        "card_brand": "text",
        "card_last4": "text",
        "card_exp_month": "bigint",
        "card_exp_year": "bigint",
        "card_country": "text",
        "card_funding": "text",
        "billing_country": "text",
        "description": "text",
        "metadata": "jsonb",
    },
    read=row_of,
)
