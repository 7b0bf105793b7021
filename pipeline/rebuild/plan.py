"""What a service says of its tables, so that they can be rebuilt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from pipeline.processor import Processor
from runtime.database import Connection
from runtime.migrations import ServiceSchema


@dataclass(frozen=True, slots=True)
class Compared:
    """A table, and the columns that its contract names: what any order of the same records gives.

    Outside of it are offsets, recorded times, and what was withdrawn or corrected. `key` names a row within them;
    `where` leaves rows out. `summed`: the columns beside the key are summed, whichever rows of a key they are kept in;
    a key whose sums are all 0 is left out.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    where: LiteralString = "true"
    summed: bool = False


Carry = Callable[[Connection, str, str], Sequence[str]]
"""Carries what was told from the live schema into the shadow's tables: `carry(conn, live, shadow)`.

What follows from the facts is the shadow's; what was published of it, under which ids and revisions, only the live
tables know. Gives the subjects of which something else was published than follows: to be decided again.
"""


Prepare = Callable[[Connection], None]
"""Something done to the shadow, whose schema is the search path."""


def as_it_is(_: Connection) -> None:
    """Of a service that keeps nothing beside its rows."""


def nothing_was_told(_: Connection, __: str, ___: str) -> Sequence[str]:
    """Of a service that publishes nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a service is rebuilt.

    `made`: once the shadow is made, before anything is in it. `summed`: what its other tables add up to, anew; before
    they are compared, and before they take the place of live ones that differ.
    """

    schema: ServiceSchema
    processor: Callable[[], Processor[Any]]
    tables: tuple[Compared, ...]
    carry: Carry = nothing_was_told
    made: Prepare = as_it_is
    summed: Prepare = as_it_is

    @property
    def live(self) -> str:
        return self.schema.schema

    @property
    def shadow(self) -> str:
        return f"{self.live}_shadow"

    @property
    def old(self) -> str:
        """Where the tables that were replaced stay until the next rebuild."""
        return f"{self.live}_old"
