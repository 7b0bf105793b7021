"""What a director's order is about: a company, and its objects by Stripe's ids."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.api.lookup import Lookup
from simulator.company import invoicing
from simulator.company.model import Charge, Customer, Dispute, Invoice, Item, Subscription
from simulator.company.world import World
from simulator.errors import SetupError
from simulator.ids import Ids

Wanted = Mapping[str, Any]
Result = dict[str, Any] | None
"""What the order made, by kind: `{"customer": id}`."""


class Stage:
    """Each lookup raises ApiError for an unknown id; `wanted` is the order."""

    def __init__(self, world: World, ids: Ids) -> None:
        self.world = world
        self.ids = ids
        self.lookup = Lookup(world, ids)

    def customer(self, wanted: Wanted) -> Customer:
        found: Customer = self.lookup.need("customer", str(wanted.get("customer")))
        if found.deleted_at is not None:
            raise SetupError("That customer is deleted.")
        return found

    def subscription(self, wanted: Wanted) -> Subscription:
        found: Subscription = self.lookup.need("subscription", str(wanted.get("subscription")))
        return found

    def running(self, wanted: Wanted) -> Subscription:
        """A subscription that has not ended."""
        found = self.subscription(wanted)
        if found.ended:
            raise SetupError("That subscription has ended.")
        return found

    def item(self, wanted: Wanted, sold: Subscription) -> Item:
        """The order's `item` of the subscription, or its first."""
        name = wanted.get("item")
        for item in sold.items:
            if name in {None, self.ids.encode("subscription_item", item.number)}:
                return item
        raise SetupError("That subscription has no such item.")

    def invoice(self, wanted: Wanted) -> Invoice:
        """An open invoice that waits for no bank."""
        found: Invoice = self.lookup.need("invoice", str(wanted.get("invoice")))
        if not invoicing.payable(found):
            raise SetupError("That invoice is not open.")
        return found

    def draft(self, wanted: Wanted) -> Invoice:
        found: Invoice = self.lookup.need("invoice", str(wanted.get("invoice")))
        if found.status != "draft":
            raise SetupError("That invoice is no draft.")
        return found

    def charge(self, wanted: Wanted) -> Charge:
        found: Charge = self.lookup.need("charge", str(wanted.get("charge")))
        return found

    def dispute(self, wanted: Wanted) -> Dispute:
        found: Dispute = self.lookup.need("dispute", str(wanted.get("dispute")))
        return found


Verb = Callable[[Stage, Wanted], Result]
