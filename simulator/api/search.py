"""Stripe's search: its query language, and an index that runs a little behind."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.api.query import Span
from simulator.api.search_fields import Searchable
from simulator.company.model import Charge, Customer, Invoice, PaymentIntent, Subscription
from simulator.company.shelf import Shelf
from simulator.errors import ApiError

COUNT_CEILING = 10_000
MAX_CLAUSES = 10

_CLAUSE = re.compile(
    r"""\s*(?P<not>-?)(?P<field>[a-z_]+(?:\.[a-z_0-9]+)*)(?:\["(?P<key>[^"]*)"\])?
        (?P<op>:|~|>=|<=|>|<)
        (?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)\s*""",
    re.VERBOSE,
)
_JOIN = re.compile(r"(AND|OR)\b", re.IGNORECASE)

Read = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Clause:
    field: str
    key: str | None
    op: str
    value: str | None
    """None is the bare word `null`."""
    negated: bool

    def holds(self, found: Any) -> bool:
        return self._holds(found) != self.negated

    def _holds(self, found: Any) -> bool:
        if self.value is None:
            return found is None
        if found is None:
            return False
        if self.op == "~":
            return self.value.lower() in str(found).lower()
        if self.op == ":":
            return str(found).lower() == self.value.lower()
        return _compares(self.op, found, int(self.value))


def _compares(op: str, found: int, value: int) -> bool:
    match op:
        case ">":
            return found > value
        case ">=":
            return found >= value
        case "<":
            return found < value
        case _:
            return found <= value


@dataclass(frozen=True, slots=True)
class Terms:
    """A parsed query: all of the clauses, or any of them."""

    clauses: tuple[Clause, ...]
    any_of: bool = False

    def holds(self, thing: Any, read: Read) -> bool:
        answers = (clause.holds(read(thing, _address(clause))) for clause in self.clauses)
        return any(answers) if self.any_of else all(answers)

    def bounds(self, field: str) -> Span:
        """Bounds on a field of numbers that every match keeps."""
        span = Span()
        for clause in self.clauses:
            if self.any_of or clause.field != field or clause.negated or clause.value is None:
                continue
            value = int(clause.value)
            if clause.op in {">", ">=", ":"}:
                span.low = max(span.low or 0, value + (clause.op == ">"))
            if clause.op in {"<", "<=", ":"}:
                high = value + (clause.op != "<")
                span.high = high if span.high is None else min(span.high, high)
        return span


def _address(clause: Clause) -> str:
    return clause.field if clause.key is None else f"{clause.field}.{clause.key}"


def parse(text: str, resource: str, numbers: frozenset[str], fields: frozenset[str]) -> Terms:
    """Read a query; raises Stripe's 400 for one that cannot be read, names an unknown field or mixes AND with OR."""
    clauses: list[Clause] = []
    joins: set[str] = set()
    at = 0
    while at < len(text):
        join = _JOIN.match(text, at) if clauses else None
        if join is not None:
            joins.add(join.group(1).upper())
            at = join.end()
        found = _CLAUSE.match(text, at)
        if found is None:
            raise _unreadable()
        clauses.append(_clause(found, resource, numbers, fields))
        if join is None and len(clauses) > 1:
            joins.add("AND")
        at = found.end()
    if not clauses:
        raise _unreadable()
    if len(joins) > 1:
        raise ApiError(400, "You cannot combine AND and OR in one search query.", param="query")
    if len(clauses) > MAX_CLAUSES:
        raise ApiError(400, f"A search query may have at most {MAX_CLAUSES} clauses.", param="query")
    return Terms(tuple(clauses), joins == {"OR"})


