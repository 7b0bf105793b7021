"""What a rendering depends on besides the object: the API version, the mode, what is expanded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

from simulator.ids import Ids, Kind

Json = dict[str, Any]

INLINE = 10
"""Objects in a list inside an object; the rest is behind its `url`."""


class Shape(IntEnum):
    """The lines of API versions whose objects differ, oldest first."""

    ACACIA = 1
    BASIL = 2
    CLOVER = 3
    DAHLIA = 4
    ENDIVE = 5


class Tree(dict[str, "Tree"]):
    """What to expand: field by field, as deep as asked."""

    def of(self, field: str) -> "Tree":
        return self.get(field, EMPTY)


EMPTY = Tree()


@dataclass(frozen=True, slots=True)
class View:
    """How one request sees the company. `token` differs from request to request.

    `renderers` has the function for each kind of object, because objects expand one another in circles.
    """

    ids: Ids
    shape: Shape
    livemode: bool
    token: str
    business: str
    renderers: Mapping[str, "Renderer"]

    def id(self, kind: Kind, thing: Any) -> str:
        return self.ids.encode(kind, thing.number)

    def ref(self, tree: Tree, field: str, kind: Kind, thing: Any) -> str | Json | None:
        """An expandable field: the object when it was asked for, else its id."""
        if thing is None:
            return None
        expand = tree.get(field)
        return self.id(kind, thing) if expand is None else self.render(kind, thing, expand)

    def render(self, kind: Kind, thing: Any, tree: Tree = EMPTY) -> Json:
        return self.renderers[kind](self, thing, tree)


Renderer = Callable[[View, Any, Tree], Json]


def inline_list(url: str, rows: list[Json], whole: int, shape: Shape) -> Json:
    """A list inside an object: cut after the first few."""
    found: Json = {"object": "list", "data": rows, "has_more": whole > len(rows), "url": url}
    if shape == Shape.ACACIA:
        found["total_count"] = whole
    return found


def decimal_text(amount: Fraction | None) -> str | None:
    """A decimal string without trailing zeros, as `unit_amount_decimal` is."""
    if amount is None:
        return None
    if amount.denominator == 1:
        return str(amount.numerator)
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):.12f}".rstrip("0").rstrip(".")


def whole(amount: Fraction | None) -> int | None:
    """The amount if it is an integer, else None, as `unit_amount` is."""
    return amount.numerator if amount is not None and amount.denominator == 1 else None


def address(country: str | None) -> Json:
    return {"city": None, "country": country, "line1": None, "line2": None, "postal_code": None, "state": None}
