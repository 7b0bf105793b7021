"""Deterministic identifiers: the same cause always has the same id, so publishing twice is visible as one.

The rules are those of the contract *Ids*: raw records form a chain per object, product messages are named by
their `messageId`, derived records by their subject, rule and cause, timers by subject, rule and `due_at`.
"""

from datetime import datetime
from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("6f1b7d8e-6d0a-5d0e-9a0e-0f7c1c0d9b52")


def _derive(kind: str, *parts: str) -> str:
    """A uuid5, written without making an object of it: there is one for every record."""
    digest = bytearray(sha1(NAMESPACE.bytes + "\x1f".join((kind, *parts)).encode(), usedforsecurity=False).digest())
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def raw_id(*, connection_id: str, object_id: str, fingerprint: str, previous_id: str) -> str:
    """Id of a raw observation; `previous_id` is that of the object's record before, empty for the first."""
    return _derive("raw", connection_id, object_id, fingerprint, previous_id)


def product_id(*, workspace_id: str, message_id: str) -> str:
    """Id of a message from identify() or track(); a retry with the same `messageId` has the same id."""
    return _derive("product", workspace_id, message_id)


def derived_id(*, subject: str, rule: str, cause_id: str, ordinal: int = 0) -> str:
    """Id of what a record caused; `ordinal` tells several effects of one cause under one rule apart."""
    return _derive("derived", subject, rule, cause_id, str(ordinal))


def timer_id(*, subject: str, rule: str, due_at: datetime, ordinal: int = 0) -> str:
    """Id of what a timer caused; `due_at` is an aware datetime, the instant that the timer was set to."""
    return _derive("timer", subject, rule, due_at.isoformat(), str(ordinal))


def decision_effect_id(*, decision_id: str, rule: str, ordinal: int = 0) -> str:
    """Id of what a person's act caused."""
    return _derive("act", decision_id, rule, str(ordinal))


def call_id(*, request_key: str) -> str:
    """Id of the audit record of one request to Stripe; `request_key` is unique per request made."""
    return _derive("call", request_key)
