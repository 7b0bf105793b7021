"""Stripe's objects for tests of the poller's cores: small, and shaped as the pinned version has them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.poller.kinds import OBJECTS, Kind
from services.poller.publishing.changes import Reading, Seen
from services.poller.reading.pages import ReadObject, read_object

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONNECTION = "con_1"


def charge(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"ch_{number}",
        "object": "charge",
        "amount": 1000,
        "created": 1_000_000 + number,
        "customer": "cus_1",
        "payment_intent": f"pi_{number}",
        "receipt_url": "https://pay.stripe.com/receipts/fresh",
        "status": "succeeded",
        **changes,
    }


def invoice(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"in_{number}",
        "object": "invoice",
        "attempted": True,
        "created": 1_000_000 + number,
        "customer": "cus_1",
        "hosted_invoice_url": "https://invoice.stripe.com/i/acct_1/fresh",
        "invoice_pdf": "https://pay.stripe.com/invoice/fresh/pdf",
        "next_payment_attempt": None,
        "parent": {"subscription_details": {"subscription": "sub_1"}},
        "payments": {"object": "list", "data": [{"payment": {"payment_intent": f"pi_{number}"}}]},
        "status": "open",
        **changes,
    }


def subscription(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"sub_{number}",
        "object": "subscription",
        "cancel_at": None,
        "canceled_at": None,
        "created": 1_000_000 + number,
        "customer": "cus_1",
        "discounts": [],
        "items": {"object": "list", "data": [{"id": "si_1", "current_period_start": 1_000_100, "discounts": []}]},
        "latest_invoice": "in_1",
        "status": "active",
        **changes,
    }


def customer(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"cus_{number}",
        "object": "customer",
        "created": 1_000_000 + number,
        "email": "a@b.example",
        **changes,
    }


def encode(content: Mapping[str, Any]) -> bytes:
    """As Stripe prints it."""
    return json.dumps(content, indent=2).encode()


def read(kind: Kind, content: Mapping[str, Any]) -> ReadObject:
    """The object as a whole read of it gives it."""
    return read_object(encode(content), kind, frozenset(OBJECTS[kind].belongs))[0]


def seen(kind: Kind, content: Mapping[str, Any], version: int, *, closed: int | None = None) -> Seen:
    """A read at a version, which closed before the next one began unless said otherwise."""
    return Seen(read(kind, content), Reading(version, version + 1 if closed is None else closed, NOON))
