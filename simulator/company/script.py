"""A company in which nothing happens by itself: for tests that tell the story."""

from collections import deque
from dataclasses import dataclass, field

from simulator.company import customers
from simulator.company.chance import Chance
from simulator.company.habits import new_method
from simulator.company.model import Charge, Customer, Decline, Invoice, Subscription
from simulator.company.world import World


@dataclass(slots=True)
class ScriptedLife:
    """Attempts succeed unless `outcomes` says otherwise, first come first served; nobody does anything.

    An outcome is a decline, None for success, or a number of seconds that a bank takes (whose end `debits` tells).
    """

    outcomes: deque[Decline | int | None] = field(default_factory=deque)
    debits: deque[Decline | None] = field(default_factory=deque)
    used: int = 0

    def outcome(self, invoice: Invoice) -> Decline | int | None:
        return self.outcomes.popleft() if self.outcomes else None

    def debit_outcome(self, charge: Charge) -> Decline | None:
        return self.debits.popleft() if self.debits else None

    def usage(self, subscription: Subscription) -> int:
        return self.used

    def created(self, subscription: Subscription) -> None: ...

    def period_started(self, subscription: Subscription) -> None: ...

    def invoice_opened(self, invoice: Invoice) -> None: ...

    def failed(self, invoice: Invoice, decline: Decline) -> None: ...

    def retries_ended(self, invoice: Invoice) -> None: ...

    def charged(self, charge: Charge) -> None: ...

    def ended(self, subscription: Subscription) -> None: ...


def customer(
    world: World, *, currency: str = "usd", email: str | None = "ada@customers.example", card: bool = True
) -> Customer:
    """A new customer of a scripted company, with a card that does as the script says."""
    number = len(world.customers)
    who = Customer(
        number=number,
        created=world.now,
        name=f"Customer {number + 1}",
        email=email,
        country="US",
        currency=currency,
        locale="en-US",
        user_id=f"user_{number + 1}",
        chance=Chance(world.seed, number + 1),
    )
    if card:
        who.method = new_method(who, "good", world.now)
    customers.join(world, who)
    return who
