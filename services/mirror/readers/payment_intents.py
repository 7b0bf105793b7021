"""Payment intents."""

from schemas.stripe import charges
from schemas.stripe.objects import StripeObject, id_of
from services.mirror.columns import Row, Table, json, seconds, text, whole


def row_of(intent: StripeObject, _owner: str) -> Row:
    """The columns of PAYMENT_INTENTS. Amounts in minor units, times in UTC; None where Stripe does not say."""
    return {
        "customer_id": text(id_of(intent.get("customer"))),
        "invoice_id": text(charges.invoice_id(intent)),
        "status": text(intent.get("status")),
        "amount": whole(intent.get("amount")),
        "amount_received": whole(intent.get("amount_received")),
        "currency": text(intent.get("currency")),
        "created_at": seconds(intent.get("created")),
        "canceled_at": seconds(intent.get("canceled_at")),
        "cancellation_reason": text(intent.get("cancellation_reason")),
        "latest_charge_id": text(id_of(intent.get("latest_charge"))),
        "payment_method_id": text(id_of(intent.get("payment_method"))),
        "error_code": text(charges.error_reason(intent)),
        "metadata": json(intent.get("metadata")),
    }


PAYMENT_INTENTS = Table(
    kind="payment_intent",
    name="payment_intents",
    key="payment_intent_id",
    columns={
        "customer_id": "text",
        "invoice_id": "text",
        "status": "text",
        "amount": "bigint",
        "amount_received": "bigint",
        "currency": "text",
        "created_at": "timestamptz",
        "canceled_at": "timestamptz",
        "cancellation_reason": "text",
        "latest_charge_id": "text",
        "payment_method_id": "text",
        "error_code": "text",
        "metadata": "jsonb",
    },
    read=row_of,
)
