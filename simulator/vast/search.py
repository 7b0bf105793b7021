"""Search in a vast account: by numbers first, so that counting and turning pages make no object that is not shown."""

from collections.abc import Iterator
from typing import Any

from simulator.api.search import COUNT_CEILING, Clause, Found, Terms
from simulator.api.search_fields import Searchable
from simulator.vast.shelves import ComputedShelf

_SPANS = frozenset({"created", "canceled_at"})


def search_computed(
    shelf: ComputedShelf[Any],
    terms: Terms,
    fields: Searchable,
    *,
    indexed: int,
    limit: int,
    after: int | None,
    counted: bool,
) -> Found:
    """As `api.search.search`. Statuses are found as they are: this index lags in what was created only."""
    rows: list[Any] = []
    more = total = 0
    for handle, seq in _matches(shelf, terms, fields, indexed):
        total += 1
        if after is None or seq < after:
            if len(rows) < limit:
                rows.append(shelf.make(handle))
            else:
                more += 1
        if (more and not counted) or total > COUNT_CEILING:
            break
    return Found(rows, more > 0, min(total, COUNT_CEILING) if counted else None)


def _matches(shelf: ComputedShelf[Any], terms: Terms, fields: Searchable, indexed: int) -> Iterator[tuple[Any, int]]:
    created = terms.bounds("created")
    low = 0 if created.low is None else shelf.before(created.low)
    high = shelf.before(min(indexed + 1, created.high if created.high is not None else indexed + 1))
    statuses = None if terms.any_of else _statuses(terms)
    canceled = terms.bounds("canceled_at")
    spans = {} if canceled.low is None and canceled.high is None else {"canceled_at": canceled}
    rest = [clause for clause in terms.clauses if terms.any_of or not _told(clause)]
    asked = Terms(tuple(rest), terms.any_of)
    for handle in shelf.handles(low, high, statuses, spans, newest=True):
        if rest and not asked.holds(shelf.make(handle), fields.read):
            continue
        yield handle, handle if isinstance(handle, int) else handle[0]


def _told(clause: Clause) -> bool:
    """Whether the numbers answer the clause."""
    if clause.negated or clause.value is None:
        return False
    return clause.field in _SPANS or (clause.field == "status" and clause.op == ":")


def _statuses(terms: Terms) -> frozenset[str] | None:
    named = [
        clause.value.lower() for clause in terms.clauses if _told(clause) and clause.field == "status" and clause.value
    ]
    if not named:
        return None
    return frozenset(named) if len(set(named)) == 1 else frozenset()
