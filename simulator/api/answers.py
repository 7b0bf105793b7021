"""The answer to each operation, as the JSON that Stripe would send."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.api.expansion import expansion
from simulator.api.faults import Faults
from simulator.api.keys import Key, forbidden
from simulator.api.lookup import Lookup
from simulator.api.query import Query, parse
from simulator.api.resources import Page, Resource, page
from simulator.api.routes import Action, Route
from simulator.api.search import Found, Memory, Terms, search
from simulator.api.search import parse as parse_search
from simulator.api.search_fields import searchables
from simulator.company.shelf import Shelf
from simulator.errors import ApiError
from simulator.founding import Company
from simulator.render.invoices import line_item
from simulator.render.subscriptions import subscription_item
from simulator.render.view import Json, Tree, View
from simulator.vast.search import search_computed
from simulator.vast.shelves import ComputedShelf


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that passed the door."""

    route: Route
    parameters: str
    key: Key
    view: View


class Answers:
    """Answers from one company's books."""

    def __init__(self, company: Company, faults: Faults, *, search_lag: int, prepared: bool = False) -> None:
        """`prepared` keeps what was once rendered for a list, for a company whose time stands (benchmarks)."""
        self._world = company.world
        self._ids = company.ids
        self._faults = faults
        self._lookup = Lookup(company.world, company.ids)
        self._fields = searchables(company.ids)
        self._prepared: dict[tuple[object, ...], msgspec.Raw] | None = {} if prepared else None
        self._memory = Memory(
            self._fields,
            lambda: company.world.now,
            lambda: search_lag if faults.search_lag is None else faults.search_lag,
        )
        company.world.listeners.append(self._memory.note)
        self._operations: Mapping[Action, Callable[[Asked], tuple[Json, int]]] = {
            "list": self._list,
            "retrieve": self._retrieve,
            "search": self._search,
            "lines": self._lines,
            "items": self._items,
            "invoice_payments": self._invoice_payments,
            "invoice_payment": self._invoice_payment,
            "account": self._account,
            "beyond": self._beyond,
        }

    def answer(self, asked: Asked) -> tuple[Json, int]:
        """The JSON, and how many objects of the asked kind are in it; raises ApiError."""
        return self._operations[asked.route.action](asked)

    def _account(self, asked: Asked) -> tuple[Json, int]:  # asked only by keys that may read everything
        return {"id": self._ids.account, "object": "account", "country": "US", "default_currency": "usd"}, 1

    def _beyond(self, asked: Asked) -> tuple[Json, int]:
        """A resource that no read-only poller uses: who may read it finds it empty."""
        return {"object": "list", "data": [], "has_more": False, "url": f"/v1/{asked.route.operation}"}, 0

    def _tree(self, asked: Asked, query: Query, node: str, *, listed: bool) -> Tree:
        def permitted(permission: str) -> None:
            if not asked.key.may(permission):
                raise forbidden(asked.key, permission, self._ids.account)

        return expansion(
            [path for path in query.expand if path not in self._faults.lose_expand],
            node=node,
            listed=listed,
            shape=asked.view.shape,
            permitted=permitted,
            refused=self._faults.refuse_expand,
        )

    def _list(self, asked: Asked) -> tuple[Json, int]:
        resource = _resource(asked)
        query = parse(asked.parameters, allowed=resource.parameters)
        tree = self._tree(asked, query, resource.kind, listed=True)
        selection = resource.select(query, self._lookup)
        after, before = self._cursors(query, resource)
        found = page(resource.shelf(self._world), selection, limit=query.limit(), after=after, before=before)
        rows = self._rows(asked, resource, found.rows, tree)
        return _list_of(rows, found, f"/v1/{resource.name}")

    def _rows(self, asked: Asked, resource: Resource, things: Iterable[Any], tree: Tree) -> list[Any]:
        """The objects of a page, to be encoded."""
        if self._prepared is None:
            return [asked.view.render(resource.kind, thing, tree) for thing in things]
        place = (resource.kind, str(tree), asked.view.shape, asked.view.livemode)
        rows = []
        for thing in things:
            key = (*place, thing.number)
            if key not in self._prepared:
                self._prepared[key] = msgspec.Raw(msgspec.json.encode(asked.view.render(resource.kind, thing, tree)))
            rows.append(self._prepared[key])
        return rows

    def _cursors(self, query: Query, resource: Resource) -> tuple[int | None, int | None]:
        after, before = query.text("starting_after"), query.text("ending_before")
        if after is not None and before is not None:
            raise ApiError(400, "You cannot parameterize both starting_after and ending_before.", param="ending_before")
        return self._cursor(resource, after, "starting_after"), self._cursor(resource, before, "ending_before")

    def _cursor(self, resource: Resource, text: str | None, param: str) -> int | None:
        if text is None:
            return None
        found = self._lookup.need(resource.kind, text, param=param, status=400)
        if getattr(found, "deleted_at", None) is not None:
            raise ApiError(400, f"No such customer: '{text}'", code="resource_missing", param=param)
        return int(found.seq)

    def _retrieve(self, asked: Asked) -> tuple[Json, int]:
        resource = _resource(asked)
        query = parse(asked.parameters, allowed=())
        tree = self._tree(asked, query, resource.kind, listed=False)
        found = self._lookup.need(resource.kind, asked.route.name)
        return asked.view.render(resource.kind, found, tree), 1

    def _search(self, asked: Asked) -> tuple[Json, int]:
        resource = _resource(asked)
        if self._faults.search == "missing":
            raise unknown_address("GET", f"/v1/{resource.name}/search")
        if self._faults.search == "forbidden":
            raise ApiError(403, "Search is not available for your account.")
        query = parse(asked.parameters, allowed={"query", "limit", "page"})
        tree = self._tree(asked, query, resource.kind, listed=True)
        fields = self._fields[resource.name]
        text = query.text("query")
        if text is None:
            raise ApiError(400, "Missing required param: query.", code="parameter_missing", param="query")
        found = self._found(
            resource,
            parse_search(text, resource.name, frozenset(fields.numbers), fields.fields),
            limit=query.limit(),
            after=_page_token(query.text("page")),
            counted="total_count" in query.expand,
        )
        answer: Json = {
            "object": "search_result",
            "data": self._rows(asked, resource, found.rows, tree),
            "has_more": found.has_more,
            "next_page": _next_page(found.rows[-1].seq) if found.has_more else None,
            "url": f"/v1/{resource.name}/search",
        }
        if found.total is not None:
            answer["total_count"] = found.total
        return answer, len(found.rows)

    def _found(self, resource: Resource, terms: Terms, *, limit: int, after: int | None, counted: bool) -> Found:
        shelf, fields, indexed = resource.shelf(self._world), self._fields[resource.name], self._memory.indexed()
        if isinstance(shelf, ComputedShelf):
            return search_computed(shelf, terms, fields, indexed=indexed, limit=limit, after=after, counted=counted)
        return search(shelf, terms, fields, self._memory, indexed=indexed, limit=limit, after=after, counted=counted)

    def _lines(self, asked: Asked) -> tuple[Json, int]:
        query = parse(asked.parameters, allowed={"limit", "starting_after", "ending_before"})
        tree = self._tree(asked, query, "line_item", listed=True)
        bill = self._lookup.need("invoice", asked.route.name)
        rows = [line_item(asked.view, bill, place, tree) for place in range(len(bill.lines))]
        return _slice(rows, query, f"/v1/invoices/{asked.route.name}/lines")

    def _items(self, asked: Asked) -> tuple[Json, int]:
        query = parse(asked.parameters, allowed={"subscription", "limit", "starting_after", "ending_before"})
        tree = self._tree(asked, query, "subscription_item", listed=True)
        name = query.text("subscription")
        if name is None:
            raise ApiError(400, "Missing required param: subscription.", code="parameter_missing", param="subscription")
        sold = self._lookup.need("subscription", name, param="subscription", status=400)
        return _slice(
            [subscription_item(asked.view, i, sold, tree) for i in sold.items], query, "/v1/subscription_items"
        )

    def _invoice_payments(self, asked: Asked) -> tuple[Json, int]:
        allowed = {"invoice", "payment", "status", "created", "limit", "starting_after", "ending_before"}
        query = parse(asked.parameters, allowed=allowed)
        tree = self._tree(asked, query, "invoice_payment", listed=True)
        span = query.span("created")
        status = query.choice("status", {"open", "paid", "canceled"})
        rows = (
            asked.view.render("invoice_payment", bill, tree)
            for bill in self._paid_bills(query)
            if bill.intent is not None and (span is None or span.holds(bill.finalized_at))
        )
        return _slice([row for row in rows if status in {None, row["status"]}], query, "/v1/invoice_payments")

    def _paid_bills(self, query: Query) -> Iterable[Any]:
        invoice, payment = query.text("invoice"), query.nested.get("payment", {})
        if invoice is not None:
            return [self._lookup.need("invoice", invoice, param="invoice", status=400)]
        intent = payment.get("payment_intent")
        if intent is not None:
            found = self._lookup.need("payment_intent", intent, param="payment[payment_intent]", status=400)
            return [found.invoice]
        shelf: Shelf[Any] = self._world.invoices
        return shelf.newest(0, len(shelf))

    def _invoice_payment(self, asked: Asked) -> tuple[Json, int]:
        query = parse(asked.parameters, allowed=())
        tree = self._tree(asked, query, "invoice_payment", listed=False)
        return asked.view.render("invoice_payment", self._lookup.need("invoice_payment", asked.route.name), tree), 1


