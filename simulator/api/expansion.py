"""What may be expanded where, by whom, and how deep."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from simulator.errors import ApiError
from simulator.render.view import Shape, Tree

DEPTH = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a path may go through. `reads` is the permission that expanding it needs, if any.

    `node` is what is found there; `since` and `until` bound the versions that have it.
    """

    node: str
    reads: str | None = None
    since: Shape = Shape.ACACIA
    until: Shape = Shape.ENDIVE


_CUSTOMER = Field("customer", "customer_read")
_SUBSCRIPTION = Field("subscription", "subscription_read")
_INVOICE = Field("invoice", "invoice_read")
_CHARGE = Field("charge", "charge_read")
_INTENT = Field("payment_intent", "payment_intent_read")
_METHOD = Field("leaf", "payment_method_read")
_SOURCE = Field("leaf", "payment_source_read")
_PRODUCT = Field("leaf", "product_read")
_PROMOTION = Field("leaf", "promotion_code_read")
_DISCOUNT = Field("discount")
_CLOCK = Field("leaf", "test_clock_read")


def _old(found: Field) -> Field:
    return Field(found.node, found.reads, until=Shape.ACACIA)


_NODES: dict[str, dict[str, Field]] = {
    "customer": {
        "default_source": _SOURCE,
        "discount": _DISCOUNT,
        "invoice_settings": Field("customer.invoice_settings"),
        "subscriptions": Field("subscriptions", "subscription_read"),
        "test_clock": _CLOCK,
    },
    "customer.invoice_settings": {"default_payment_method": _METHOD},
    "subscriptions": {"data": _SUBSCRIPTION},
    "subscription": {
        "customer": _CUSTOMER,
        "default_payment_method": _METHOD,
        "default_source": _SOURCE,
        "discounts": _DISCOUNT,
        "items": Field("items"),
        "latest_invoice": _INVOICE,
        "pending_setup_intent": Field("leaf", "setup_intent_read"),
        "schedule": Field("leaf", "subscription_schedule_read"),
        "test_clock": _CLOCK,
    },
    "items": {"data": Field("subscription_item")},
    "subscription_item": {"discounts": _DISCOUNT, "price": Field("price"), "plan": Field("plan")},
    "price": {"product": _PRODUCT, "tiers": Field("leaf", "plan_read"), "currency_options": Field("leaf", "plan_read")},
    "plan": {"product": _PRODUCT, "tiers": Field("leaf", "plan_read")},
    "invoice": {
        "charge": _old(_CHARGE),
        "customer": _CUSTOMER,
        "default_payment_method": _METHOD,
        "default_source": _SOURCE,
        "discounts": _DISCOUNT,
        "lines": Field("lines"),
        "parent": Field("invoice.parent", since=Shape.BASIL),
        "payment_intent": _old(_INTENT),
        "payments": Field("payments", since=Shape.BASIL),
        "subscription": _old(_SUBSCRIPTION),
        "test_clock": _CLOCK,
        "total_discount_amounts": Field("discount_amount"),
    },
    "invoice.parent": {"subscription_details": Field("invoice.parent.subscription_details")},
    "invoice.parent.subscription_details": {"subscription": _SUBSCRIPTION},
    "discount_amount": {"discount": _DISCOUNT},
    "lines": {"data": Field("line_item")},
    "line_item": {"subscription": Field("subscription", "subscription_read", since=Shape.DAHLIA)},
    "payments": {"data": Field("invoice_payment")},
    "invoice_payment": {"invoice": _INVOICE, "payment": Field("invoice_payment.payment")},
    "invoice_payment.payment": {"charge": _CHARGE, "payment_intent": _INTENT},
    "charge": {
        "balance_transaction": Field("leaf", "balance_transaction_read"),
        "customer": _CUSTOMER,
        "invoice": _old(_INVOICE),
        "payment_intent": _INTENT,
        "refunds": Field("refunds"),
    },
    "refunds": {"data": Field("leaf")},
    "payment_intent": {
        "customer": _CUSTOMER,
        "invoice": _old(_INVOICE),
        "latest_charge": _CHARGE,
        "payment_method": _METHOD,
    },
    "dispute": {"charge": _CHARGE, "payment_intent": _INTENT},
    "discount": {
        "customer": _CUSTOMER,
        "promotion_code": _PROMOTION,
        "source": Field("discount.source", since=Shape.CLOVER),
    },
    "discount.source": {"coupon": Field("leaf", "coupon_read")},
    "leaf": {},
}


def expansion(
    paths: Iterable[str],
    *,
    node: str,
    listed: bool,
    shape: Shape,
    permitted: Callable[[str], None],
    refused: frozenset[str] = frozenset(),
) -> Tree:
    """The tree of what to expand on each object, from paths such as `data.latest_invoice.payments`.

    Raises Stripe's 400 for a path that leads nowhere, is too deep or among the `refused` (a server that cannot expand
    a field); `permitted` raises for a permission that is missing.
    """
    tree = Tree()
    for path in paths:
        if path == "total_count" and listed:
            continue
        steps = path.split(".")
        if len(steps) > DEPTH:
            raise _bad(f"You cannot expand more than {DEPTH} levels of a property. Property: {path}")
        inner = steps[1:] if listed else steps
        if (listed and steps[0] != "data") or not inner or path in refused:
            raise _bad(f"This property cannot be expanded ({path}).")
        for field in _grow(tree, inner, node, shape):
            if field is None:
                raise _bad(f"This property cannot be expanded ({path}).")
            if field.reads is not None:
                permitted(field.reads)
    return tree


def _grow(tree: Tree, steps: list[str], node: str, shape: Shape) -> Iterator[Field | None]:
    """Grow the tree step by step, giving each field passed, None where there is none."""
    for step in steps:
        found = _NODES[node].get(step)
        if found is None or not found.since <= shape <= found.until:
            yield None
            return
        yield found
        node = found.node
        tree = tree.setdefault(step, Tree())


def _bad(message: str) -> ApiError:
    return ApiError(400, message, code="property_cannot_be_expanded", param="expand")
