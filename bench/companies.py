"""A company whose subscriptions all began on the first of a month, as an account: the worst day of polling."""

from simulator.company import script, subscriptions
from simulator.company.chance import Chance
from simulator.company.habits import INSUFFICIENT
from simulator.company.model import Decline, Invoice
from simulator.company.periods import DAY
from simulator.founding import Company, scripted

FAILS = 0.05
LEAVES_A_DAY = 0.04 / 30


class _Payers(script.ScriptedLife):
    """One attempt in twenty fails."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = Chance(seed, 0xFA11)

    def outcome(self, invoice: Invoice) -> Decline | int | None:
        return INSUFFICIENT if self._chance.happens(FAILS) else None


def company_of_the_first(*, size: int, began: int, now: int, cadence: str, seed: int = 1) -> Company:
    """So many customers with a subscription each, all of them begun at the instant `began`; lived up to `now`."""
    company, _ = scripted(now=began, seed=seed)
    world = company.world
    world.life = _Payers(seed)
    plan = world.catalogue.plan("pro", "usd", cadence)
    for _ in range(size):
        who = script.customer(world)
        world.act(lambda w, who=who: subscriptions.begin(w, who, [(plan, 1)]))
    world.advance(now)
    return company


def let_some_leave(company: Company, chance: Chance) -> None:
    """What happens in five minutes besides renewals: now and then somebody cancels."""
    world = company.world
    expected = len(world.subscriptions) * LEAVES_A_DAY * 300 / DAY
    for _ in range(int(expected) + chance.happens(expected % 1)):
        sold = world.subscriptions[chance.between(0, len(world.subscriptions) - 1)]
        if sold.status == "active":
            world.act(subscriptions.cancel_now, sold)
