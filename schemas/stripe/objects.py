"""Fields that most of Stripe's objects share, and how to reach what moved between versions of the API.

The accessor order follows the versions from newest to oldest; Stripe's change log between acacia (2024-09-30),
basil (2025-03-31), clover (2025-09-30) and dahlia (2026-03-25) is where each move comes from.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

StripeObject = Mapping[str, Any]
"""A decoded JSON object, so in truth a dict: asking for just that costs a fraction of asking for any Mapping."""


def instant(value: object) -> datetime | None:
    """Stripe's Unix seconds as an aware UTC datetime; None where the field is null or absent."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC)


def whole(value: object) -> int:
    """An integer that 64 bits hold, as amounts and counts are; what is none counts as 0."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else 0


def id_of(value: object) -> str | None:
    """The id of an expandable field, expanded or not."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict):
        found = value.get("id")
        return found if isinstance(found, str) else None
    return None


def expanded(value: object) -> StripeObject | None:
    """The object of an expandable field if the read expanded it."""
    return value if isinstance(value, dict) else None


def listed(value: object) -> tuple[StripeObject, ...]:
    """The members of a list inside an object, whether it is `{data: [...]}` or a bare array; ids are left out."""
    members = value.get("data") if isinstance(value, dict) else value
    if not isinstance(members, list):
        return ()
    return tuple(member for member in members if isinstance(member, dict))


def is_cut(value: object) -> bool:
    """Whether a list inside an object has more members than the object carries (only the first ten are inlined)."""
    return isinstance(value, dict) and bool(value.get("has_more"))


def path(value: object, *names: str) -> Any:
    """The field at a path, None as soon as a step is missing."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def customer_id(obj: StripeObject) -> str | None:
    """The customer an object belongs to; a customer is its own."""
    if obj.get("object") == "customer":
        return id_of(obj.get("id"))
    return id_of(obj.get("customer"))


def is_deleted(obj: StripeObject) -> bool:
    """Whether this is what Stripe answers for a deleted object: `{id, object, deleted: true}`."""
    return obj.get("deleted") is True


def metadata(obj: StripeObject) -> Mapping[str, str]:
    """The object's metadata, empty where there is none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def email_of(customer: StripeObject) -> str | None:
    """The customer's e-mail, trimmed and lower-cased for comparing; None where there is none."""
    found = customer.get("email")
    if not isinstance(found, str):
        return None
    return found.strip().lower() or None


def first(values: Iterator[str | None]) -> str | None:
    """The first value that is there."""
    return next((value for value in values if value), None)
