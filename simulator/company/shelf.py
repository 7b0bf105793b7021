"""All objects of one kind in order of creation, with the indexes that lists need."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar


class Span(Protocol):
    """low <= value < high; None is no bound."""

    low: int | None
    high: int | None


NO_SPANS: Mapping[str, Span] = {}


class Shelved(Protocol):
    seq: int
    created: int


T = TypeVar("T", bound=Shelved)

_FEW = 8
"""A status held by less than one in this many objects is read from its own set, any other by scanning."""


class Shelf(Generic[T]):
    """Objects only ever arrive at the end, because time only moves forward; `seq` is the place of each."""

    def __init__(self) -> None:
        self._created = array("q")
        self._objects: list[T] = []
        self._by_status: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, seq: int) -> T:
        return self._objects[seq]

    def add(self, thing: T, status: str | None = None) -> None:
        thing.seq = len(self._objects)
        self._objects.append(thing)
        self._created.append(thing.created)
        if status is not None:
            self._by_status.setdefault(status, set()).add(thing.seq)

    def moved(self, thing: T, before: str, after: str) -> None:
        """The object's status changed."""
        self._by_status[before].discard(thing.seq)
        self._by_status.setdefault(after, set()).add(thing.seq)

    def before(self, created: int) -> int:
        """How many objects were created before `created`: the first place at or after it."""
        return bisect_left(self._created, created)

    def newest(
        self, low: int, high: int, statuses: frozenset[str] | None = None, spans: Mapping[str, Span] = NO_SPANS
    ) -> Iterator[T]:
        """Objects with low <= seq < high, newest first; a superset of those with one of `statuses`.

        `spans` bounds fields other than `created`; who asks for them tests them again.
        """
        few = self._few(statuses)
        if few is not None:
            return (self._objects[seq] for seq in reversed(few) if low <= seq < high)
        return (self._objects[seq] for seq in range(high - 1, low - 1, -1))

    def oldest(
        self, low: int, high: int, statuses: frozenset[str] | None = None, spans: Mapping[str, Span] = NO_SPANS
    ) -> Iterator[T]:
        """The same from the oldest on."""
        few = self._few(statuses)
        if few is not None:
            return (self._objects[seq] for seq in few if low <= seq < high)
        return (self._objects[seq] for seq in range(low, high))

    def _few(self, statuses: frozenset[str] | None) -> list[int] | None:
        if statuses is None:
            return None
        sets = [self._by_status.get(status, set()) for status in statuses]
        if sum(map(len, sets)) * _FEW > len(self._objects):
            return None
        return sorted(set().union(*sets))
