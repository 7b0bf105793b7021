"""How the objects of older API versions differ from the document's: what each step took away and what it brought.

Read backwards from dahlia. A field that only an old version had is any value here, unless its type is told.
"""

from copy import deepcopy
from typing import Any

from simulator.render.view import Shape

Schema = dict[str, Any]

BESIDE: dict[str, tuple[str, ...]] = {
    "subscription_item": ("plan",),
    "recurring": ("trial_period_days",),
    "charge": ("source",),
    "payment_intent": ("source",),
}
"""Fields that Stripe still sends and its SDK still has, though the document has them no more."""

_BROUGHT: dict[Shape, dict[str, tuple[str, ...]]] = {
    Shape.DAHLIA: {
        "invoice": ("amount_paid_off_stripe",),
        "line_item": ("quantity_decimal", "subtotal", "subscription"),
        "subscription": ("billing_schedules",),
        "subscription_item": ("billed_until",),
    },
    Shape.CLOVER: {
        "payment_intent": ("payment_details", "customer_account"),
        "customer": ("business_name", "individual_name", "customer_account"),
        "subscription": ("customer_account",),
        "invoice": ("customer_account",),
        "discount": ("source", "customer_account"),
    },
    Shape.BASIL: {
        "invoice": ("parent", "payments", "confirmation_secret", "amount_overpaid", "total_taxes"),
        "line_item": ("parent", "pricing", "taxes"),
        "subscription_item": ("current_period_start", "current_period_end"),
        "subscription": ("billing_mode",),
    },
}
_INTEGER: Schema = {"type": "integer"}
_ID: Schema = {"type": ["string", "null"]}
_TAKEN: dict[Shape, dict[str, dict[str, Schema]]] = {
    Shape.CLOVER: {"discount": {"coupon": {"$ref": "#/$defs/coupon"}}},
    Shape.BASIL: {
        "invoice": {
            "subscription": _ID,
            "subscription_details": {"type": "object"},
            "charge": _ID,
            "payment_intent": _ID,
            "paid": {"type": "boolean"},
            "paid_out_of_band": {"type": "boolean"},
            "discount": {"anyOf": [{"$ref": "#/$defs/discount"}, {"type": "null"}]},
            "tax": {"type": "null"},
            "total_tax_amounts": {"type": "array"},
            "quote": {"type": "null"},
            "transfer_data": {"type": "null"},
            "application_fee_amount": {"type": "null"},
        },
        "line_item": {
            "price": {"$ref": "#/$defs/price"},
            "plan": {"type": "object"},
            "proration": {"type": "boolean"},
            "proration_details": {"type": "object"},
            "subscription": _ID,
            "subscription_item": _ID,
            "type": {"enum": ["subscription", "invoiceitem"]},
            "tax_amounts": {"type": "array"},
            "tax_rates": {"type": "array"},
            "amount_excluding_tax": _INTEGER,
            "unit_amount_excluding_tax": {"type": ["string", "null"]},
        },
        "subscription": {
            "current_period_start": _INTEGER,
            "current_period_end": _INTEGER,
            "discount": {"anyOf": [{"$ref": "#/$defs/discount"}, {"type": "null"}]},
        },
        "charge": {"invoice": _ID},
        "payment_intent": {"invoice": _ID},
    },
}
"""What the version before had and this step took away: required in it."""


def definitions(document: Schema, shape: Shape) -> Schema:
    """The document's definitions as they are in the versions of `shape`."""
    found: Schema = deepcopy(document["$defs"])
    for name, fields in BESIDE.items():
        found[name]["properties"] |= {field: {} for field in fields}
    for step in (Shape.DAHLIA, Shape.CLOVER, Shape.BASIL):
        if shape < step:
            _undo(found, step)
    if shape == Shape.ACACIA:
        _count_lists(found)
    return found


def _undo(found: Schema, step: Shape) -> None:
    for name, fields in _BROUGHT[step].items():
        found[name]["properties"] = {
            field: what for field, what in found[name]["properties"].items() if field not in fields
        }
        found[name]["required"] = [field for field in found[name].get("required", ()) if field not in fields]
    for name, more in _TAKEN.get(step, {}).items():
        found[name]["properties"] |= more
        found[name]["required"] = [*found[name].get("required", ()), *more]


def _count_lists(schema: Any) -> None:
    """Lists told how long they are."""
    if isinstance(schema, list):
        for each in schema:
            _count_lists(each)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        if {"data", "has_more", "url"} <= properties.keys():
            properties["total_count"] = {"type": "integer"}
        for each in list(schema.values()):
            _count_lists(each)