def _clause(found: re.Match[str], resource: str, numbers: frozenset[str], fields: frozenset[str]) -> Clause:
    field, key, op, raw = found["field"], found["key"], found["op"], found["value"]
    if field not in fields or (field == "metadata") != (key is not None):
        raise ApiError(
            400,
            f"Field `{field}` is an unsupported search field for resource `{resource}`. See http://stripe.com/docs/"
            f"search#query-fields-for-{resource.replace('_', '-')} for a list of supported fields.",
            param="query",
        )
    quoted = raw[0] in "\"'"
    value = re.sub(r"\\(.)", r"\1", raw[1:-1]) if quoted else raw
    if field in numbers and value != "null" and not re.fullmatch(r"-?\d+", value):
        raise ApiError(400, f"Field `{field}` expects a number.", param="query")
    if op in {">", ">=", "<", "<="} and field not in numbers:
        raise ApiError(400, f"The `{op}` operator is not supported for field `{field}`.", param="query")
    if op == "~" and len(value) < 3:
        raise ApiError(400, "A substring match needs at least 3 characters.", param="query")
    return Clause(field, key, op, None if value == "null" and not quoted else value, bool(found["not"]))


def _unreadable() -> ApiError:
    return ApiError(
        400,
        'We were unable to parse your search query. Try using the format `metadata["key"]:"value"` to query for '
        'metadata or key:"value" to query for other fields.',
        param="query",
    )


_NAMES: tuple[tuple[type, str], ...] = (
    (Customer, "customers"),
    (Subscription, "subscriptions"),
    (Invoice, "invoices"),
    (Charge, "charges"),
    (PaymentIntent, "payment_intents"),
)


class Memory:
    """What the index still believes of objects that changed in the last `lag` seconds.

    It finds objects by what they were, and answers with what they are, as Stripe does.
    """

    def __init__(self, fields: Mapping[str, Searchable], now: Callable[[], int], lag: Callable[[], int]) -> None:
        self._fields = fields
        self._now = now
        self._lag = lag
        self._indexed = 0
        self._old: deque[tuple[int, Any, dict[str, Any]]] = deque()

    def indexed(self) -> int:
        """The instant up to which everything is known; it never goes back, however far the index falls behind."""
        self._indexed = max(self._indexed, self._now() - self._lag())
        return self._indexed

    def note(self, thing: object) -> None:
        """`thing` is about to change."""
        if self.indexed() < self._now():
            name = next((name for kind, name in _NAMES if isinstance(thing, kind)), None)
            if name is not None:
                fields = self._fields[name]
                old = {field: fields.read(thing, field) for field in fields.changing}
                self._old.append((self._now(), thing, old))
                self._forget()

    def beliefs(self) -> dict[int, dict[str, Any]]:
        """Old values by `id()` of the object: the oldest that is not yet known to be old."""
        self._forget()
        found: dict[int, dict[str, Any]] = {}
        for _, thing, old in self._old:
            found.setdefault(id(thing), old)
        return found

    def _forget(self) -> None:
        indexed = self.indexed()
        while self._old and self._old[0][0] <= indexed:
            self._old.popleft()


@dataclass(frozen=True, slots=True)
class Found:
    rows: list[Any]
    has_more: bool
    total: int | None


def search(
    shelf: Shelf[Any],
    terms: Terms,
    fields: Searchable,
    memory: Memory,
    *,
    indexed: int,
    limit: int,
    after: int | None,
    counted: bool,
) -> Found:
    """Matches among what was there at `indexed`, newest first, below the seq `after`; `counted` counts them all."""
    beliefs = memory.beliefs()

    def read(thing: Any, field: str) -> Any:
        old = beliefs.get(id(thing))
        return old[field] if old is not None and field in old else fields.read(thing, field)

    matches = (thing for thing in _candidates(shelf, terms, indexed) if _there(thing) and terms.holds(thing, read))
    rows: list[Any] = []
    total = 0
    for thing in matches:
        total += 1
        if (after is None or thing.seq < after) and len(rows) <= limit:
            rows.append(thing)
        if len(rows) > limit and not counted:
            break
    return Found(rows[:limit], len(rows) > limit, min(total, COUNT_CEILING) if counted else None)


def _candidates(shelf: Shelf[Any], terms: Terms, indexed: int) -> Iterator[Any]:
    span = terms.bounds("created")
    low = 0 if span.low is None else shelf.before(span.low)
    high = shelf.before(indexed + 1)
    if span.high is not None:
        high = min(high, shelf.before(span.high))
    return shelf.newest(low, high)


def _there(thing: Any) -> bool:
    return not (isinstance(thing, Customer) and thing.deleted_at is not None)
