"""A company of full variety: whatever Stripe Billing can do to a price happens in it, and its books stay in order."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from simulator.changes import history
from simulator.company.catalogue import RARE
from simulator.company.invariants import violations
from simulator.company.periods import DAY
from simulator.render.view import Json


def told(kind: str, *, seeds: range = range(1, 5)) -> Iterator[list[Json]]:
    """The life of each object of a kind, change by change."""
    for seed in seeds:
        lives: dict[str, list[Json]] = {}
        for change in history(seed=seed, months=18, customers=150, kinds=("subscription", "customer")).changes():
            if change.kind == kind:
                lives.setdefault(change.id, []).append(change.object)
        yield from lives.values()


@pytest.mark.parametrize("seed", range(3))
def test_the_books_are_in_order_whatever_happens(seed: int) -> None:
    past, looked_at = history(seed=seed, months=12, customers=50), 0
    for change in past.changes():
        if change.at > looked_at + 4 * DAY:
            looked_at = change.at
            assert violations(past.company.world) == []


def test_every_change_of_a_price_occurs() -> None:
    seen: Counter[str] = Counter()
    for life in told("subscription"):
        for before, after in pairwise(life):
            seen.update(_what(before, after))
        seen.update(_holds(life[-1]))
    assert set(seen) == {
        "plan", "same price", "quantity", "no quantity", "interval", "item added", "item gone", "trial moved",
        "discount given", "discount gone", "void", "mark_uncollectible", "keep_as_draft", "resumed",
        "to active", "to past_due", "to unpaid", "to canceled", "to paused", "to incomplete_expired",
        "unpaid to active", "past_due to active", "scheduled", "kept", "stacked", "on item and subscription",
    }  # fmt: skip


def _what(before: Json, after: Json) -> Iterator[str]:
    if before["status"] != after["status"]:
        yield f"to {after['status']}"
        if before["status"] in {"unpaid", "past_due"} and after["status"] == "active":
            yield f"{before['status']} to active"
    if before["pause_collection"] != after["pause_collection"]:
        yield "resumed" if after["pause_collection"] is None else after["pause_collection"]["behavior"]
    if before["cancel_at"] != after["cancel_at"]:
        yield "kept" if after["cancel_at"] is None else "scheduled"
    if before["trial_end"] != after["trial_end"]:
        yield "trial moved"
    if _discounts(after) - _discounts(before):
        yield "discount given"
    if _discounts(before) - _discounts(after):
        yield "discount gone"
    yield from _items(_by_id(before), _by_id(after))


def _items(before: dict[str, Json], after: dict[str, Json]) -> Iterator[str]:
    if after.keys() - before.keys():
        yield "item added"
    if before.keys() - after.keys():
        yield "item gone"
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if old["price"]["id"] != new["price"]["id"]:
            yield "plan"
            moved = old["price"]["recurring"]["interval"] != new["price"]["recurring"]["interval"]
            same = old["price"]["unit_amount"] == new["price"]["unit_amount"] is not None
            yield "interval" if moved else "same price" if same else "plan"
        if old.get("quantity") != new.get("quantity"):
            yield "quantity" if new["quantity"] else "no quantity"


def _holds(sold: Json) -> Iterator[str]:
    own, items = sold["discounts"], [item["discounts"] for item in sold["items"]["data"]]
    if len(own) > 1:
        yield "stacked"
    if own and any(items):
        yield "on item and subscription"


def _by_id(sold: Json) -> dict[str, Json]:
    return {item["id"]: item for item in sold["items"]["data"]}


def _discounts(sold: Json) -> set[str]:
    inner = [discount["id"] for item in sold["items"]["data"] for discount in item["discounts"]]
    return {*inner, *(discount["id"] for discount in sold["discounts"])}


def test_every_kind_of_discount_is_given_to_items_subscriptions_and_customers() -> None:
    seen = {
        (discount["coupon"]["duration"], discount["coupon"]["percent_off"] is None, holder)
        for life in told("subscription")
        for sold in life
        for holder, discounts in (
            ("subscription", sold["discounts"]),
            ("item", [each for item in sold["items"]["data"] for each in item["discounts"]]),
        )
        for discount in discounts
    }
    assert len(seen) == 3 * 2 * 2
    customers = [who["discount"]["coupon"] for life in told("customer") for who in life if who.get("discount")]
    assert {coupon["duration"] for coupon in customers} == {"forever", "repeating", "once"}


def test_rare_plans_are_sold_and_some_customers_pay_in_two_currencies() -> None:
    families: set[str] = set()
    currencies: Counter[int] = Counter()
    for seed in range(1, 5):
        past = history(seed=seed, months=18, customers=150, kinds=())
        list(past.changes())
        world = past.company.world
        for who in world.customers.newest(0, len(world.customers)):
            families |= {item.plan.family for sold in who.subscriptions for item in sold.items}
            currencies[len({sold.currency for sold in who.subscriptions})] += 1
    assert families >= RARE
    assert currencies[2] > 0
