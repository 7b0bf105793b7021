"""Query parameters, read and refused as Stripe does."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from simulator.errors import ApiError

_NESTED = re.compile(r"([a-z_]+)\[([a-z_0-9]*)\](?:\[([a-z_]*)\])?")
_BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass(slots=True)
class Span:
    """Bounds of an integer: low <= value < high."""

    low: int | None = None
    high: int | None = None

    def holds(self, value: int | None) -> bool:
        if value is None:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


@dataclass(slots=True)
class Query:
    """A request's parameters: plain ones, `name[part]` ones, and the paths to expand."""

    plain: dict[str, str] = field(default_factory=dict)
    nested: dict[str, dict[str, str]] = field(default_factory=dict)
    expand: list[str] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        return self.plain.get(name)

    def choice(self, name: str, options: Collection[str]) -> str | None:
        value = self.plain.get(name)
        if value is not None and value not in options:
            listed = ", ".join(sorted(options))
            raise ApiError(400, f"Invalid {name}: must be one of {listed}", param=name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.plain.get(name)
        return None if value is None else _integer(name, value)

    def limit(self) -> int:
        """How many objects a page may have, 10 unless told; raises Stripe's 400 outside of 1 to 100."""
        value = self.integer("limit")
        if value is None:
            return 10
        if not 1 <= value <= 100:
            word = "greater than or equal to 1" if value < 1 else "less than or equal to 100"
            raise ApiError(400, f"This value must be {word}.", code="parameter_invalid_integer", param="limit")
        return value

    def span(self, name: str) -> Span | None:
        """`name=5`, or `name[gte]=5` and its like."""
        exact = self.integer(name)
        if exact is not None:
            return Span(exact, exact + 1)
        parts = self.nested.get(name)
        if parts is None:
            return None
        found = Span()
        for part, value in parts.items():
            if part not in _BOUNDS:
                raise _unknown(f"{name}[{part}]")
            number = _integer(f"{name}[{part}]", value)
            if part.startswith("g"):
                low = number + (part == "gt")
                found.low = low if found.low is None else max(found.low, low)
            else:
                high = number + (part == "lte")
                found.high = high if found.high is None else min(found.high, high)
        return found


def parse(text: str, *, allowed: Collection[str]) -> Query:
    """The parameters of a query string; one that is not `allowed` is refused by name."""
    query = Query()
    for name, value in parse_qsl(text, keep_blank_values=True):
        nested = _NESTED.fullmatch(name)
        base = nested.group(1) if nested else name
        if base == "expand":
            query.expand.append(value)
        elif base not in allowed:
            raise _unknown(base)
        elif nested is None:
            query.plain[name] = value
        else:
            part = nested.group(2) if nested.group(3) is None else f"{nested.group(2)}.{nested.group(3)}"
            query.nested.setdefault(base, {})[part] = value
    return query


def _unknown(name: str) -> ApiError:
    return ApiError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ApiError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name) from None
