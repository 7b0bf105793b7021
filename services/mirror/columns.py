"""Columns: how a value of Stripe's JSON becomes a value that PostgreSQL takes, and what a table is made of.

A converter never fails: a field that is absent, null or of another type than Stripe documents is None, since one odd
object must not stop a table. Money stays integer minor units. Times stay Unix seconds; PostgreSQL converts them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.stripe.objects import StripeObject

ColumnType = Literal["text", "bigint", "boolean", "timestamptz", "jsonb"]
Value = str | int | bool | None
Row = dict[str, Value]

_MAX_BIGINT = 2**63 - 1
_MAX_SECONDS = 253_402_300_799
"""The end of the year 9999: what lies beyond is no time that Stripe sent."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of one kind of Stripe's objects.

    `columns` are those that hold the object's content, by name and type, in the order in which `read` gives them.
    `key` is the column of the object's id. `read` takes the object and the owner in its subject: the customer, or
    the object itself where Stripe names none.
    """

    kind: str
    name: str
    key: str
    columns: Mapping[str, ColumnType]
    read: Callable[[StripeObject, str], Row]


def text(value: object) -> str | None:
    """A string."""
    return value if isinstance(value, str) else None


def whole(value: object) -> int | None:
    """An integer that a bigint holds."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_MAX_BIGINT <= value <= _MAX_BIGINT else None


def flag(value: object) -> bool | None:
    """A boolean."""
    return value if isinstance(value, bool) else None


def seconds(value: object) -> int | None:
    """A time as Unix seconds."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MAX_SECONDS else None


def json(value: object) -> str | None:
    """Any JSON value, as text for a jsonb column."""
    return None if value is None else _encode(value).decode()
