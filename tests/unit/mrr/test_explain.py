"""Explaining a number: its items, their steps, and the records behind it."""

import json

from typer.testing import CliRunner

from services.mrr.commands import commands
from services.mrr.explain import explain, records_behind
from services.mrr.in_force import InForce
from services.mrr.policy import STRIPE
from tests.unit.mrr.build import customer, discount, item, price, subscription
from tests.unit.mrr.story import Story, day


def _told() -> Story:
    told = Story().see(customer(discount(percent=10)), 0, change="created")
    told.see(subscription(item(price(12_000, "year"))), 0, change="created")
    return told.see(subscription(item(price(12_000, "year"), 2)), 30)


def test_an_explanation_adds_up_and_says_by_which_steps() -> None:
    (found,) = explain(_told().state(), InForce(STRIPE), day(10) * 1_000_000)
    assert (found.currency, found.mrr) == ("usd", 900)
    assert [one.steps for one in found.items] == [
        ("12000 × 1: 12000", "× 1/12 (every 1 year)", "− 10 % (discount di_1)")
    ]
    assert sum(one.mrr for one in found.items) == found.mrr


def test_an_explanation_of_another_day_is_that_of_what_held_then() -> None:
    (found,) = explain(_told().state(), InForce(STRIPE), day(40) * 1_000_000)
    assert (found.mrr, [one.quantity for one in found.items]) == (1800, [2])


def test_the_records_behind_a_number_are_named() -> None:
    names = [(one["object"], one["offset"]) for one in records_behind(_told().state(), day(40) * 1_000_000)]
    assert names == [("sub_1", 1), ("sub_1", 2), ("cus_1", 0)]


def test_an_explanation_can_be_written_as_json() -> None:
    (found,) = explain(_told().state(), InForce(STRIPE), day(10) * 1_000_000)
    assert json.loads(json.dumps(found.encode()))["items"][0]["exact"] == "900"


def test_the_policies_can_be_listed_for_people_and_for_scripts() -> None:
    shown = CliRunner().invoke(commands, ["policies"], env={"COLUMNS": "200"})
    assert "stripe/1 (default)" in shown.output
    listed = json.loads(CliRunner().invoke(commands, ["policies", "--json"]).output)
    assert listed["baremetrics"]["past_due_grace_days"] == 30
