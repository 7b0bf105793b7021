"""What polling costs: calls, reads against Stripe's allowance, CPU and memory, by the size of the account.

Every subscription renews on the 1st, so that the dearest day is among those that are simulated: from the noon before
it for 24 hours, and scaled to 30 days; with DROPFIX_VERIFY=1, 30 days. Accounts at the floor are paid yearly and have
no transactions in the window. 100,000 and a million subscriptions, which renew all through the month, are polled for
half an hour that has a turn of every sweep, and scaled to 30 days; with DROPFIX_VERIFY=1 for three hours. Their first
sync is not made: their rows are written, and the pages of that time read once before.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.companies import company_of_the_first, let_some_leave
from bench.measurement import Measurement
from bench.polled import WORKSPACE, PolledAccount, polled_account
from bench.servers import Servers, Tell
from bench.synced import write_as_synced
from services.poller.steady.bounds import BY_NAME, Name, bound_seconds, in_words
from services.poller.steady.plan import LARGE as LARGE_FROM
from services.poller.steady.plan import POLLS_A_DAY, SLOT_CYCLE, Sizes, tier_of
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.chance import Chance
from simulator.founding import Company
from simulator.vast.account import vast

AT_LENGTH = os.environ.get("DROPFIX_VERIFY") == "1"
FIRST = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
BEGAN = {
    "month": int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()),
    "year": int(datetime(2026, 8, 1, tzinfo=UTC).timestamp()),
}
NOON_BEFORE = FIRST - 12 * 3600
IN_THE_MONTH = int(datetime(2026, 11, 15, 12, tzinfo=UTC).timestamp())
"""A day like any other: a vast account has no renewals in a month's last days."""
POLLS = 30 * POLLS_A_DAY if AT_LENGTH else POLLS_A_DAY
BURST_SECONDS = 5 * 3600
"""From the first renewals until what follows of them is read."""
SIZES = (100, 1_000, 10_000)
LARGE = (100_000, 1_000_000)
LARGE_POLLS = len(SLOT_CYCLE) * 3 if AT_LENGTH else len(SLOT_CYCLE) // 2
SWEEPS_CUSTOMERS = len(SLOT_CYCLE) * 3 // 2
"""The tick from which half an hour has a turn of the sweep of customers, the dearest."""
SHOWN: tuple[Name, ...] = ("card_failure", "cancellation", "closed", "change")


class Counting:
    """Before an application: counts requests, and the CPU that it spends on them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = 0
        self.cpu = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        began = time.thread_time()
        await self._app(scope, receive, send)
        self.cpu += time.thread_time() - began


@dataclass(slots=True)
class Cost:
    """What one account cost. Reads are of 30 days; pages are list pages of a poll, the burst's apart."""

    size: int
    rich: bool
    tier: str
    pages: int
    burst_pages: int
    lists: int
    focused: int
    budget: int
    allowance: int
    sizes: Sizes
    cpu_ms: float
    grown_mb: float

    @property
    def name(self) -> str:
        return f"{self.size:,} {'rich' if self.rich else 'at the floor'}"

    @property
    def reads(self) -> int:
        return self.lists + self.focused

    @property
    def told(self) -> str:
        return f"{self.name}: {self.pages} list calls a poll at most, {self.reads:,} reads in 30 days"


@dataclass(slots=True)
class _Tally:
    """Pages of single polls, in the burst and outside, and reads by day's kind."""

    quiet: list[int] = field(default_factory=list)
    burst: list[int] = field(default_factory=list)
    focused_quiet: int = 0
    focused_burst: int = 0
    requests: int = 0
    cpu: float = 0.0
    grown_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class PollCost(Measurement):
    """The measurement, shown as one table."""

    costs: tuple[Cost, ...] = ()

    def table(self) -> str:
        shown = Table("subscriptions", "tier", title=f"poll_cost: {'30 days' if AT_LENGTH else '24 hours, scaled'}")
        for name in ("calls/poll", "burst", "reads/30 d", "lists", "budget", "allowance", "ms CPU/poll", "MB grown"):
            shown.add_column(name, justify="right")
        for name in SHOWN:
            shown.add_column(name.replace("_", " "), justify="right")
        for cost in self.costs:
            shown.add_row(*_cells(cost))
        console = Console(width=190, color_system=None)
        with console.capture() as capture:
            console.print(shown)
        verdict = "every goal holds" if self.holds else f"MISSED: {', '.join(self.missed)}"
        return f"{capture.get()}{verdict}"

    @property
    def missed(self) -> list[str]:
        values, goals = self.value, self.goal
        assert not isinstance(values, float | int)
        assert not isinstance(goals, float | int)
        return [name for name, goal in goals.items() if values[name] > goal]


def _cells(cost: Cost) -> list[str]:
    bounds = [
        in_words(bound_seconds(BY_NAME[name], cost.sizes, allowed=cost.budget)) if cost.sizes else "" for name in SHOWN
    ]
    return [
        cost.name,
        cost.tier,
        str(cost.pages),
        str(cost.burst_pages or "-"),
        f"{cost.reads:,}",
        f"{cost.lists:,}",
        f"{cost.budget:,}",
        f"{cost.allowance:,}",
        f"{cost.cpu_ms:.1f}",
        f"{cost.grown_mb:.0f}",
        *bounds,
    ]


