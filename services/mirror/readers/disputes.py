"""Disputes. A dispute names no customer itself: its subject does."""

from schemas.stripe.objects import StripeObject, id_of, path
from services.mirror.columns import Row, Table, flag, json, seconds, text, whole


def row_of(dispute: StripeObject, owner: str) -> Row:
    """The columns of DISPUTES. `owner` is the subject's: a customer, or the dispute itself where none is known."""
    return {
        "customer_id": text(owner) if owner != dispute.get("id") else None,
        "charge_id": text(id_of(dispute.get("charge"))),
        "payment_intent_id": text(id_of(dispute.get("payment_intent"))),
        "status": text(dispute.get("status")),
        "reason": text(dispute.get("reason")),
        "amount": whole(dispute.get("amount")),
        "currency": text(dispute.get("currency")),
        "created_at": seconds(dispute.get("created")),
        "evidence_due_by": seconds(path(dispute, "evidence_details", "due_by")),
        "is_charge_refundable": flag(dispute.get("is_charge_refundable")),
        "metadata": json(dispute.get("metadata")),
    }


DISPUTES = Table(
    kind="dispute",
    name="disputes",
    key="dispute_id",
    columns={
        "customer_id": "text",
        "charge_id": "text",
        "payment_intent_id": "text",
        "status": "text",
        "reason": "text",
        "amount": "bigint",
        "currency": "text",
        "created_at": "timestamptz",
        "evidence_due_by": "timestamptz",
        "is_charge_refundable": "boolean",
        "metadata": "jsonb",
    },
    read=row_of,
)
