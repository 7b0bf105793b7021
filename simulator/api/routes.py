"""Which operation an address names."""

import re
from dataclasses import dataclass
from typing import Literal

from simulator.api.resources import RESOURCES, Resource

Action = Literal[
    "list", "retrieve", "search", "lines", "items", "invoice_payments", "invoice_payment", "beyond", "account"
]

_BEYOND = {
    "account": "connected_account_read",
    "accounts": "connected_account_read",
    "balance": "balance_read",
    "balance_transactions": "balance_transaction_read",
    "coupons": "coupon_read",
    "events": "event_read",
    "invoiceitems": "invoice_item_read",
    "payment_methods": "payment_method_read",
    "payouts": "payout_read",
    "plans": "plan_read",
    "prices": "plan_read",
    "products": "product_read",
    "promotion_codes": "promotion_code_read",
    "refunds": "charge_read",
    "setup_intents": "setup_intent_read",
    "subscription_schedules": "subscription_schedule_read",
}
_LINES = re.compile(r"invoices/([^/]+)/lines")


@dataclass(frozen=True, slots=True)
class Route:
    """`operation` is what Stripe counts as one endpoint; `name` the id in the address, if any."""

    action: Action
    operation: str
    permission: str
    resource: Resource | None = None
    name: str = ""


def route(path: str) -> Route | None:
    """The operation of `/v1/<path>`, None where there is no such address."""
    lines = _LINES.fullmatch(path)
    if lines is not None:
        return Route("lines", "invoices.lines", "invoice_read", RESOURCES["invoices"], lines[1])
    head, _, rest = path.partition("/")
    resource = RESOURCES.get(head)
    if resource is not None:
        return _of_resource(resource, rest)
    if head == "invoice_payments" and "/" not in rest:
        action: Action = "invoice_payment" if rest else "invoice_payments"
        return Route(action, f"invoice_payments.{'retrieve' if rest else 'list'}", "invoice_read", None, rest)
    if path == "subscription_items":
        return Route("items", "subscription_items.list", "subscription_read")
    if path == "account":
        return Route("account", "account.retrieve", _BEYOND[path])
    return Route("beyond", f"{head}.list", _BEYOND[head]) if head in _BEYOND else None


def _of_resource(resource: Resource, rest: str) -> Route | None:
    if not rest:
        return Route("list", f"{resource.name}.list", resource.permission, resource)
    if rest == "search" and resource.searchable:
        return Route("search", f"{resource.name}.search", resource.permission, resource)
    if "/" in rest:
        return None
    return Route("retrieve", f"{resource.name}.retrieve", resource.permission, resource, rest)
