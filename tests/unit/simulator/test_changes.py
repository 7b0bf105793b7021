"""The stream of raw changes: complete, in order, and as the company was at each."""

import json
from typing import Any

import pytest

from simulator.changes import EXPANDED, KINDS, Change, History, Watch, history
from simulator.company import customers
from simulator.company.life import Variety
from simulator.company.periods import DAY
from tests.accounts import objects


def short(seed: int, *, variety: Variety = "full") -> History:
    return history(seed=seed, months=6, customers=40, variety=variety)


@pytest.mark.parametrize("variety", ["usual", "full"])
@pytest.mark.parametrize("seed", range(3))
def test_the_last_change_of_every_object_is_the_object_as_it_is(seed: int, variety: Variety) -> None:
    past = short(seed, variety=variety)
    latest = {change.id: change.object for change in past.changes()}
    fresh = {change.id: change.object for change in Watch(past.company).look()}
    assert latest == fresh
    world = past.company.world
    billed = len(world.invoices) + len(world.charges) + len(world.intents) + len(world.disputes)
    assert len(latest) == len(world.customers) + len(world.subscriptions) + billed


@pytest.mark.parametrize("seed", range(2))
def test_nothing_changes_between_two_changes_that_are_told(seed: int) -> None:
    past = short(seed)
    known: dict[str, Any] = {}
    behind: dict[str, int] = {}
    for place, change in enumerate(past.changes()):
        known[change.id] = change.object
        behind.pop(change.id, None)
        assert all(at == change.at for at in behind.values()), "not told at the instant of its change"
        if place % 31 == 0:
            behind = {
                shown["id"]: change.at
                for _, shown in objects(past.company, "subscription")
                if known.get(shown["id"]) != shown
            }
    assert len(known) > 100


def test_changes_are_told_in_the_order_of_time_and_begin_with_a_creation() -> None:
    changes = list(short(1).changes())
    assert [change.at for change in changes] == sorted(change.at for change in changes)
    first: dict[str, Change] = {}
    for change in changes:
        first.setdefault(change.id, change)
    assert {change.change for change in first.values()} == {"created"}
    assert {change.kind for change in changes} == set(KINDS)
    assert all(change.object.get("customer", change.customer) == change.customer for change in changes)


def test_the_same_seed_tells_the_same_changes() -> None:
    assert list(short(3).changes()) == list(short(3).changes())


def test_what_belongs_to_an_object_is_shown_whole() -> None:
    found = [change for change in short(1).changes() if change.kind == "subscription" and change.object["discounts"]]
    assert EXPANDED["subscription"] == ("discounts", "items.data.discounts")
    assert all(discount["coupon"]["duration"] for change in found for discount in change.object["discounts"])
    assert found


def test_a_deletion_is_told_as_stripe_answers_it() -> None:
    past = short(1)
    list(past.changes())
    watch = Watch(past.company)
    list(watch.look())
    past.company.world.act(customers.delete, past.company.world.customers[0])
    told = {change.id: change for change in watch.look()}
    gone = told[past.company.ids.encode("customer", 0)]
    assert (gone.change, gone.object["deleted"]) == ("deleted", True)


def test_a_history_ends_after_its_months_and_its_truth_can_be_asked_of_each_day() -> None:
    past = short(2)
    json.dumps([change.object for change in past.changes()])
    assert past.company.world.now == past.ends_at == past.opened_at + 181 * DAY
    assert past.company.record.mrr_at(past.ends_at)
