"""Customers and users of several companies who say who they are, as records: of Stripe's and of the product's."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from pipeline.records import Record
from schemas.catalogue import PRODUCT_IDENTIFY, PRODUCT_TRACK, RAW_TOPICS, Topic
from schemas.envelope import Envelope, RawAttributes
from schemas.events.product import ProductMessage
from schemas.ids import product_id
from schemas.partition import partition_of
from schemas.subjects import kept_key, product_subject, stripe_subject

START = datetime(2026, 8, 1, tzinfo=UTC).timestamp()


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


def customer(name: str, version: int, *, connection: str = "con_1", workspace: str = "ws_1", **fields: Any) -> Record:
    """A raw record of a customer, seen a minute after its version before."""
    subject, topic = stripe_subject(connection, name), RAW_TOPICS["customer"].name
    raw = RawAttributes(
        "updated", "acct_1", livemode=True, observed_at=at(version * 60), expanded=frozenset(), version=version
    )
    envelope = Envelope(
        id=f"{workspace}-{subject}@{version}",
        source="stripe/acct_1",
        type=topic,
        time=at(version * 60),
        subject=subject,
        workspace_id=workspace,
        object_id=name,
        connection_id=connection,
        extra=raw.extra(),
    )
    obj = {"id": name, "object": "customer", "metadata": {}, **fields}
    key = kept_key(subject, name, version)
    return _record(topic, envelope, key, json.dumps(obj).encode())


def user(name: str, number: int, *, workspace: str = "ws_1", **traits: Any) -> Record:
    """What identify() tells of a user; `number` is both when it happened and its id."""
    return _told(PRODUCT_IDENTIFY, workspace, number, type="identify", user_id=name, traits=traits)


def tracked(name: str | None, number: int, *, workspace: str = "ws_1", anonymous: str | None = None) -> Record:
    """What track() tells that a user, or somebody who is not known yet, did."""
    return _told(
        PRODUCT_TRACK, workspace, number, type="track", user_id=name, anonymous_id=anonymous, event="Report exported"
    )


def _told(topic: Topic, workspace: str, number: int, **said: Any) -> Record:
    message_id = f"m{number}"
    subject = product_subject(workspace, user_id=said.get("user_id"), anonymous_id=said.get("anonymous_id"))
    message = ProductMessage(message_id=message_id, timestamp=at(number * 60), received_at=at(number * 60), **said)
    envelope = Envelope(
        id=product_id(workspace_id=workspace, message_id=message_id),
        source="dropfix/intake",
        type=topic.name,
        time=at(number * 60),
        subject=subject,
        workspace_id=workspace,
        object_id=message_id,
    )
    return _record(topic.name, envelope, kept_key(subject, message_id, number), message.encode())


def _record(topic: str, envelope: Envelope, key: str, value: bytes) -> Record:
    partition = partition_of(envelope.subject, 8)
    return Record(topic, partition, 0, key.encode(), value, envelope.headers(), timestamp_ms=0)


def crowd(seed: int, count: int, *, workspaces: tuple[str, ...] = ("ws_1", "ws_2")) -> list[Record]:
    """Customers and users of some workspaces who change addresses that others have too."""
    draw, told = Random(seed), []
    for number in range(1, count + 1):
        workspace = draw.choice(workspaces)
        email = draw.choice([None, *(f"p{n}@example.com" for n in range(6))])
        if draw.random() < 0.5:
            told.append(user(f"u_{draw.randrange(8)}", number, workspace=workspace, email=email))
            continue
        name, connection = f"cus_{draw.randrange(8)}", f"con_{workspace}_{draw.randrange(2)}"
        named = {"metadata": {"user_id": f"u_{draw.randrange(12)}"}} if draw.random() < 0.3 else {}
        gone = {"deleted": True} if draw.random() < 0.08 else {"email": email, **named}
        told.append(customer(name, number, connection=connection, workspace=workspace, **gone))
    return told
