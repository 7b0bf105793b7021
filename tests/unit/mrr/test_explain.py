"""Explaining a number: its items, their steps, and the records behind it."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from services.mrr.commands import commands
from services.mrr.explain import explain, records_behind
from services.mrr.in_force import InForce
from services.mrr.looking import Seen
from services.mrr.policy import STRIPE
from services.mrr.tracks import INVOICES, SUBSCRIPTIONS
from tests.unit.mrr.build import Json, customer, discount, invoice, item, line, price, subscription
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import Story, day
from tests.unit.mrr.test_said import identify


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


def _taxed(tax: int, on: int) -> Json:
    told = [{"amount": tax, "tax_behavior": "inclusive"}] if tax else []
    return invoice(line(1200, start=day(on), taxes=told), name=f"in_{on}")


@pytest.mark.parametrize(("tax", "worth"), [(120, 1080), (0, 1200)])
def test_an_inclusive_tax_that_only_invoices_show_is_that_of_each_period(tax: int, worth: int) -> None:
    told = Story().see(subscription(item(price(1200, tax_behavior="inclusive"))), 0, change="created")
    told.see(_taxed(200, 0), 0).see(_taxed(tax, 31), 31)
    assert told.rows(40) == [(0, 0, 1000, "new"), (31, 1000, worth, "expansion")]
    (found,) = explain(told.state(), InForce(STRIPE), day(40) * 1_000_000)
    assert [one.mrr for one in found.items] == [found.mrr] == [worth]


@pytest.mark.parametrize("behaviour", [{}, {"tax_behavior": "unspecified"}], ids=["older", "unspecified"])
@pytest.mark.parametrize(("tax", "worth"), [(200, 1000), (0, 1200)])
def test_an_inclusive_tax_that_invoices_show_is_taken_out_of_a_price_that_leaves_it_unsaid(
    behaviour: Json, tax: int, worth: int
) -> None:
    told = Story().see(subscription(item(price(1200, **behaviour))), 0, change="created").see(_taxed(tax, 0), 0)
    assert told.rows(10) == [(0, 0, worth, "new")]
    assert [one.basis for one in told.play().movements][-1] == ("invoice" if tax else "subscription")


def _untold() -> Json:
    return subscription(item(price(1200, tax_behavior="inclusive")), automatic_tax={"enabled": True})


def test_a_tax_that_stripe_works_out_is_marked_until_an_invoice_shows_it() -> None:
    told = Story().see(_untold(), 0, change="created")
    (found,) = explain(told.state(), InForce(STRIPE), day(10) * 1_000_000)
    assert [(one.mrr, one.basis) for one in found.items] == [(1200, "unknown")]
    assert "cannot be read" in found.items[0].steps[-1]


@pytest.mark.parametrize(("tax", "worth", "basis"), [(200, 1000, "invoice"), (0, 1200, "subscription")])
def test_a_tax_that_stripe_works_out_is_as_its_invoice_shows_it(tax: int, worth: int, basis: str) -> None:
    told = Story().see(_untold(), 0, change="created").see(_taxed(tax, 0), 0)
    (found,) = explain(told.state(), InForce(STRIPE), day(10) * 1_000_000)
    assert [(one.mrr, one.basis) for one in found.items] == [(worth, basis)]
    assert "unknown" not in {one.basis for one in found.rows[-1:]}


def test_the_invoice_of_a_price_that_leaves_its_tax_unsaid_is_among_the_records() -> None:
    told = Story().see(subscription(item(price(1200))), 0, change="created").see(_taxed(200, 0), 0)
    (found,) = explain(told.state(), InForce(STRIPE), day(10) * 1_000_000)
    assert [(cause.topic, cause.offset) for cause in found.items[0].behind] == [(SUBSCRIPTIONS, 0), (INVOICES, 1)]


def test_a_tax_that_another_version_of_the_invoice_does_not_show_is_no_longer_taken_out() -> None:
    told = Story().see(subscription(item(price(1200))), 0, change="created").see(_taxed(200, 0), 0)
    told.see(_taxed(0, 0), 0)
    assert told.rows(10) == [(0, 0, 1200, "new")]


@pytest.mark.parametrize(
    ("shown", "billed"),
    [
        (subscription(item(price(1200, tax_behavior="inclusive"))), _taxed(200, 0)),
        (subscription(discounts=["di_x"]), invoice(line(1000, discount_amounts=[{"amount": 250, "discount": "di_x"}]))),
        (
            subscription(item(discounts=["di_x"])),
            invoice(line(1000, discount_amounts=[{"amount": 250, "discount": "di_x"}])),
        ),
    ],
    ids=["a tax", "a discount", "a discount of the item"],
)
def test_the_invoice_that_an_unreadable_tax_or_discount_is_taken_from_is_among_the_records(
    shown: Json, billed: Json
) -> None:
    told = Story().see(shown, 0, change="created").see(billed, 0)
    (found,) = explain(told.state(), InForce(STRIPE), day(10) * 1_000_000)
    (only,) = found.items
    assert [(cause.topic, cause.offset) for cause in only.behind] == [(SUBSCRIPTIONS, 0), (INVOICES, 1)]


def test_an_explanation_can_be_written_as_json() -> None:
    (found,) = explain(_told().state(), InForce(STRIPE), day(10) * 1_000_000)
    assert json.loads(json.dumps(found.encode()))["items"][0]["exact"] == "900"


def test_an_id_that_looks_like_markup_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay().take([identify({"mrr": 49}, 1, name="m[/x]", user="u[/b]")])
    (state,) = replay.states.values()
    monkeypatch.setattr("services.mrr.commands.looking", nullcontext)
    monkeypatch.setattr("services.mrr.commands.ledgers_of", lambda *_: [Seen(state, InForce(STRIPE), "UTC")])
    monkeypatch.setattr("services.mrr.commands.now_of", lambda _: datetime.fromtimestamp(day(10), UTC))
    done = CliRunner().invoke(commands, ["explain", "u[/b]", "--database-url", "postgresql://"])
    assert done.exception is None
    assert "u[/b]" in done.output
    assert "(message m[/x])" in done.output


def test_the_policies_can_be_listed_for_people_and_for_scripts() -> None:
    shown = CliRunner().invoke(commands, ["policies"], env={"COLUMNS": "200"})
    assert "stripe/1 (default)" in shown.output
    assert "Not as in profitwell: a customer that begins and ends within one month" in shown.output
    assert "Not as in chartmogul: ChartMogul takes MRR from the lines of invoices" in shown.output
    listed = json.loads(CliRunner().invoke(commands, ["policies", "--json"]).output)
    assert listed["baremetrics"]["past_due_grace_days"] == 30
