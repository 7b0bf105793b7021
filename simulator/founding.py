"""A company from a seed: the world, its rules, its life and the record of its truth, wired together."""

from dataclasses import dataclass

from simulator.company.dunning import AccountsReceivable
from simulator.company.life import Growth, LivingCompany
from simulator.company.periods import DAY
from simulator.company.world import Rules, World
from simulator.ids import Ids
from simulator.truth.record import Record


@dataclass(frozen=True, slots=True)
class Company:
    world: World
    record: Record
    ids: Ids


def found(*, seed: int, now: int, growth: Growth | None = None, rules: Rules | None = None) -> Company:
    """The company of `seed` with its past lived up to `now` (Unix seconds); it opened `growth.days` before."""
    growth = growth or Growth()
    world = World(seed=seed, opened_at=now - growth.days * DAY, rules=rules)
    record = Record()
    world.witness = record
    world.desk = AccountsReceivable(world)
    world.life = LivingCompany(world, growth)
    world.advance(now)
    return Company(world, record, Ids(seed))
