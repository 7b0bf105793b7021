"""What was told of a customer's ledger so far, and what is to be told so that it says what follows from the facts.

Rows are never edited. A row that no longer follows is taken back by a correction that names it; the row that follows
instead is a new one. So what stands (neither taken back nor a correction) is always the ledger itself, however the
facts arrived; only the pairs of a row and its correction tell of the order of arrival.
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import derived_id
from services.mrr.ledger import Row

RowKey = tuple[str, int, int, int, str]
OUT_OF_DATE = -1
"""What a book is `under` that is to be brought up to date whatever is in force."""


class Told(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row that was told and stands. `at` in Unix microseconds, amounts in minor units."""

    id: str
    currency: str
    at: int
    before: int
    after: int
    kind: str

    @property
    def key(self) -> RowKey:
        return self.currency, self.at, self.before, self.after, self.kind


class Recalled(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row that was taken back, and how many times: should it follow again, its id must be another."""

    key: RowKey
    times: int


class Book(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`due`: the next instant at which time alone may add a row. `under`: what it was brought up to date by
    (`InForce.mark`)."""

    told: tuple[Told, ...] = ()
    recalled: tuple[Recalled, ...] = ()
    due: int | None = None
    under: int | None = None


class Update(msgspec.Struct, frozen=True, gc=False):
    """What is to be told now: corrections first, then rows by time, each with its id."""

    book: Book
    taken_back: tuple[Told, ...]
    rows: tuple[tuple[str, Row], ...]


def update(book: Book, rows: Iterable[Row], due: int | None, *, subject: str, under: int | None = None) -> Update:
    """Bring the book to these rows."""
    wanted = {row.key: row for row in rows}
    kept = {told.key: told for told in book.told if told.key in wanted}
    taken_back = tuple(told for told in book.told if told.key not in wanted)
    if not taken_back and len(kept) == len(wanted):
        return Update(Book(book.told, book.recalled, due, under), (), ())
    times = {one.key: one.times for one in book.recalled}
    new = tuple((_id(row, subject, times.get(key, 0)), row) for key, row in wanted.items() if key not in kept)
    kept |= {row.key: Told(name, *row.key) for name, row in new}
    for row in taken_back:
        times[row.key] = times.get(row.key, 0) + 1
    recalled = tuple(Recalled(key, count) for key, count in sorted(times.items()))
    return Update(Book(tuple(kept[key] for key in wanted), recalled, due, under), taken_back, new)


def _id(row: Row, subject: str, ordinal: int) -> str:
    currency, at, before, after, kind = row.key
    rule = f"mrr.{kind}:{currency}:{at}:{before}:{after}"
    return derived_id(subject=subject, rule=rule, cause_id=row.cause.id, ordinal=ordinal)


def correction_id(told: Told, subject: str) -> str:
    """The id of the correction that takes a row back: there is only one of each."""
    return derived_id(subject=subject, rule="mrr.correction", cause_id=told.id)
