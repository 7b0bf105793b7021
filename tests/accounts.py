"""A simulated account as the raw records that a poller would make of it: without HTTP, Kafka or a clock.

`Observer.look()` reads the whole account and gives a record for every object that changed since the look before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from pipeline.records import Record
from schemas.catalogue import DATA_PARTITIONS, RAW_TOPICS
from schemas.envelope import Change, Envelope, RawAttributes
from schemas.ids import raw_id
from schemas.partition import partition_of
from schemas.subjects import kept_key, stripe_subject
from simulator.founding import Company
from simulator.ids import Kind
from simulator.render.all import RENDERERS
from simulator.render.payments import charge_kind
from simulator.render.view import Json, Shape, Tree, View

WORKSPACE = "ws_test"
CONNECTION = "con_test"

_EXPANDED: dict[str, Tree] = {
    "customer": Tree(discount=Tree()),
    "subscription": Tree(discounts=Tree(), items=Tree(data=Tree(discounts=Tree()))),
    "invoice": Tree(payments=Tree(), discounts=Tree()),
    "charge": Tree(),
    "payment_intent": Tree(),
    "dispute": Tree(),
}


def objects(company: Company, kind: str, *, shape: Shape = Shape.BASIL) -> Iterator[tuple[str, Json]]:
    """(customer id, object) of every object of a kind as it is now; a customer that is gone as Stripe answers it."""
    ids, world = company.ids, company.world
    view = View(ids=ids, shape=shape, livemode=False, token="token", business="Acme", renderers=RENDERERS)
    shelves: dict[str, Any] = {
        "customer": world.customers,
        "subscription": world.subscriptions,
        "invoice": world.invoices,
        "charge": world.charges,
        "payment_intent": world.intents,
        "dispute": world.disputes,
    }
    shelf = shelves[kind]
    for place in range(len(shelf)):
        thing = shelf[place]
        owner = ids.encode("customer", (thing if kind == "customer" else thing.customer).number)
        if kind == "customer" and thing.deleted_at is not None:
            yield owner, {"id": owner, "object": "customer", "deleted": True}
        else:
            rendered = charge_kind(thing) if kind == "charge" else cast(Kind, kind)
            yield owner, view.render(rendered, thing, _EXPANDED[kind])


@dataclass
class Observer:
    """Looks at an account again and again, as one connection of one workspace."""

    company: Company
    connection_id: str = CONNECTION
    workspace_id: str = WORKSPACE
    shape: Shape = Shape.BASIL
    kinds: tuple[str, ...] = tuple(RAW_TOPICS)
    _known: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)
    _version: int = 1 << 40

    def look(self) -> list[Record]:
        """What changed since the look before, observed at the company's present."""
        return [record for kind in self.kinds for record in self._changes(kind)]

    def _changes(self, kind: str) -> Iterator[Record]:
        for owner, obj in objects(self.company, kind, shape=self.shape):
            value = json.dumps(obj).encode()
            before = self._known.get(obj["id"])
            if before is None or before[0] != value:
                change: Change = "backfilled" if before is None else "deleted" if obj.get("deleted") else "updated"
                record = self._record(kind, owner, obj["id"], value, change, previous_id=before[1] if before else "")
                self._known[obj["id"]] = (value, record.id)
                yield record

    def _record(
        self, kind: str, owner: str, object_id: str, value: bytes, change: Change, *, previous_id: str
    ) -> Record:
        topic, subject = RAW_TOPICS[kind].name, stripe_subject(self.connection_id, owner)
        partition = partition_of(subject, DATA_PARTITIONS)
        offset = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = offset + 1
        self._version += 1
        observed_at = datetime.fromtimestamp(self.company.world.now, UTC)
        raw = RawAttributes(
            change=change,
            account=self.company.ids.account,
            livemode=False,
            observed_at=observed_at,
            expanded=frozenset(_EXPANDED[kind]),
            version=self._version,
        )
        envelope = Envelope(
            id=raw_id(
                connection_id=self.connection_id,
                object_id=object_id,
                fingerprint=sha256(value).hexdigest(),
                previous_id=previous_id,
            ),
            source=f"stripe/{self.company.ids.account}",
            type=topic,
            time=observed_at,
            subject=subject,
            workspace_id=self.workspace_id,
            object_id=object_id,
            connection_id=self.connection_id,
            extra=raw.extra(),
        )
        return Record(
            topic=topic,
            partition=partition,
            offset=offset,
            key=kept_key(subject, object_id, self._version).encode(),
            value=value,
            headers=envelope.headers(),
            timestamp_ms=0,
        )
