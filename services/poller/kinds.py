"""What the poller must know of each kind of Stripe's objects: where it is listed, what a whole read asks for."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["customer", "subscription", "invoice", "charge", "payment_intent", "dispute"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class KindOfObject:
    """One kind of object.

    `path` is its list below the API's base. `belongs` are the expansions that are part of the object itself (they
    have no topic of their own): every read asks for them, and an object without them was not read whole. `rotating`
    are fields whose value may differ from one read to the next though nothing changed.
    """

    name: Kind
    path: str
    permission: str
    belongs: tuple[str, ...] = ()
    rotating: frozenset[str] = frozenset()


CUSTOMER = KindOfObject("customer", "/v1/customers", "Customers")
SUBSCRIPTION = KindOfObject(
    "subscription", "/v1/subscriptions", "Subscriptions", belongs=("discounts", "items.data.discounts")
)
INVOICE = KindOfObject(
    "invoice",
    "/v1/invoices",
    "Invoices",
    belongs=("payments",),
    rotating=frozenset({"hosted_invoice_url", "invoice_pdf"}),
)
CHARGE = KindOfObject("charge", "/v1/charges", "Charges", rotating=frozenset({"receipt_url"}))
PAYMENT_INTENT = KindOfObject("payment_intent", "/v1/payment_intents", "Payment Intents")
DISPUTE = KindOfObject("dispute", "/v1/disputes", "Disputes")

OBJECTS: dict[Kind, KindOfObject] = {
    kind.name: kind for kind in (CUSTOMER, SUBSCRIPTION, INVOICE, CHARGE, PAYMENT_INTENT, DISPUTE)
}

CHILDREN: dict[str, Kind] = {
    "customer": "customer",
    "subscription": "subscription",
    "latest_invoice": "invoice",
    "invoice": "invoice",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "latest_charge": "charge",
}
"""Fields that hold another object's id or, expanded, the object, and which kind that is."""


def kind_named(name: object) -> Kind | None:
    """The kind of that name (Stripe's `object` field), None where it has no topic."""
    return next((kind for kind in KINDS if kind == name), None)
