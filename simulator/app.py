"""The simulator as an ASGI application."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from simulator.api.admin import Admin
from simulator.api.door import Door
from simulator.api.faults import Faults
from simulator.api.keys import KeyRing
from simulator.api.limits import Limits, Rates
from simulator.api.stats import Stats
from simulator.api.versions import PINNED
from simulator.clock import Clock, ManualClock
from simulator.founding import Company


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the server behaves, apart from the company it shows.

    `prefix` is a path before `/v1`, such as `/prefix`; `version` answers requests that name none; `search_lag` is in
    simulated seconds; `pretty` indents answers by two spaces, as Stripe does; `prepared` renders each object of a list
    once, for a company whose time stands.
    """

    prefix: str = ""
    version: str = PINNED
    business: str = "Acme Analytics"
    search_lag: int = 2
    rates: Rates = field(default_factory=Rates)
    pretty: bool = True
    prepared: bool = False


@dataclass(frozen=True, slots=True)
class Simulator:
    """The application, and what a test in the same process may want to hold."""

    app: Starlette
    company: Company
    clock: Clock
    keys: KeyRing
    limits: Limits
    faults: Faults
    stats: Stats
    settings: ServerSettings


def simulate(company: Company, *, clock: Clock | None = None, settings: ServerSettings | None = None) -> Simulator:
    """Wire a company to HTTP. Without a clock, time stands where the company is until somebody moves it."""
    settings = settings or ServerSettings()
    clock = clock or ManualClock(company.world.now)
    keys = KeyRing(company.world.seed, company.ids)
    limits, faults, stats = Limits(settings.rates), Faults(), Stats()
    door = Door(
        company,
        clock=clock,
        keys=keys,
        limits=limits,
        faults=faults,
        stats=stats,
        search_lag=settings.search_lag,
        version=settings.version,
        business=settings.business,
        pretty=settings.pretty,
        prepared=settings.prepared,
    )
    admin = Admin(company, clock=clock, keys=keys, limits=limits, faults=faults, stats=stats)
    routes: list[BaseRoute] = [Route("/v1/{path:path}", door), *admin.routes()]
    app = Starlette(routes=_under(settings.prefix, routes, admin.routes()))
    return Simulator(app, company, clock, keys, limits, faults, stats, settings)


def create_app(company: Company, *, clock: Clock | None = None, settings: ServerSettings | None = None) -> Starlette:
    """The ASGI application alone."""
    return simulate(company, clock=clock, settings=settings).app


def _under(prefix: str, routes: list[BaseRoute], always: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Everything below the prefix, the director's chair also at the root."""
    if not prefix.strip("/"):
        return routes
    return [Mount("/" + prefix.strip("/"), routes=routes), *always]
