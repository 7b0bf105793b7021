"""A simulated account as the raw records that the poller publishes at connect: bytes and headers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat

from schemas.catalogue import RAW_TOPICS, Topic
from schemas.envelope import Envelope, Headers, RawAttributes
from schemas.subjects import stripe_subject
from simulator.company.life import Growth
from simulator.founding import Company, found
from simulator.render.all import RENDERERS
from simulator.render.view import Shape, Tree, View

CONNECTION = "con_bench"
_ASKED = Tree(discounts=Tree(), items=Tree(data=Tree(discounts=Tree())))
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record to be published."""

    topic: Topic
    subject: str
    key: str
    value: bytes
    headers: Headers


def account(customers: int, *, seed: int = 1) -> Company:
    """A company that has sold to so many customers in 90 days."""
    return found(seed=seed, now=int(_NOW.timestamp()), growth=Growth(customers=customers))


def subscriptions(company: Company) -> Iterator[bytes]:
    """Every subscription as Stripe sends it, indented and all."""
    view = _view(company)
    shelf = company.world.subscriptions
    for place in range(len(shelf)):
        yield json.dumps(view.render("subscription", shelf[place], _ASKED), indent=2).encode()


def raw_records(company: Company) -> Iterator[RawRecord]:
    """Every customer with its subscriptions and their invoices, as a first sync publishes them."""
    view, world = _view(company), company.world
    sold = (world.subscriptions[place] for place in range(len(world.subscriptions)))
    met = (world.customers[place] for place in range(len(world.customers)))
    billed = (world.invoices[place] for place in range(len(world.invoices)))
    things = chain(zip(repeat("subscription"), sold), zip(repeat("customer"), met), zip(repeat("invoice"), billed))
    for version, (kind, thing) in enumerate(things, start=1):
        yield _record(kind, view.renderers[kind](view, thing, _ASKED if kind == "subscription" else Tree()), version)


def _view(company: Company) -> View:
    return View(company.ids, Shape.BASIL, False, "token", "Acme", RENDERERS)


def _record(kind: str, obj: dict[str, object], version: int) -> RawRecord:
    name, owner = str(obj["id"]), str(obj["id"] if kind == "customer" else obj["customer"])
    subject = stripe_subject(CONNECTION, owner)
    raw = RawAttributes("backfilled", "acct_1", livemode=False, observed_at=_NOW, expanded=frozenset(), version=version)
    topic = RAW_TOPICS[kind]
    envelope = Envelope(
        id=f"{name}@{version}",
        source="bench",
        type=topic.name,
        time=_NOW,
        subject=subject,
        workspace_id="ws_bench",
        object_id=name,
        connection_id=CONNECTION,
        extra=raw.extra(),
    )
    value = json.dumps(obj, indent=2).encode()
    return RawRecord(topic, subject, f"{subject}#{name}@{version}", value, envelope.headers())
