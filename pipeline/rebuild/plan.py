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
    `where` leaves rows out.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    where: LiteralString = "true"


Carry = Callable[[Connection, str, str], Sequence[str]]
"""Carries what was told from the live schema into the shadow's tables: `carry(conn, live, shadow)`.

What follows from the facts is the shadow's; what was published of it, under which ids and revisions, only the live
tables know. Gives the subjects of which something else was published than follows: to be decided again.
"""


def nothing_was_told(_: Connection, __: str, ___: str) -> Sequence[str]:
    """Of a service that publishes nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a service is rebuilt."""

    schema: ServiceSchema
    processor: Callable[[], Processor[Any]]
    tables: tuple[Compared, ...]
    carry: Carry = nothing_was_told

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
