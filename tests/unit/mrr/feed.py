"""The simulated company's objects as raw records, as a poller would publish them: bytes, headers, versions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.records import Record
from schemas.catalogue import RAW_TOPICS
from schemas.envelope import Change, Envelope, RawAttributes
from schemas.partition import partition_of
from schemas.subjects import stripe_subject
from simulator.company.model import Customer
from simulator.founding import Company
from simulator.render.all import RENDERERS
from simulator.render.view import Shape, Tree, View

CONNECTION = "con_test"
WORKSPACE = "ws_test"
ASKED = Tree(discounts=Tree(), items=Tree(data=Tree(discounts=Tree())))
EXPANDED = frozenset({"discounts", "items.data.discounts"})


def raw_record(
    kind: str,
    obj: dict[str, Any],
    *,
    at: float,
    version: int,
    change: Change = "updated",
    offset: int = 0,
    connection: str = CONNECTION,
    workspace: str = WORKSPACE,
) -> Record:
    """The raw record of an object observed at a Unix time."""
    observed = datetime.fromtimestamp(at, UTC)
    owner = obj["id"] if kind == "customer" else obj.get("customer") or obj["id"]
    subject = stripe_subject(connection, owner)
    raw = RawAttributes(change, "acct_1", livemode=False, observed_at=observed, expanded=EXPANDED, version=version)
    topic = RAW_TOPICS[kind]
    envelope = Envelope(
        id=f"{obj['id']}@{version}",
        source="stripe/acct_1",
        type=topic.name,
        time=observed,
        subject=subject,
        workspace_id=workspace,
        object_id=obj["id"],
        connection_id=connection,
        extra=raw.extra(),
    )
    return Record(
        topic=topic.name,
        partition=partition_of(subject, topic.partitions),
        offset=offset,
        key=f"{subject}#{obj['id']}@{version}".encode(),
        value=json.dumps(obj).encode(),
        headers=envelope.headers(),
        timestamp_ms=0,
    )


@dataclass
class Feed:
    """Publishes what of a company differs from what was published before."""

    company: Company
    shape: Shape = Shape.BASIL
    _seen: dict[str, str] = field(default_factory=dict)
    _version: int = 0

    def backfill(self, *, invoices_since: float) -> Iterator[Record]:
        """Everything, as a first sync: subscriptions first, then customers, then invoices, newest first."""
        shelf = self.company.world.customers
        everybody = [shelf[number] for number in range(len(shelf))]
        for kind in ("subscription", "customer", "invoice"):
            for customer in everybody:
                for obj in self._objects(kind, customer):
                    if kind != "invoice" or obj["created"] >= invoices_since:
                        yield from self._publish(kind, obj, "backfilled")

    def changes(self, numbers: set[int]) -> Iterator[Record]:
        """What changed of these customers, each object as it is now."""
        for number in sorted(numbers):
            customer = self.company.world.customers[number]
            for kind in ("customer", "subscription", "invoice"):
                for obj in self._objects(kind, customer):
                    yield from self._publish(kind, obj, "updated" if obj["id"] in self._seen else "created")

    def _publish(self, kind: str, obj: dict[str, Any], change: Change) -> Iterator[Record]:
        text = json.dumps(obj, sort_keys=True)
        if self._seen.get(obj["id"]) != text:
            self._seen[obj["id"]] = text
            self._version += 1
            yield raw_record(kind, obj, at=self.company.world.now, version=self._version, change=change)

    def _objects(self, kind: str, customer: Customer) -> Iterator[dict[str, Any]]:
        view = View(self.company.ids, self.shape, False, "token", "Acme", RENDERERS)
        if kind == "customer":
            yield view.render("customer", customer)
        elif kind == "subscription":
            for subscription in customer.subscriptions:
                yield view.render("subscription", subscription, ASKED)
        else:
            for invoice in reversed(customer.invoices[-3:]):
                yield view.render("invoice", invoice)
