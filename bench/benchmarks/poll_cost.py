"""What polling costs: calls, reads against Stripe's allowance, CPU and memory, by the size of the account.

Every subscription renews on the 1st, so that the dearest day is among those that are simulated: from the noon before
it for 24 hours, and scaled to 30 days; with DROPFIX_VERIFY=1, 30 days. Accounts at the floor are paid yearly and have
no transactions in the window. 100,000 and a million subscriptions are told by the plan that the others are measured to
keep: what a poll of theirs asks for, a page at the price measured at 10,000.
"""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.companies import company_of_the_first, let_some_leave
from bench.measurement import Measurement
from bench.polled import PolledAccount, polled_account
from bench.servers import Servers, Tell
from services.poller.bounds import BY_NAME, Name, bound_seconds, in_words
from services.poller.budget import allowed_reads
from services.poller.plan import POLLS_A_DAY, Sizes, letters_of, pages_of, tier_of
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.chance import Chance

AT_LENGTH = os.environ.get("DROPFIX_VERIFY") == "1"
FIRST = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
BEGAN = {
    "month": int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()),
    "year": int(datetime(2026, 8, 1, tzinfo=UTC).timestamp()),
}
NOON_BEFORE = FIRST - 12 * 3600
POLLS = 30 * POLLS_A_DAY if AT_LENGTH else POLLS_A_DAY
BURST_SECONDS = 5 * 3600
"""From the first renewals until what follows of them is read."""
SIZES = (100, 1_000, 10_000)
LARGE = (100_000, 1_000_000)
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
    page_ms: float
    grown_mb: float
    measured: bool = True

    @property
    def name(self) -> str:
        return f"{self.size:,} {'rich' if self.rich else 'at the floor'}"

    @property
    def reads(self) -> int:
        return self.lists + self.focused


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
        cost.name if cost.measured else f"{cost.name} (scaled)",
        cost.tier,
        str(cost.pages),
        str(cost.burst_pages) if cost.measured else "-",
        f"{cost.reads:,}",
        f"{cost.lists:,}",
        f"{cost.budget:,}",
        f"{cost.allowance:,}",
        f"{cost.cpu_ms:.1f}",
        f"{cost.grown_mb:.0f}" if cost.measured else "-",
        *bounds,
    ]


def run(servers: Servers, tell: Tell) -> Measurement:
    """Poll every account through its dearest day, and scale."""
    costs: list[Cost] = []
    for size in SIZES:
        for rich in (True, False):
            cost = _measure(servers, size, rich=rich)
            tell(f"{cost.name}: {cost}")
            costs.append(cost)
    page_ms = next(cost.page_ms for cost in costs if cost.size == SIZES[-1] and cost.rich)
    costs += [_scaled(size, page_ms) for size in LARGE]
    pages = {f"most list calls of a quiet poll, {cost.name}": float(cost.pages) for cost in costs if cost.measured}
    reads = {f"reads of 30 days, {cost.name}": float(cost.reads) for cost in costs}
    most = {
        f"most list calls of a quiet poll, {cost.name}": 1.0 if cost.size <= 100 else 4.0
        for cost in costs
        if cost.measured
    }
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


@contextmanager
def _account(servers: Servers, size: int, *, rich: bool) -> Iterator[tuple[PolledAccount, Counting]]:
    cadence = "month" if rich else "year"
    company = company_of_the_first(size=size, began=BEGAN[cadence], now=NOON_BEFORE, cadence=cadence)
    settings = ServerSettings(rates=Rates(enforced=False), pretty=False)
    simulator = simulate(company, clock=ManualClock(NOON_BEFORE), settings=settings)
    counting = Counting(simulator.app)
    with servers.fresh_database() as database, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with polled_account(simulator, admin_url=database, folder=place, keep=lambda _: None, app=counting) as account:
            yield account, counting


def _measure(servers: Servers, size: int, *, rich: bool) -> Cost:
    with _account(servers, size, rich=rich) as (account, counting):
        company, chance, tally = account.simulator.company, Chance(size, 0xB1), _Tally()
        counting.cpu, counting.requests = 0.0, 0
        grown, began = _megabytes(), time.process_time()
        lived = 0.0
        for _ in range(POLLS):
            account.move_to(account.now + 300)
            living = time.thread_time()
            company.world.advance(account.now)
            let_some_leave(company, chance)
            lived += time.thread_time() - living
            before = counting.requests
            account.poll()
            _count(tally, account, counting.requests - before)
        tally.cpu = time.process_time() - began - counting.cpu - lived
        tally.requests, tally.grown_mb = counting.requests, _megabytes() - grown
        return _cost(size, tally, _sizes(account), rich=rich, allowed=int(account.said()["reads_allowed"]))


def _count(tally: _Tally, account: PolledAccount, requests: int) -> None:
    pages = int(account.said()["calls_last_poll"])
    if FIRST <= account.now < FIRST + BURST_SECONDS:
        tally.burst.append(pages)
        tally.focused_burst += requests - pages
    else:
        tally.quiet.append(pages)
        tally.focused_quiet += requests - pages


def _cost(size: int, tally: _Tally, sizes: Sizes, *, rich: bool, allowed: int) -> Cost:
    quiet_polls = 30 * POLLS_A_DAY - len(tally.burst)
    share = quiet_polls / len(tally.quiet)
    transactions = max(0, allowed // 250 if rich else 0)
    return Cost(
        size=size,
        rich=rich,
        tier=tier_of(sizes, allowed=allowed),
        pages=max(tally.quiet),
        burst_pages=max(tally.burst),
        lists=round(sum(tally.quiet) * share + sum(tally.burst)),
        focused=round(tally.focused_quiet * share + tally.focused_burst),
        budget=allowed,
        allowance=max(10_000, 500 * transactions),
        sizes=sizes,
        cpu_ms=tally.cpu * 1000 / POLLS,
        page_ms=tally.cpu * 1000 / tally.requests,
        grown_mb=tally.grown_mb,
    )


def _sizes(account: PolledAccount) -> Sizes:
    found: dict[str, int] = account.rows("SELECT sizes FROM poller.connections")[0][0]
    return Sizes(**found)


def _scaled(size: int, page_ms: float) -> Cost:
    """A large account by its plan: the pages of a day's polls, what it renews spread over the month."""
    sizes = Sizes(size, size * 7 // 10, size, size * 3 // 100)
    transactions = size * 7 // 10
    allowed = allowed_reads(transactions)
    tier = tier_of(sizes, allowed=allowed)
    hot = 1 + transactions // 30 // POLLS_A_DAY * 4 // 100
    pages = [sum(pages_of(letter, sizes) or hot for letter in letters_of(tier, tick)) for tick in range(POLLS_A_DAY)]
    focused = 30 * POLLS_A_DAY * min(20, transactions * 2 // 30 // POLLS_A_DAY)
    per_poll = sum(pages) / len(pages)
    return Cost(
        size=size,
        rich=True,
        tier=tier,
        pages=max(pages),
        burst_pages=0,
        lists=30 * sum(pages),
        focused=focused,
        budget=allowed,
        allowance=500 * transactions,
        sizes=sizes,
        cpu_ms=per_poll * page_ms,
        page_ms=page_ms,
        grown_mb=0.0,
        measured=False,
    )


def _megabytes() -> float:
    """Resident memory of this process, company included, at its peak so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
