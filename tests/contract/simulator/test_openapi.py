"""Every object that the simulator shows has the shape that Stripe's OpenAPI document gives it, version by version."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import stripe
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from simulator.changes import KINDS, history
from simulator.company.model import Charge
from simulator.founding import Company
from simulator.render.all import RENDERERS
from simulator.render.view import Json, Shape, Tree, View
from simulator.vast.account import vast
from tests.contract.simulator.openapi.cut import CUT
from tests.contract.simulator.openapi.differences import BESIDE, definitions

SHAPES = (Shape.ACACIA, Shape.BASIL, Shape.CLOVER, Shape.DAHLIA)
EACH = 60
"""Objects of a kind that are looked at, spread over its life."""


@cache
def validator(kind: str, shape: Shape) -> Any:
    schema = {"$ref": f"#/$defs/{kind}", "$defs": definitions(json.loads(CUT.read_text()), shape)}
    return Draft202012Validator(schema)


def faults(kind: str, shown: Json, shape: Shape) -> list[str]:
    """What the document does not allow in an object: where, and why."""
    return [
        f"{kind}.{'.'.join(map(str, leaf.absolute_path))}: {leaf.message[:200]}"
        for error in validator(kind, shape).iter_errors(shown)
        for leaf in _leaves(error)
    ]


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """Of the alternatives that an object could have been, the nearest."""
    alternatives: dict[Any, list[ValidationError]] = defaultdict(list)
    for inner in error.context or ():
        alternatives[inner.schema_path[0]].append(inner)
    if not alternatives:
        yield error
        return
    for inner in min(alternatives.values(), key=lambda errors: (_of_type(errors), len(errors))):
        yield from _leaves(inner)


def _of_type(errors: list[ValidationError]) -> bool:
    return any(error.validator in {"type", "enum"} and not error.relative_path for error in errors)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.lower())
def test_every_state_of_every_object_is_one_that_the_document_allows(shape: Shape) -> None:
    lives: dict[str, list[Json]] = defaultdict(list)
    for change in history(seed=3, months=8, customers=120, shape=shape).changes():
        lives["deleted_customer" if change.object.get("deleted") else change.kind].append(change.object)
    assert lives.keys() >= set(KINDS)
    found = Counter(
        fault
        for kind, objects in lives.items()
        for shown in objects[:: max(1, len(objects) // EACH)]
        for fault in faults(kind, shown, shape)
    )
    assert dict(found) == {}


EXPANDED: dict[str, Tree] = {
    "subscription": Tree(customer=Tree(), latest_invoice=Tree(payments=Tree(), discounts=Tree()), discounts=Tree()),
    "invoice": Tree(customer=Tree(), discounts=Tree(), payments=Tree(data=Tree(payment=Tree(payment_intent=Tree())))),
    "charge": Tree(customer=Tree(), payment_intent=Tree(), refunds=Tree()),
    "payment_intent": Tree(customer=Tree(), latest_charge=Tree()),
    "customer": Tree(subscriptions=Tree(data=Tree(latest_invoice=Tree()))),
    "dispute": Tree(charge=Tree(), payment_intent=Tree()),
}


def expanded(company: Company, shape: Shape) -> Iterator[tuple[str, Json]]:
    """Objects with everything expanded that a read-only key can expand."""
    view = View(company.ids, shape, False, "token", "Acme", RENDERERS)
    world = company.world
    shelves: dict[str, Any] = {
        "subscription": world.subscriptions,
        "invoice": world.invoices,
        "charge": world.charges,
        "payment_intent": world.intents,
        "customer": world.customers,
        "dispute": world.disputes,
    }
    for kind, shelf in shelves.items():
        for place, thing in enumerate(shelf.newest(0, len(shelf))):
            if place >= 40:
                break
            debit = isinstance(thing, Charge) and thing.method.kind != "card"
            yield kind, view.render("bank_charge" if debit else _kind(kind), thing, EXPANDED[kind])


def _kind(name: str) -> Any:
    return name


@pytest.mark.parametrize("shape", [Shape.BASIL, Shape.DAHLIA], ids=lambda shape: shape.name.lower())
@pytest.mark.parametrize("size", ["living", "vast"])
def test_expanded_objects_are_whole_objects(shape: Shape, size: str) -> None:
    if size == "vast":
        company = vast(customers=300, now=1_795_500_000, months=4)
    else:
        past = history(seed=5, months=6, customers=120, kinds=())
        list(past.changes())
        company = past.company
    found = Counter(
        fault
        for kind, shown in expanded(company, shape)
        if not shown.get("deleted")
        for fault in faults(kind, shown, shape)
    )
    assert dict(found) == {}


def test_what_the_document_does_not_have_is_refused() -> None:
    company = vast(customers=10, now=1_795_500_000, months=1)
    shown = next(shown for kind, shown in expanded(company, Shape.BASIL) if kind == "invoice")
    assert faults("invoice", {**shown, "colour": "red"}, Shape.BASIL)
    assert faults("invoice", {**shown, "status": "mislaid"}, Shape.BASIL)
    assert faults("invoice", {**shown, "total": "12"}, Shape.BASIL)
    assert faults("invoice", shown, Shape.ACACIA)


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, fields in BESIDE.items() for field in fields])
def test_what_is_shown_beside_the_document_is_in_the_sdks_types(name: str, field: str) -> None:
    types: dict[str, Any] = {
        "subscription_item": stripe.SubscriptionItem,
        "recurring": stripe.Price.Recurring,
        "charge": stripe.Charge,
        "payment_intent": stripe.PaymentIntent,
    }
    assert field in types[name].__annotations__