def _resource(asked: Asked) -> Resource:
    assert asked.route.resource is not None, "the route of a list, search or object names its resource"
    return asked.route.resource


def _list_of(rows: list[Json], found: Page, url: str) -> tuple[Json, int]:
    return {"object": "list", "data": rows, "has_more": found.has_more, "url": url}, len(rows)


def _slice(rows: list[Json], query: Query, url: str) -> tuple[Json, int]:
    """A page of rows that are all at hand."""
    names = [row["id"] for row in rows]
    after, before, limit = query.text("starting_after"), query.text("ending_before"), query.limit()
    for name in (after, before):
        if name is not None and name not in names:
            raise ApiError(400, f"No such object: '{name}'", code="resource_missing", param="starting_after")
    if before is not None:
        end = names.index(before)
        start = max(0, end - limit)
        return {"object": "list", "data": rows[start:end], "has_more": start > 0, "url": url}, end - start
    start = 0 if after is None else names.index(after) + 1
    shown = rows[start : start + limit]
    return {"object": "list", "data": shown, "has_more": start + limit < len(rows), "url": url}, len(shown)


def _next_page(seq: int) -> str:
    return base64.urlsafe_b64encode(f"after:{seq}".encode()).decode()


def _page_token(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        word, _, seq = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        if word == "after":
            return int(seq)
    except ValueError:
        pass
    raise ApiError(400, f"Invalid page token: {text}", param="page")


def unknown_address(method: str, path: str) -> ApiError:
    message = (
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/."
    )
    return ApiError(404, message)
