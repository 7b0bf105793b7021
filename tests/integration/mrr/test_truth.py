"""Against the simulator, which knows the company's truth from its own books and shares no code with the service.

One seed in `make test`, ten in `make verify`.
"""

import os
from datetime import UTC, datetime

import pytest

from simulator.company.dunning import AccountsReceivable
from simulator.company.life import Growth, LivingCompany
from simulator.company.model import Customer
from simulator.company.periods import DAY
from simulator.company.world import World
from simulator.founding import Company, found
from simulator.ids import Ids
from simulator.render.view import Shape
from simulator.truth.record import Record as Truth
from simulator.truth.report import mrr_by_customer
from tests.unit.mrr.feed import Feed
from tests.unit.mrr.replay import Replay, days

OPENED = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
SEEDS = range(1, 11 if os.environ.get("DROPFIX_VERIFY") else 2)


class _Witness(Truth):
    """The truth, that also notes whose MRR may have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: set[int] = set()

    def revalue(self, customer: Customer, at: int) -> None:
        self.noted.add(customer.number)
        super().revalue(customer, at)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [Shape.ACACIA, Shape.BASIL], ids=str)
def test_two_years_fed_a_record_at_each_change_equal_the_truth_on_every_day(seed: int, shape: Shape) -> None:
    growth = Growth(customers=250, days=730)
    world = World(seed=seed, opened_at=OPENED)
    truth = world.witness = _Witness()
    world.desk, world.life = AccountsReceivable(world), LivingCompany(world, growth)
    feed, replay = Feed(Company(world, truth, Ids(seed)), shape), Replay()
    end = OPENED + growth.days * DAY
    while (event := world.next_event_at()) is not None and event <= end:
        world.advance(event)
        replay.take(feed.changes(truth.noted))
        truth.noted.clear()
    now = datetime.fromtimestamp(end, UTC)
    replay.tick(now)
    wrong = {
        day.date(): (mine, theirs)
        for day in days(datetime.fromtimestamp(OPENED, UTC), now)
        if (mine := replay.mrr_at(day)) != (theirs := truth.mrr_at(int(day.timestamp())))
    }
    assert wrong == {}
    assert len(truth.mrr_at(end)) > 3, "the company must sell in several currencies"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [Shape.ACACIA, Shape.BASIL], ids=str)
def test_an_account_connected_after_ninety_days_has_its_true_mrr_customer_by_customer(seed: int, shape: Shape) -> None:
    company = found(seed=seed, now=OPENED, growth=Growth(customers=400))
    replay = Replay().take(Feed(company, shape).backfill(invoices_since=OPENED - 90 * DAY))
    truth = mrr_by_customer(company.record, company.ids, OPENED)
    mine = replay.customers()
    assert {name: mine.get(name) for name in truth | mine if mine.get(name) != truth.get(name)} == {}


def test_an_account_whose_coupons_cannot_be_read_is_valued_from_its_invoices() -> None:
    company = found(seed=4, now=OPENED, growth=Growth(customers=400))
    replay = Replay().take(Feed(company, Shape.DAHLIA).backfill(invoices_since=OPENED - 90 * DAY))
    truth = mrr_by_customer(company.record, company.ids, OPENED)
    mine = replay.customers()
    wrong = [name for name in truth | mine if mine.get(name) != truth.get(name)]
    assert len(wrong) <= len(truth) // 100
