"""Prices, plans, coupons and discounts."""

from functools import lru_cache

from simulator.company.model import Coupon, Discount, Plan, Tier
from simulator.ids import Ids
from simulator.render.view import Json, Shape, Tree, View, decimal_text, whole

_PLANS = 2048


def price(view: View, plan: Plan, tree: Tree) -> Json:
    """The price that an item is sold at; its tiers only when they are expanded."""
    found = dict(_price(view.ids, plan, view.livemode))
    if "tiers" in tree and plan.tiers:
        found["tiers"] = [_tier(tier) for tier in plan.tiers]
    return found


@lru_cache(maxsize=_PLANS)
def _price(ids: Ids, plan: Plan, livemode: bool) -> Json:
    return {
        "id": ids.encode("price", plan.number),
        "object": "price",
        "active": True,
        "billing_scheme": "tiered" if plan.tiers else "per_unit",
        "created": plan.created,
        "currency": plan.currency,
        "custom_unit_amount": None,
        "livemode": livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": plan.nickname,
        "product": ids.encode("product", plan.product),
        "recurring": {
            "interval": plan.interval,
            "interval_count": plan.interval_count,
            "meter": f"mtr_test_{plan.number}" if plan.metered else None,
            "trial_period_days": None,
            "usage_type": "metered" if plan.metered else "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": plan.tiers_mode,
        "transform_quantity": _transform(plan),
        "type": "recurring",
        "unit_amount": whole(plan.unit_amount),
        "unit_amount_decimal": decimal_text(plan.unit_amount),
    }


def legacy_plan(view: View, plan: Plan) -> Json:
    """The `plan` that subscription items and old invoice lines still carry beside the price."""
    return dict(_legacy_plan(view.ids, plan, view.livemode))


@lru_cache(maxsize=_PLANS)
def _legacy_plan(ids: Ids, plan: Plan, livemode: bool) -> Json:
    return {
        "id": ids.encode("price", plan.number),
        "object": "plan",
        "active": True,
        "aggregate_usage": None,
        "amount": whole(plan.unit_amount),
        "amount_decimal": decimal_text(plan.unit_amount),
        "billing_scheme": "tiered" if plan.tiers else "per_unit",
        "created": plan.created,
        "currency": plan.currency,
        "interval": plan.interval,
        "interval_count": plan.interval_count,
        "livemode": livemode,
        "metadata": {},
        "meter": f"mtr_test_{plan.number}" if plan.metered else None,
        "nickname": plan.nickname,
        "product": ids.encode("product", plan.product),
        "tiers_mode": plan.tiers_mode,
        "transform_usage": _transform(plan),
        "trial_period_days": None,
        "usage_type": "metered" if plan.metered else "licensed",
    }


def _transform(plan: Plan) -> Json | None:
    if plan.divide_by is None:
        return None
    return {"divide_by": plan.divide_by, "round": "up" if plan.round_up else "down"}


def _tier(tier: Tier) -> Json:
    return {
        "flat_amount": tier.flat_amount or None,
        "flat_amount_decimal": str(tier.flat_amount) if tier.flat_amount else None,
        "unit_amount": tier.unit_amount,
        "unit_amount_decimal": str(tier.unit_amount),
        "up_to": tier.up_to,
    }


def coupon(view: View, deal: Coupon) -> Json:
    """A coupon as a discount carries it."""
    return {
        "id": view.id("coupon", deal),
        "object": "coupon",
        "amount_off": deal.amount_off,
        "created": deal.created,
        "currency": deal.currency,
        "duration": deal.duration,
        "duration_in_months": deal.months,
        "livemode": view.livemode,
        "max_redemptions": None,
        "metadata": {},
        "name": deal.name,
        "percent_off": None if deal.percent_off is None else float(deal.percent_off),
        "redeem_by": None,
        "times_redeemed": 1,
        "valid": True,
    }


def discount(view: View, given: Discount, tree: Tree) -> Json:
    """Up to basil the coupon is inline; from clover on it is `source.coupon`, an id."""
    found: Json = {
        "id": view.id("discount", given),
        "object": "discount",
        "checkout_session": None,
        "customer": view.ref(tree, "customer", "customer", given.customer),
        "end": given.end,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "start": given.start,
        "subscription": view.id("subscription", given.subscription) if given.subscription else None,
        "subscription_item": view.id("subscription_item", given.item) if given.item else None,
    }
    if view.shape < Shape.CLOVER:
        found["coupon"] = coupon(view, given.coupon)
    else:
        inner = tree.of("source")
        whole_coupon = coupon(view, given.coupon) if "coupon" in inner else view.id("coupon", given.coupon)
        found["source"] = {"coupon": whole_coupon, "type": "coupon"}
    return found


def discounts(view: View, given: tuple[Discount, ...], tree: Tree) -> list[str | Json]:
    expand = tree.get("discounts")
    if expand is None:
        return [view.id("discount", each) for each in given]
    return [discount(view, each, expand) for each in given]
