"""Subscriptions: the first item's plan in columns of its own, all items as JSON."""

from typing import Any

from schemas.stripe.objects import StripeObject, id_of, path
from schemas.stripe.subscriptions import coupon_id, discounts_of, items, price_of, unread_discounts
from services.mirror.columns import Row, Table, flag, json, seconds, text, whole


def row_of(subscription: StripeObject, _owner: str) -> Row:
    """The columns of SUBSCRIPTIONS. Times in UTC; None where Stripe does not say, or was not asked."""
    held = [_item(item) for item in items(subscription)]
    return {
        "customer_id": text(id_of(subscription.get("customer"))),
        "status": text(subscription.get("status")),
        "collection_method": text(subscription.get("collection_method")),
        "currency": text(subscription.get("currency")),
        "created_at": seconds(subscription.get("created")),
        "started_at": seconds(subscription.get("start_date")),
        "trial_start": seconds(subscription.get("trial_start")),
        "trial_end": seconds(subscription.get("trial_end")),
        "current_period_start": _period(subscription, "current_period_start", min),
        "current_period_end": _period(subscription, "current_period_end", max),
        "billing_cycle_anchor": seconds(subscription.get("billing_cycle_anchor")),
        "cancel_at": seconds(subscription.get("cancel_at")),
        "cancel_at_period_end": flag(subscription.get("cancel_at_period_end")),
        "canceled_at": seconds(subscription.get("canceled_at")),
        "ended_at": seconds(subscription.get("ended_at")),
        "cancellation_reason": text(path(subscription, "cancellation_details", "reason")),
        "cancellation_feedback": text(path(subscription, "cancellation_details", "feedback")),
        "cancellation_comment": text(path(subscription, "cancellation_details", "comment")),
        "pause_behavior": text(path(subscription, "pause_collection", "behavior")),
        "pause_resumes_at": seconds(path(subscription, "pause_collection", "resumes_at")),
        "days_until_due": whole(subscription.get("days_until_due")),
        "default_payment_method_id": text(id_of(subscription.get("default_payment_method"))),
        "latest_invoice_id": text(id_of(subscription.get("latest_invoice"))),
        **_plan(held),
        "item_count": len(held),
        "items": json(held),
        "discounts": json(_discounts(subscription)),
        "metadata": json(subscription.get("metadata")),
    }


def _plan(held: list[dict[str, Any]]) -> Row:
    first = held[0] if held else {}
    return {
        "price_id": text(first.get("price_id")),
        "product_id": text(first.get("product_id")),
        "price_nickname": text(first.get("nickname")),
        "unit_amount": whole(first.get("unit_amount")),
        "quantity": whole(first.get("quantity")),
        "billing_interval": text(first.get("interval")),
        "interval_count": whole(first.get("interval_count")),
    }


def _item(item: StripeObject) -> dict[str, Any]:
    price = price_of(item) or {}
    recurring = price.get("recurring") or price
    return {
        "item_id": item.get("id"),
        "price_id": price.get("id"),
        "product_id": id_of(price.get("product")),
        "nickname": price.get("nickname"),
        "quantity": item.get("quantity"),
        "unit_amount": price.get("unit_amount", price.get("amount")),
        "unit_amount_decimal": price.get("unit_amount_decimal", price.get("amount_decimal")),
        "currency": price.get("currency"),
        "interval": path(recurring, "interval"),
        "interval_count": path(recurring, "interval_count"),
        "usage_type": path(recurring, "usage_type"),
    }


def _period(subscription: StripeObject, name: str, choose: Any) -> int | None:
    """Over the items since basil, on the subscription itself before."""
    found = [at for item in items(subscription) if (at := seconds(item.get(name))) is not None]
    return choose(found) if found else seconds(subscription.get(name))


def _discounts(subscription: StripeObject) -> list[dict[str, Any]]:
    """Id and coupon of each discount; of one that the read did not expand only the id is known."""
    read = [{"discount_id": one.get("id"), "coupon_id": coupon_id(one)} for one in discounts_of(subscription)]
    return [*read, *({"discount_id": unread, "coupon_id": None} for unread in unread_discounts(subscription))]


SUBSCRIPTIONS = Table(
    kind="subscription",
    name="subscriptions",
    key="subscription_id",
    columns={
        "customer_id": "text",
        "status": "text",
        "collection_method": "text",
        "currency": "text",
        "created_at": "timestamptz",
        "started_at": "timestamptz",
        "trial_start": "timestamptz",
        "trial_end": "timestamptz",
        "current_period_start": "timestamptz",
        "current_period_end": "timestamptz",
        "billing_cycle_anchor": "timestamptz",
        "cancel_at": "timestamptz",
        "cancel_at_period_end": "boolean",
        "canceled_at": "timestamptz",
        "ended_at": "timestamptz",
        "cancellation_reason": "text",
        "cancellation_feedback": "text",
        "cancellation_comment": "text",
        "pause_behavior": "text",
        "pause_resumes_at": "timestamptz",
        "days_until_due": "bigint",
        "default_payment_method_id": "text",
        "latest_invoice_id": "text",
        "price_id": "text",
        "product_id": "text",
        "price_nickname": "text",
        "unit_amount": "bigint",
        "quantity": "bigint",
        "billing_interval": "text",
        "interval_count": "bigint",
        "item_count": "bigint",
        "items": "jsonb",
        "discounts": "jsonb",
        "metadata": "jsonb",
    },
    read=row_of,
)
