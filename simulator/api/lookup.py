"""From an id in a request to the object it names."""

from collections.abc import Sequence
from typing import Any

from simulator.company.model import ORDINAL_BITS, Customer
from simulator.company.world import World
from simulator.errors import ApiError
from simulator.ids import Ids, Kind

_WORDS = {"payment_intent": "payment_intent", "subscription_item": "subscription item"}


class Lookup:
    """Finds objects of one company by Stripe id."""

    def __init__(self, world: World, ids: Ids) -> None:
        self._world = world
        self._ids = ids

    def find(self, kind: Kind, text: str) -> Any | None:
        """The object, or None. A deleted customer is found."""
        if kind == "customer":
            number = self._ids.decode("customer", text)
            return None if number is None or number >= len(self._world.customers) else self._world.customers[number]
        if kind == "charge":
            return self._charge(text)
        return self._owned(kind, text)

    def need(self, kind: Kind, text: str, *, param: str = "id", status: int = 404) -> Any:
        """The object; raises Stripe's `resource_missing` (404 for an address, 400 for a parameter)."""
        found = self.find(kind, text)
        if found is None:
            word = _WORDS.get(kind, kind)
            raise ApiError(status, f"No such {word}: '{text}'", code="resource_missing", param=param)
        return found

    def price(self, text: str) -> int:
        """The number of a price; raises `resource_missing` for one that the company does not sell at."""
        number = self._ids.decode("price", text)
        if number is None or number >= len(self._world.catalogue.plans):
            raise ApiError(400, f"No such price: '{text}'", code="resource_missing", param="price")
        return number

    def _charge(self, text: str) -> Any | None:
        for kind, card in (("charge", True), ("bank_charge", False)):
            found = self._owned("bank_charge" if kind == "bank_charge" else "charge", text)
            if found is not None and (found.method.kind == "card") == card:
                return found
        return None

    def _owned(self, kind: Kind, text: str) -> Any | None:
        number = self._ids.decode(kind, text)
        if number is None or number >> ORDINAL_BITS >= len(self._world.customers):
            return None
        mine = _belongings(self._world.customers[number >> ORDINAL_BITS], kind)
        ordinal = number & ((1 << ORDINAL_BITS) - 1)
        return mine[ordinal] if ordinal < len(mine) else None


def _belongings(owner: Customer, kind: Kind) -> Sequence[Any]:
    """A customer's objects of a kind; the ordinal in an id is the place among them."""
    shelves: dict[str, Sequence[Any]] = {
        "subscription": owner.subscriptions,
        "invoice": owner.invoices,
        "charge": owner.charges,
        "bank_charge": owner.charges,
        "payment_intent": owner.intents,
        "dispute": owner.disputes,
    }
    if kind == "invoice_payment":
        return [bill if bill.intent is not None else None for bill in owner.invoices]
    return shelves[kind]
