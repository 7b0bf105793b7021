"""A change as the record that the producer takes: its topic, its key, its headers. Pure.

A first sync makes one of every object, and all but three of its headers are those of the whole page: they are made
once for all records that share them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from schemas.catalogue import RAW_TOPICS, Topic
from schemas.envelope import Envelope, Headers, RawAttributes, own_headers
from schemas.subjects import kept_key
from services.poller.publishing.changes import RawRecord


@dataclass(frozen=True, slots=True)
class Origin:
    """What every record of a connection says of where it is from. `account_id` is None where nobody names it."""

    connection_id: str
    workspace_id: str
    account_id: str | None
    livemode: bool


class Ready(msgspec.Struct, frozen=True):
    """A record as the producer takes it."""

    topic: Topic
    subject: str
    key: str
    value: bytes
    headers: Headers


def ready(records: Iterable[RawRecord], origin: Origin) -> list[Ready]:
    """Where each record goes and what it says of itself, in their order."""
    shared: dict[object, Headers] = {}
    made = []
    for record in records:
        alike = (record.kind, record.change, record.version, record.expanded)
        if alike not in shared:
            shared[alike] = envelope_of(record, origin).shared_headers()
        own = own_headers(id=record.id, subject=record.subject, object_id=record.object_id)
        key = kept_key(record.subject, record.object_id, record.version)
        made.append(Ready(RAW_TOPICS[record.kind], record.subject, key, record.value, own + shared[alike]))
    return made


def envelope_of(record: RawRecord, origin: Origin) -> Envelope:
    """The CloudEvents attributes of a raw record."""
    attributes = RawAttributes(
        change=record.change,
        account=origin.account_id or "",
        livemode=origin.livemode,
        observed_at=record.observed_at,
        expanded=record.expanded,
        version=record.version,
    )
    return Envelope(
        id=record.id,
        source=f"/stripe/{origin.account_id or origin.connection_id}",
        type=RAW_TOPICS[record.kind].name,
        time=record.observed_at,
        subject=record.subject,
        object_id=record.object_id,
        workspace_id=origin.workspace_id,
        connection_id=origin.connection_id,
        extra=attributes.extra(),
    )
