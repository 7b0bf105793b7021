"""Against the simulator, which knows the company's truth from its own books and shares no code with the service.

The company sells everything that Stripe Billing can price, in six currencies, and lives for 24 months. One seed in
`make test`, ten in `make verify`.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline.records import Record
from services.mrr.core import instant_of
from simulator.changes import History, history
from simulator.company.life import Growth
from simulator.company.periods import DAY
from simulator.founding import found
from simulator.render.view import Shape
from simulator.truth.report import mrr_by_customer
from tests.integration.mrr.tables import Tables, by_customer, daily, query
from tests.unit.mrr.feed import Feed, raw_record
from tests.unit.mrr.replay import Replay, days

OPENED = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
SEEDS = range(1, 11 if os.environ.get("DROPFIX_VERIFY") else 2)
SHAPES = pytest.mark.parametrize("shape", [Shape.ACACIA, Shape.BASIL], ids=str)


def lived(seed: int, shape: Shape = Shape.BASIL) -> History:
    return history(seed=seed, months=24, opened_at=OPENED, shape=shape, kinds=("customer", "subscription", "invoice"))


def told(past: History) -> Iterator[Record]:
    """A raw record at each change, from the first day on."""
    for version, one in enumerate(past.changes(), start=1):
        yield raw_record(one.kind, one.object, at=one.at, version=version, change=one.change, offset=version)


@SHAPES
@pytest.mark.parametrize("seed", SEEDS)
def test_two_years_fed_a_record_at_each_change_equal_the_truth_to_the_unit_on_every_day(
    seed: int, shape: Shape
) -> None:
    past, replay = lived(seed, shape), Replay()
    replay.take(told(past))
    now = datetime.fromtimestamp(past.ends_at, UTC)
    replay.tick(now)
    truth = past.company.record
    every = list(days(datetime.fromtimestamp(past.opened_at, UTC), now))
    wrong = {
        day.date(): (mine, theirs)
        for day in every
        if (mine := replay.mrr_at(day)) != (theirs := truth.mrr_at(int(day.timestamp())))
    }
    assert wrong == {}
    assert len(every) >= 730
    assert len(truth.mrr_at(past.ends_at)) > 3, "the company must sell in several currencies"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_say_the_truth_of_every_day_and_every_day_adds_up(database_url: str, seed: int) -> None:
    past = lived(seed)
    tables = Tables(database_url)
    tables.apply(told(past))
    tables.run_timers(datetime.fromtimestamp(past.ends_at, UTC))
    truth = past.company.record
    found = dict(daily(database_url))
    wrong = {day: (mine, t) for day, mine in found.items() if mine != (t := truth.mrr_at(int(day.timestamp())))}
    assert {day: both for day, both in wrong.items() if day < instant_of(past.ends_at * 1_000_000)} == {}
    assert len(found) >= 730
    adds_up = (
        "mrr_start + new + reactivation + expansion - contraction - churn + policy + source + correction = mrr_end"
    )
    assert query(database_url, f"SELECT count(*) FROM analytics.mrr_daily WHERE NOT ({adds_up})") == [(0,)]
    assert by_customer(database_url) == mrr_by_customer(truth, past.company.ids, past.ends_at)
    tables.close()


@SHAPES
@pytest.mark.parametrize("seed", SEEDS)
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
