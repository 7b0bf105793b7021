"""Every change of a company's objects in the order in which they happened, without HTTP: a raw record at each.

past = history(seed=1, months=24)
for change in past.changes():        # the company lives while this is iterated
    feed(change.at, change.kind, change.object)
past.company.record.mrr_at(instant)  # the truth, at any instant so far
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, cast

from simulator.company.life import Growth, LivingCompany, Variety
from simulator.company.model import Customer, PaymentIntent, Subscription
from simulator.company.periods import DAY, shift
from simulator.founding import Company, unlived
from simulator.ids import Kind
from simulator.render.all import RENDERERS
from simulator.render.payments import charge_kind
from simulator.render.view import Json, Shape, Tree, View

ObjectKind = Literal["customer", "subscription", "invoice", "charge", "payment_intent", "dispute"]

KINDS: tuple[ObjectKind, ...] = ("customer", "subscription", "invoice", "charge", "payment_intent", "dispute")
OPENED_AT = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())

EXPANDED: Mapping[str, tuple[str, ...]] = {
    "subscription": ("discounts", "items.data.discounts"),
    "invoice": ("payments", "discounts"),
}
"""What is expanded on the objects of a kind: what belongs to them and has no topic of its own."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object as it is from `at` on (Unix seconds), until its next change.

    `object` is Stripe's JSON, with what `EXPANDED` names expanded; a deleted customer's is `{id, object, deleted}`.
    `customer` is the id of the customer it belongs to.
    """

    at: int
    kind: ObjectKind
    id: str
    customer: str
    change: Literal["created", "updated", "deleted"]
    object: Json


class Watch:
    """Compares a company's objects with what it saw of them before, cheaply: only what changed is rendered."""

    def __init__(self, company: Company, *, shape: Shape = Shape.BASIL, kinds: Collection[ObjectKind] = KINDS) -> None:
        self._company = company
        self._view = View(company.ids, shape, False, "token", "Acme", RENDERERS)
        self._kinds = [kind for kind in KINDS if kind in kinds]
        self._states: dict[tuple[ObjectKind, int], object] = {}
        self._shown: dict[str, Json] = {}

    def look(self, customers: Iterable[int] | None = None) -> Iterator[Change]:
        """What changed of these customers (by number; all if None) since the look before, as it is now."""
        shelf = self._company.world.customers
        for number in range(len(shelf)) if customers is None else customers:
            yield from self._of(shelf[number])

    def _of(self, customer: Customer) -> Iterator[Change]:
        owner = self._view.id("customer", customer)
        for kind in self._kinds:
            for thing in _belongings(customer, kind):
                state, place = _state(thing), (kind, thing.number)
                if self._states.get(place) != state:
                    self._states[place] = state
                    yield from self._change(kind, thing, owner)

    def _change(self, kind: ObjectKind, thing: Any, owner: str) -> Iterator[Change]:
        shown = self._view.render(charge_kind(thing) if kind == "charge" else cast(Kind, kind), thing, _TREES[kind])
        before = self._shown.get(shown["id"])
        if before != shown:
            self._shown[shown["id"]] = shown
            how: Literal["created", "updated", "deleted"] = "created" if before is None else "updated"
            at = self._company.world.now
            yield Change(at, kind, shown["id"], owner, "deleted" if shown.get("deleted") else how, shown)


@dataclass(frozen=True, slots=True)
class History:
    """A company that has not lived yet, and its time from `opened_at` to `ends_at` (Unix seconds)."""

    company: Company
    opened_at: int
    ends_at: int
    shape: Shape
    kinds: tuple[ObjectKind, ...]

    def changes(self) -> Iterator[Change]:
        """Let the company live to `ends_at`, and give each change after the event that made it. Once only."""
        world, touched = self.company.world, list[int]()
        watch = Watch(self.company, shape=self.shape, kinds=self.kinds)
        world.observers.append(touched.append)
        while (event := world.next_event_at()) is not None and event <= self.ends_at:
            world.advance(event)
            yield from watch.look(dict.fromkeys(touched))
            touched.clear()
        world.advance(self.ends_at)


def history(
    *,
    seed: int,
    months: int = 24,
    customers: int = 250,
    opened_at: int = OPENED_AT,
    variety: Variety = "full",
    shape: Shape = Shape.BASIL,
    kinds: Collection[ObjectKind] = KINDS,
) -> History:
    """The company of `seed` from its first day on, for so many calendar months, with so many sign-ups in them."""
    ends_at = shift(opened_at, "month", months)
    growth = Growth(customers=customers, days=(ends_at - opened_at) // DAY, variety=variety)
    company = unlived(seed=seed, opened_at=opened_at)
    company.world.life = LivingCompany(company.world, growth)
    return History(company, opened_at, ends_at, shape, tuple(kinds))


def _belongings(customer: Customer, kind: ObjectKind) -> Iterable[Any]:
    match kind:
        case "customer":
            return (customer,)
        case "subscription":
            return customer.subscriptions
        case "invoice":
            return customer.invoices
        case "charge":
            return customer.charges
        case "payment_intent":
            return customer.intents
        case "dispute":
            return customer.disputes


def _state(thing: Any) -> object:
    """Whatever a rendering of the object depends on; equal states are rendered alike."""
    own = tuple(getattr(thing, name) for name in _FIELDS[type(thing)])
    if isinstance(thing, Customer):
        return (*own, len(thing.subscriptions))
    if isinstance(thing, Subscription):
        return (*own, *(_state(item) for item in thing.items))
    if isinstance(thing, PaymentIntent):
        return (*own, thing.customer.name, thing.customer.email)
    intent = getattr(thing, "intent", None)
    return own if intent is None else (*own, intent.status, intent.canceled_at, intent.latest_charge)


class _Fields(dict[type, tuple[str, ...]]):
    """The fields of a class that hold no list: those change in place, and are told by what is in them."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        names = tuple(field.name for field in fields(kind) if not str(field.type).startswith("list"))
        self[kind] = names
        return names


_FIELDS = _Fields()


def _tree(paths: Iterable[str]) -> Tree:
    tree = Tree()
    for path in paths:
        node = tree
        for step in path.split("."):
            node = node.setdefault(step, Tree())
    return tree


_TREES: Mapping[ObjectKind, Tree] = {kind: _tree(EXPANDED.get(kind, ())) for kind in KINDS}