def run(servers: Servers, tell: Tell) -> Measurement:
    """Poll every account through its dearest day, and scale."""
    costs: list[Cost] = []
    for size in SIZES:
        for rich in (True, False):
            costs.append(_measure(servers, size, rich=rich))
            tell(costs[-1].told)
    for size in LARGE:
        costs.append(_measure_large(servers, size))
        tell(costs[-1].told)
    ordinary = [cost for cost in costs if cost.size <= LARGE_FROM]
    pages = {f"most list calls of a quiet poll, {cost.name}": float(cost.pages) for cost in ordinary}
    reads = {f"reads of 30 days, {cost.name}": float(cost.reads) for cost in costs}
    most = {f"most list calls of a quiet poll, {cost.name}": 1.0 if cost.size <= 100 else 4.0 for cost in ordinary}
    budgets = {f"reads of 30 days, {cost.name}": float(cost.budget) for cost in costs}
    return PollCost(
        name="poll_cost",
        value={**pages, **reads},
        unit="calls and reads",
        goal={**most, **budgets},
        compared_with={f"Stripe's allowance, {cost.name}": float(cost.allowance) for cost in costs},
        lower_is_better=True,
        costs=tuple(costs),
    )


Fill = Callable[[psycopg.Connection, str], None]


@contextmanager
def _account(servers: Servers, company: Company, fill: Fill | None = None) -> Iterator[tuple[PolledAccount, Counting]]:
    settings = ServerSettings(rates=Rates(enforced=False), pretty=False)
    simulator = simulate(company, clock=ManualClock(company.world.now), settings=settings)
    counting = Counting(simulator.app)
    with servers.fresh_database() as database, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with polled_account(
            simulator, admin_url=database, folder=place, keep=lambda _: None, app=counting, fill=fill
        ) as account:
            yield account, counting


def _measure(servers: Servers, size: int, *, rich: bool) -> Cost:
    """An ordinary account, from the noon before the 1st."""
    cadence = "month" if rich else "year"
    company = company_of_the_first(size=size, began=BEGAN[cadence], now=NOON_BEFORE, cadence=cadence)
    chance = Chance(size, 0xB1)

    def live(until: int) -> None:
        company.world.advance(until)
        let_some_leave(company, chance)

    with _account(servers, company) as (account, counting):
        tally = _polled(account, counting, POLLS, live)
        return _cost(account, tally, size, rich=rich)


def _measure_large(servers: Servers, size: int) -> Cost:
    """A large account, at a time like any other; what its pages show is known by then."""
    company = vast(customers=size, now=IN_THE_MONTH)

    def fill(db: psycopg.Connection, connection_id: str) -> None:
        write_as_synced(db, company, connection_id=connection_id, workspace_id=WORKSPACE)

    with _account(servers, company, fill) as (account, counting):
        for _ in range(2):
            account.rows("DELETE FROM poller.cursors WHERE name IN ('C', 'G', 'S')")
            account.rows("UPDATE poller.objects SET due_at = NULL WHERE due_at <= %s", account.now)
            account.rows("UPDATE poller.connections SET tick = %s", SWEEPS_CUSTOMERS)
            tally = _polled(account, counting, LARGE_POLLS, company.world.advance)
        return _cost(account, tally, size, rich=True)


def _polled(account: PolledAccount, counting: Counting, polls: int, live: Callable[[int], object]) -> _Tally:
    """So many polls, and the company living (up to an instant) before each."""
    tally = _Tally()
    counting.cpu, counting.requests = 0.0, 0
    grown, began = _megabytes(), time.process_time()
    lived = 0.0
    for _ in range(polls):
        account.move_to(account.now + 300)
        living = time.thread_time()
        live(account.now)
        lived += time.thread_time() - living
        before = counting.requests
        account.poll()
        _count(tally, account, counting.requests - before)
    tally.cpu = time.process_time() - began - counting.cpu - lived
    tally.requests, tally.grown_mb = counting.requests, _megabytes() - grown
    return tally


def _count(tally: _Tally, account: PolledAccount, requests: int) -> None:
    pages = int(account.said()["calls_last_poll"])
    if FIRST <= account.now < FIRST + BURST_SECONDS:
        tally.burst.append(pages)
        tally.focused_burst += requests - pages
    else:
        tally.quiet.append(pages)
        tally.focused_quiet += requests - pages


def _cost(account: PolledAccount, tally: _Tally, size: int, *, rich: bool) -> Cost:
    sizes, allowed = _sizes(account), int(account.said()["reads_allowed"])
    quiet_polls = 30 * POLLS_A_DAY - len(tally.burst)
    share = quiet_polls / len(tally.quiet)
    transactions = max(0, allowed // 250 if rich else 0)
    return Cost(
        size=size,
        rich=rich,
        tier=tier_of(sizes, allowed=allowed),
        pages=max(tally.quiet),
        burst_pages=max(tally.burst, default=0),
        lists=round(sum(tally.quiet) * share + sum(tally.burst)),
        focused=round(tally.focused_quiet * share + tally.focused_burst),
        budget=allowed,
        allowance=max(10_000, 500 * transactions),
        sizes=sizes,
        cpu_ms=tally.cpu * 1000 / (len(tally.quiet) + len(tally.burst)),
        grown_mb=tally.grown_mb,
    )


def _sizes(account: PolledAccount) -> Sizes:
    found: dict[str, int] = account.rows("SELECT sizes FROM poller.connections")[0][0]
    return Sizes(**found)


def _megabytes() -> float:
    """Resident memory of this process, company included, at its peak so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
