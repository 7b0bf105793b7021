"""The six resources: what may be asked of a list of each, and how it is answered from the company's books."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.api.lookup import Lookup
from simulator.api.query import Query, Span
from simulator.company.model import Customer, Subscription
from simulator.company.shelf import Shelf
from simulator.company.world import World
from simulator.ids import Kind

_PAGING = frozenset({"limit", "starting_after", "ending_before"})
_SUBSCRIPTION_STATUSES = frozenset(
    {"active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "trialing", "paused"}
)
_INVOICE_STATUSES = frozenset({"draft", "open", "paid", "uncollectible", "void"})
_COLLECTION = frozenset({"charge_automatically", "send_invoice"})

Test = Callable[[Any], bool]


@dataclass(slots=True)
class Selection:
    """What a list asks for: `statuses`, `spans` and `owned` narrow where to look, `tests` decide."""

    created: Span = field(default_factory=Span)
    statuses: frozenset[str] | None = None
    owned: Sequence[Any] | None = None
    tests: list[Test] = field(default_factory=list)
    spans: dict[str, Span] = field(default_factory=dict)

    def holds(self, thing: Any) -> bool:
        if self.statuses is not None and thing.status not in self.statuses:
            return False
        return all(test(thing) for test in self.tests)


Select = Callable[[Query, Lookup], Selection]


@dataclass(frozen=True, slots=True)
class Resource:
    """One of `/v1/<name>`."""

    name: str
    kind: Kind
    permission: str
    shelf: Callable[[World], Shelf[Any]]
    filters: frozenset[str]
    select: Select
    searchable: bool = True

    @property
    def parameters(self) -> frozenset[str]:
        return self.filters | _PAGING


def _owner(query: Query, lookup: Lookup) -> Customer | None:
    text = query.text("customer")
    if text is None:
        return None
    found: Customer = lookup.need("customer", text, param="customer", status=400)
    return found


def _begin(query: Query) -> Selection:
    selection = Selection(created=query.span("created") or Span())
    if query.text("test_clock") is not None or query.text("customer_account") is not None:
        selection.owned = ()
    return selection


def _customers(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    selection.tests.append(lambda who: who.deleted_at is None)
    email = query.text("email")
    if email is not None:
        selection.tests.append(lambda who: who.email == email)
    return selection


def _subscriptions(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    owner = _owner(query, lookup)
    if owner is not None:
        selection.owned = owner.subscriptions
    selection.statuses = _subscription_statuses(query.choice("status", _SUBSCRIPTION_STATUSES | {"all", "ended"}))
    for name, edge in (("current_period_start", _period_start), ("current_period_end", _period_end)):
        span = query.span(name)
        if span is not None:
            selection.tests.append(_within(edge, span))
            selection.spans[name] = span
    price = query.text("price") or query.text("plan")
    if price is not None:
        selection.tests.append(_sells(price, lookup))
    _same(selection, "collection_method", query.choice("collection_method", _COLLECTION))
    return selection


def _subscription_statuses(status: str | None) -> frozenset[str] | None:
    if status is None:
        return _SUBSCRIPTION_STATUSES - {"canceled"}
    if status == "ended":
        return frozenset({"canceled", "incomplete_expired"})
    return None if status == "all" else frozenset({status})


def _period_start(sold: Subscription) -> int:
    return max(item.start for item in sold.items)


def _period_end(sold: Subscription) -> int:
    return min(item.end for item in sold.items)


def _within(edge: Callable[[Any], int], span: Span) -> Test:
    return lambda thing: span.holds(edge(thing))


def _sells(price: str, lookup: Lookup) -> Test:
    number = lookup.price(price)
    return lambda sold: any(item.plan.number == number for item in sold.items)


def _same(selection: Selection, attribute: str, value: str | None) -> None:
    if value is not None:
        selection.tests.append(lambda thing: getattr(thing, attribute) == value)


def _invoices(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    owner = _owner(query, lookup)
    subscription = query.text("subscription")
    if subscription is not None:
        sold = lookup.need("subscription", subscription, param="subscription", status=400)
        selection.owned = [bill for bill in sold.customer.invoices if bill.subscription is sold]
    if owner is not None:
        selection.tests.append(lambda bill: bill.customer is owner)
        selection.owned = owner.invoices if selection.owned is None else selection.owned
    status = query.choice("status", _INVOICE_STATUSES)
    selection.statuses = None if status is None else frozenset({status})
    due = query.span("due_date")
    if due is not None:
        selection.tests.append(lambda bill: due.holds(bill.due_date))
    _same(selection, "collection_method", query.choice("collection_method", _COLLECTION))
    return selection


def _charges(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    owner = _owner(query, lookup)
    if owner is not None:
        selection.owned = owner.charges
    intent = query.text("payment_intent")
    if intent is not None:
        found = lookup.need("payment_intent", intent, param="payment_intent", status=400)
        selection.owned = found.customer.charges
        selection.tests.append(lambda charge: charge.intent is found)
        if owner is not None:
            selection.tests.append(lambda charge: charge.customer is owner)
    if query.text("transfer_group") is not None:
        selection.owned = ()
    return selection


def _intents(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    owner = _owner(query, lookup)
    if owner is not None:
        selection.owned = owner.intents
    return selection


def _disputes(query: Query, lookup: Lookup) -> Selection:
    selection = _begin(query)
    for name, kind in (("charge", "charge"), ("payment_intent", "payment_intent")):
        text = query.text(name)
        if text is None:
            continue
        found = lookup.need("charge" if kind == "charge" else "payment_intent", text, param=name, status=400)
        selection.owned = found.customer.disputes
        selection.tests.append(_about(found))
    return selection


def _about(found: Any) -> Test:
    return lambda case: found in (case.charge, case.charge.intent)


_COMMON = frozenset({"created"})
RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            "customers",
            "customer",
            "customer_read",
            lambda world: world.customers,
            _COMMON | {"email", "test_clock"},
            _customers,
        ),
        Resource(
            "subscriptions",
            "subscription",
            "subscription_read",
            lambda world: world.subscriptions,
            _COMMON
            | {"status", "customer", "customer_account", "price", "plan", "collection_method", "automatic_tax"}
            | {"current_period_start", "current_period_end", "test_clock"},
            _subscriptions,
        ),
        Resource(
            "invoices",
            "invoice",
            "invoice_read",
            lambda world: world.invoices,
            _COMMON | {"due_date", "status", "customer", "customer_account", "subscription", "collection_method"},
            _invoices,
        ),
        Resource(
            "charges",
            "charge",
            "charge_read",
            lambda world: world.charges,
            _COMMON | {"customer", "payment_intent", "transfer_group"},
            _charges,
        ),
        Resource(
            "payment_intents",
            "payment_intent",
            "payment_intent_read",
            lambda world: world.intents,
            _COMMON | {"customer", "customer_account"},
            _intents,
        ),
        Resource(
            "disputes",
            "dispute",
            "dispute_read",
            lambda world: world.disputes,
            _COMMON | {"charge", "payment_intent"},
            _disputes,
            searchable=False,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Any]
    has_more: bool


def page(shelf: Shelf[Any], selection: Selection, *, limit: int, after: int | None, before: int | None) -> Page:
    """Up to `limit` objects, newest first: those after the object with seq `after`, or just before `before`."""
    low = 0 if selection.created.low is None else shelf.before(selection.created.low)
    high = len(shelf) if selection.created.high is None else shelf.before(selection.created.high)
    if after is not None:
        high = min(high, after)
    if before is not None:
        low = max(low, before + 1)
    found: list[Any] = []
    for thing in _candidates(shelf, selection, low, high, newest=before is None):
        if selection.holds(thing):
            found.append(thing)
            if len(found) > limit:
                break
    rows = found[:limit]
    return Page(rows if before is None else rows[::-1], len(found) > limit)


def _candidates(shelf: Shelf[Any], selection: Selection, low: int, high: int, *, newest: bool) -> Iterator[Any]:
    if selection.owned is None:
        step = shelf.newest if newest else shelf.oldest
        return step(low, high, selection.statuses, selection.spans)
    owned = reversed(selection.owned) if newest else iter(selection.owned)
    return (thing for thing in owned if low <= thing.seq < high)
