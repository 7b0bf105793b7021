"""Companies live through random histories: every change is in the topics within the bound of its account's tier.

The poller is the real one over a real PostgreSQL; Kafka and the network are in memory, so that days pass in seconds
(`test_polling.py` has the same over the real ones). Pages have ten objects, so that a small company has many.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from random import Random

import pytest

from bench.polled import PolledAccount, polled_account
from services.poller.steady import bounds, plan
from services.poller.steady.plan import Sizes, Tier
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import Company, found
from tests.integration.poller.changes_in import Happened
from tests.integration.poller.histories import Director, Ledger, ShortPages, bound_of, larger, polls, sizes_of

VERIFY = os.environ.get("DROPFIX_VERIFY") == "1"
PAGE = 10
NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
RICH, POOR = 2_000_000, 34_000


@dataclass(frozen=True)
class Setting:
    """A kind of account: so many customers in so many days make it of this tier, with pages of ten."""

    tier: Tier
    customers: int
    days: int
    allowed: int = RICH
    acts: float = 0.3
    """Things that people do between two polls; at the floor, what the reads of single things are enough for."""


SETTINGS = {
    "tiny": Setting("tiny", customers=8, days=60),
    "small": Setting("small", customers=11, days=300),
    "floor": Setting("floor", customers=45, days=60, allowed=POOR, acts=0.03),
    "normal": Setting("normal", customers=45, days=60),
    "large": Setting("large", customers=70, days=60),
}


@dataclass
class History:
    """A company, its poller, and what of its changes reached the log."""

    account: PolledAccount
    director: Director
    ledger: Ledger
    chance: Random

    def live(self, count: int, *, acts: float, crashes: float = 0.0) -> None:
        """So many polls with so many acts between two of them, on average; a share of the polls loses what Kafka
        acknowledged."""
        for at in polls(self.account, count):
            busy = int(acts) + (self.chance.random() < acts % 1)
            self.director.live(at, acts=busy)
            if self.chance.random() < acts / 20:
                self.director.decide_a_dispute()
            self.account.move_to(at)
            self.account.log.lose_next = int(self.chance.random() < crashes)
            self.account.poll()
            if crashes:
                self.account.log.lose_next = 0
                self.account.forget_pauses()
                self.account.poll()
            self.ledger.look(self.account.now)
            if self.ledger.late:
                pytest.fail("\n".join([*self.ledger.late[:5], str(self.account.said())]))


def company_of(setting: Setting, seed: int) -> Company:
    """A company that is of the tier, with so many customers or some more."""
    for attempt in range(100):
        growth = Growth(customers=setting.customers + attempt % 10, days=setting.days)
        company = found(seed=seed + 1000 * (attempt // 10), now=NOON, growth=growth)
        if plan.tier_of(sizes_of(company), allowed=setting.allowed) == setting.tier:
            return company
    raise AssertionError(f"no company of seed {seed} is {setting.tier}")


@contextmanager
def history(
    setting: Setting, seed: int, *, admin_url: str, folder: Path, patches: pytest.MonkeyPatch, search: bool, lag: int
) -> Iterator[History]:
    """A company of that kind, connected and synced."""
    for module in (plan, bounds):
        patches.setattr(module, "PAGE", PAGE)
    patches.setattr(plan, "LARGE", 60)
    for user in ("session", "first_sync.sync"):
        patches.setattr(f"services.poller.{user}.allowed_reads", lambda transactions: setting.allowed)
    company = company_of(setting, seed)
    simulator = simulate(
        company,
        clock=ManualClock(NOON),
        settings=ServerSettings(business="Acme", rates=Rates(enforced=False), search_lag=lag),
    )
    simulator.faults.search = "on" if search else "missing"
    worst: dict[Tier, Sizes] = {}
    bounded_by = cache(partial(bound_of, allowed=setting.allowed, search=search, search_lag=lag))

    @lru_cache(maxsize=1)
    def sizes_at(now: int) -> Sizes:
        return sizes_of(company)

    def bound(happened: Happened) -> int | None:
        """By every tier that the account was of so far, each at its largest: it may have grown out of one."""
        now = sizes_at(company.world.now)
        tier = plan.tier_of(now, allowed=setting.allowed)
        worst[tier] = larger(worst.get(tier, now), now)
        rows = happened.rows if ledger.telling.is_latest(happened) else (*happened.rows, "superseded")
        found = [bounded_by(rows, sizes) for sizes in worst.values()]
        return max((each for each in found if each is not None), default=None)

    ledger = Ledger(bound)
    director = Director(simulator, ledger, seed=seed)
    with polled_account(
        simulator,
        admin_url=admin_url,
        folder=folder,
        keep=ledger.keep,
        app=ShortPages(simulator.app, PAGE),
        connection_id=f"con_{setting.tier}_{lag}_{seed}",
    ) as account:
        yield History(account, director, ledger, Random(seed))


Lived = Callable[[str, str, int], History]
SEEDS = range(20 if VERIFY else 1)
POLLS = 600 if VERIFY else 120


@pytest.fixture
def live(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lived]:
    """Gives a company of a tier, a kind of search and a seed."""
    with ExitStack() as resources:

        def found_and_connect(tier: str, search: str, seed: int) -> History:
            lag = {"search": 2, "slow search": 1500, "no search": 0}[search]
            company = history(
                SETTINGS[tier],
                seed,
                admin_url=database_url,
                folder=tmp_path,
                patches=monkeypatch,
                search=search != "no search",
                lag=lag,
            )
            return resources.enter_context(company)

        yield found_and_connect


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("search", ["search", "no search", "slow search"])
@pytest.mark.parametrize("tier", SETTINGS)
def test_every_change_of_a_random_history_is_in_the_log_within_its_bound(
    live: Lived, tier: str, search: str, seed: int
) -> None:
    lived = live(tier, search, seed)
    lived.live(POLLS, acts=SETTINGS[tier].acts)
    assert not lived.ledger.repeated
    assert len(lived.director.did) > POLLS * SETTINGS[tier].acts / 3
    assert len(lived.ledger.waited) > min(5, POLLS * SETTINGS[tier].acts / 3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tier", ["tiny", "normal"])
def test_what_was_published_and_not_committed_comes_again_under_the_same_ids(live: Lived, tier: str, seed: int) -> None:
    """The acknowledgements of every third poll are lost: its records are in the log, its rows are not."""
    lived = live(tier, "search", seed)
    lived.live(POLLS // 2, acts=0.5, crashes=0.3)
    assert lived.ledger.repeated


@pytest.mark.parametrize("tier", SETTINGS)
def test_when_a_company_rests_the_log_has_the_latest_state_of_everything_that_any_call_looks_for(
    live: Lived, tier: str
) -> None:
    lived = live(tier, "search", 7)
    lived.live(60, acts=SETTINGS[tier].acts)
    lived.live(300, acts=0)
    awaited = [change for waiting in lived.ledger.awaited.values() for change in waiting.changes]
    assert not [change.told for change in awaited if 0 < (lived.ledger.bound(change) or 0) <= 25 * 3600]
