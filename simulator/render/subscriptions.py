"""Subscriptions and their items."""

from simulator.company.model import Item, Subscription
from simulator.render.prices import discount, discounts, legacy_plan, price
from simulator.render.view import INLINE, Json, Shape, Tree, View, inline_list

_NO_METHODS = dict.fromkeys(("payment_method_options", "payment_method_types"))
_EMPTY = dict.fromkeys(
    (
        "application",
        "application_fee_percent",
        "billing_cycle_anchor_config",
        "default_payment_method",
        "default_source",
        "description",
        "next_pending_invoice_item_invoice",
        "on_behalf_of",
        "pending_invoice_item_interval",
        "pending_setup_intent",
        "pending_update",
        "schedule",
        "test_clock",
        "transfer_data",
    )
)
"""What no subscription of the company has."""


def subscription(view: View, sold: Subscription, tree: Tree) -> Json:
    """A subscription with the first of its items."""
    name = view.id("subscription", sold)
    found: Json = {
        **_EMPTY,
        "id": name,
        "object": "subscription",
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": sold.anchor,
        "cancel_at": sold.cancel_at,
        "cancel_at_period_end": sold.cancel_at_period_end,
        "canceled_at": sold.canceled_at,
        "cancellation_details": {
            "comment": sold.comment,
            "feedback": sold.feedback,
            "reason": sold.cancel_reason,
        },
        "collection_method": sold.collection_method,
        "created": sold.created,
        "currency": sold.currency,
        "customer": view.ref(tree, "customer", "customer", sold.customer),
        "days_until_due": sold.days_until_due,
        "default_tax_rates": [],
        "discounts": discounts(view, sold.discounts, tree),
        "ended_at": sold.ended_at,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": items(view, sold, tree.of("items").of("data")),
        "latest_invoice": view.ref(tree, "latest_invoice", "invoice", sold.latest_invoice),
        "livemode": view.livemode,
        "metadata": {},
        "pause_collection": _pause(sold),
        "payment_settings": {**_NO_METHODS, "save_default_payment_method": "off"},
        "start_date": sold.created,
        "status": sold.status,
        "trial_end": sold.trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": sold.missing_method}},
        "trial_start": sold.trial_start,
    }
    found.update(_versioned(view, sold))
    return found


def _pause(sold: Subscription) -> Json | None:
    if sold.pause is None:
        return None
    return {"behavior": sold.pause.behaviour, "resumes_at": sold.pause.resumes_at}


def _versioned(view: View, sold: Subscription) -> Json:
    """What only some versions have."""
    if view.shape == Shape.ACACIA:
        first = sold.discounts[-1] if sold.discounts else None
        return {
            "billing_thresholds": None,
            "current_period_start": max(item.start for item in sold.items),
            "current_period_end": min(item.end for item in sold.items),
            "discount": None if first is None else discount(view, first, Tree()),
        }
    mode: Json = {"type": "flexible" if sold.flexible else "classic"}
    if view.shape >= Shape.CLOVER:
        mode["flexible"] = {"proration_discounts": "included"} if sold.flexible else None
    found: Json = {"billing_mode": mode, "billing_thresholds": None}
    if view.shape >= Shape.CLOVER:
        found["customer_account"] = None
    if view.shape >= Shape.DAHLIA:
        found["billing_schedules"] = []
    if view.shape >= Shape.ENDIVE:
        paused = {"type": "trial_end_without_payment_method", "transitioned_at": sold.trial_end}
        found["status_details"] = {"paused": paused if sold.status == "paused" else None}
    return found


def items(view: View, sold: Subscription, tree: Tree) -> Json:
    rows = [subscription_item(view, item, sold, tree) for item in sold.items[:INLINE]]
    url = f"/v1/subscription_items?subscription={view.id('subscription', sold)}"
    return inline_list(url, rows, len(sold.items), view.shape)


def subscription_item(view: View, item: Item, sold: Subscription, tree: Tree) -> Json:
    """One of its items; a metered one has no quantity."""
    found: Json = {
        "id": view.id("subscription_item", item),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": item.created,
        "discounts": discounts(view, item.discounts, tree),
        "metadata": {},
        "plan": legacy_plan(view, item.plan),
        "price": price(view, item.plan, tree.of("price")),
        "subscription": view.id("subscription", sold),
        "tax_rates": [],
    }
    if item.quantity is not None:
        found["quantity"] = item.quantity
    if view.shape >= Shape.BASIL:
        found["current_period_end"] = item.end
        found["current_period_start"] = item.start
    if view.shape >= Shape.ENDIVE:
        found["current_trial"] = None
    return found
