"""A company from a seed: the world, its rules, its life and the record of its truth, wired together."""

from dataclasses import dataclass

from simulator.company.dunning import AccountsReceivable
from simulator.company.life import Growth, LivingCompany
from simulator.company.periods import DAY
from simulator.company.script import ScriptedLife
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
    company = unlived(seed=seed, opened_at=now - growth.days * DAY, rules=rules)
    company.world.life = LivingCompany(company.world, growth)
    company.world.advance(now)
    return company


def scripted(*, now: int, seed: int = 1, rules: Rules | None = None) -> tuple[Company, ScriptedLife]:
    """An empty company that opens at `now`, in which only what is told happens (see `company.script`)."""
    company, life = unlived(seed=seed, opened_at=now, rules=rules), ScriptedLife()
    company.world.life = life
    return company, life


def unlived(*, seed: int, opened_at: int, rules: Rules | None = None) -> Company:
    """An empty company at its first instant (Unix seconds). Who calls this gives it its `world.life`."""
    world = World(seed=seed, opened_at=opened_at, rules=rules)
    record = Record()
    world.witness = record
    world.desk = AccountsReceivable(world)
    return Company(world, record, Ids(seed))
