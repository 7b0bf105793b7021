"""Lists and searches as values: what is asked for, page by page. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from services.poller.kinds import OBJECTS, Kind

PAGE = 100


@dataclass(frozen=True, slots=True)
class Query:
    """A list (or a search, where `search` holds its query) of one kind, newest first.

    `created_from` and `created_before` bound it by creation, in Unix seconds of Stripe's clock: from and including
    the first, up to and excluding the second. `expand` is relative to the listed object.
    """

    kind: Kind
    filters: Mapping[str, str] = field(default_factory=dict)
    expand: frozenset[str] = frozenset()
    search: str | None = None
    created_from: int | None = None
    created_before: int | None = None
    limit: int = PAGE

    @property
    def path(self) -> str:
        path = OBJECTS[self.kind].path
        return path if self.search is None else f"{path}/search"

    @property
    def expand_in_list(self) -> frozenset[str]:
        """The expansions as a list's answer names them."""
        return frozenset(f"data.{path}" for path in self.expand)

    def between(self, created_from: int | None, created_before: int | None) -> "Query":
        """The same, of what was created in this range."""
        return replace(self, created_from=created_from, created_before=created_before)

    def parameters(self, *, after: str | None = None, page: str | None = None) -> dict[str, object]:
        """The query's parameters, as the SDK takes them. `after` continues a list, `page` a search."""
        found: dict[str, object] = {"limit": self.limit, **self.filters}
        if self.expand:
            found["expand"] = sorted(self.expand_in_list)
        if self.search is not None:
            found["query"] = self.search
            return {**found, **({"page": page} if page else {})}
        created = {"gte": self.created_from, "lt": self.created_before}
        if bounds := {name: at for name, at in created.items() if at is not None}:
            found["created"] = bounds
        return {**found, **({"starting_after": after} if after else {})}


def encode(parameters: Mapping[str, object]) -> str:
    """Parameters as Stripe writes them in an address: `created[gte]=1`, `expand[0]=data.customer`."""
    pairs: list[tuple[str, object]] = []
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            pairs.extend((f"{name}[{inner}]", each) for inner, each in value.items())
        elif isinstance(value, list | tuple):
            pairs.extend((f"{name}[{index}]", each) for index, each in enumerate(value))
        else:
            pairs.append((name, value))
    return urlencode(pairs).replace("%5B", "[").replace("%5D", "]")
