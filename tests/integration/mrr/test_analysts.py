"""What analysts ask of the ledger, against the same worked out row by row from `mrr_movements`, by code of its own."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from pipeline.records import Record
from simulator.company.dunning import AccountsReceivable
from simulator.company.life import Growth, LivingCompany
from simulator.company.model import Customer
from simulator.company.periods import DAY
from simulator.company.world import World
from simulator.founding import Company
from simulator.ids import Ids
from simulator.truth.record import Record as Truth
from tests.decided import decision_record
from tests.integration.mrr.tables import Tables
from tests.unit.mrr.feed import WORKSPACE, Feed

OPENED = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
CONNECTED, DAYS = 120, 300
NOW = datetime.fromtimestamp(OPENED + DAYS * DAY, UTC)
AROUND_A_NAME = re.compile(r"^\d| × | \(at ")
"""What Stripe writes around the name on an invoice's line."""
AMOUNTS = 7
"""Columns of the key come first."""
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kathmandu")


class Witness(Truth):
    """Notes whose MRR may have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: set[int] = set()

    def revalue(self, customer: Customer, at: int) -> None:
        self.noted.add(customer.number)
        super().revalue(customer, at)


def history() -> list[Record]:
    """A company that lived for 120 days before it was connected, and for 180 days after; some of it comes late."""
    growth = Growth(customers=90, days=DAYS)
    world = World(seed=5, opened_at=OPENED)
    truth = world.witness = Witness()
    world.desk, world.life = AccountsReceivable(world), LivingCompany(world, growth)
    feed = Feed(Company(world, truth, Ids(5)))
    world.advance(OPENED + CONNECTED * DAY)
    records = list(feed.backfill(invoices_since=OPENED + (CONNECTED - 90) * DAY))
    truth.noted.clear()
    while (event := world.next_event_at()) is not None and event <= OPENED + DAYS * DAY:
        world.advance(event)
        records += feed.changes(truth.noted)
        truth.noted.clear()
    return records


@dataclass(frozen=True)
class Movement:
    """A row of the ledger."""

    customer: str
    currency: str
    kind: str
    effective_at: datetime
    observed_at: datetime
    before: int
    after: int
    stands: bool


@dataclass
class Kept:
    """The figures of one window, over whoever had MRR when it began, until that ended."""

    start: int = 0
    customers: int = 0
    end: int = 0
    lost: int = 0
    churned: int = 0


@dataclass
class Arithmetic:
    """The ledger's rows, and everything that follows from them, in plain loops."""

    rows: list[Movement]
    zone: ZoneInfo
    lives: dict[tuple[str, str], list[Movement]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        standing = sorted((row for row in self.rows if row.stands), key=lambda row: (row.customer, row.currency))
        for key, rows in groupby(standing, key=lambda row: (row.customer, row.currency)):
            self.lives[key] = sorted(rows, key=lambda row: row.effective_at)

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def known(self, day: date, at: datetime) -> dict[str, int]:
        totals: dict[str, int] = defaultdict(int)
        for row in self.rows:
            if self.day(row.effective_at) <= day and row.observed_at <= at:
                totals[row.currency] += row.after - row.before
        return dict(totals)

    def mrr_of(self, key: tuple[str, str], before: date) -> int:
        """MRR when a day begins."""
        past = [row for row in self.lives[key] if self.day(row.effective_at) < before]
        return past[-1].after if past else 0

    def kept(self, currency: str, first: date, until: date) -> Kept:
        """`until` is the first day that is not in the window."""
        found = Kept()
        for key in self.lives:
            had = self.mrr_of(key, first)
            if key[1] == currency and had:
                found.customers += 1
                found.start += had
                self._add(found, key, had, first, until)
        return found

    def _add(self, found: Kept, key: tuple[str, str], had: int, first: date, until: date) -> None:
        now, lost = had, 0
        for row in self.lives[key]:
            if first <= self.day(row.effective_at) < until and now:
                now = row.after
                lost += max(0, row.before - row.after)
                found.churned += row.kind == "churn"
        found.end += now
        found.lost += min(had, lost)

    def cohort(self, currency: str, cohort: date, until: date) -> tuple[int, int, int, int]:
        """How many began in a month, with what; and how many are left before a day, with what."""
        keys = [
            key
            for key, rows in self.lives.items()
            if key[1] == currency and month_of(self.day(rows[0].effective_at)) == cohort
        ]
        left = [self.mrr_of(key, until) for key in keys]
        return len(keys), sum(self.lives[key][0].after for key in keys), sum(map(bool, left)), sum(left)


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return month_of(month + timedelta(days=31))


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return history()


@pytest.fixture(params=ZONES)
def tables(database_url: str, records: list[Record], request: pytest.FixtureRequest) -> Iterator[Tables]:
    """The history, in part out of order so that there are corrections; the zone comes in the middle of it."""
    made = Tables(database_url, now=NOW)
    cut = len(records) // 2
    head, tail = records[:cut], records[cut:]
    Random(7).shuffle(head)
    made.apply(head, batch=50)
    zone = {"timezone": request.param}
    made.apply([decision_record("workspace.settings", zone, at=NOW - timedelta(days=60), workspace=WORKSPACE)])
    made.apply(tail, batch=50)
    made.run_timers(NOW)
    yield made
    made.close()


@pytest.fixture
def arithmetic(tables: Tables) -> Arithmetic:
    ((zone,),) = tables.rows("SELECT timezone FROM analytics.workspace_calendar")
    rows = tables.rows(
        "SELECT customer_id, currency, kind, effective_at, observed_at, mrr_before, mrr_after, stands"
        " FROM analytics.mrr_movements"
    )
    found = Arithmetic([Movement(*row) for row in rows], ZoneInfo(zone))
    assert any(row.kind == "correction" for row in found.rows)
    assert any(row.kind == "reactivation" for row in found.rows)
    return found


def test_the_mrr_of_a_day_is_known_as_of_now_and_as_of_any_instant(tables: Tables, arithmetic: Arithmetic) -> None:
    first = datetime.fromtimestamp(OPENED, UTC)
    for offset in (40, 119, 120, 150, 222, 299):
        day = (first + timedelta(days=offset)).date()
        as_of = tables.rows("SELECT currency, mrr FROM analytics.mrr_as_of(%s) WHERE mrr <> 0", day)
        assert dict(as_of) == without_zeros(arithmetic.known(day, NOW)), day
        for later in (0.3, 2.7, 30.1, 200.0):
            at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=later)
            known = tables.rows("SELECT currency, mrr FROM analytics.mrr_as_known(%s, %s) WHERE mrr <> 0", day, at)
            wanted = without_zeros(arithmetic.known(day, at)) if arithmetic.day(at) >= day else {}
            assert dict(known) == wanted, (day, at)


def test_a_day_that_is_ahead_has_no_mrr_yet(tables: Tables, arithmetic: Arithmetic) -> None:
    ((today,),) = tables.rows("SELECT today FROM analytics.workspace_calendar")
    assert today == arithmetic.day(NOW)
    asked = ("mrr_as_of({})", "mrr_as_known({}, 'infinity')", "mrr_customers_as_of({})")
    for function in (*asked, "mrr_customers_as_known({}, 'infinity')"):
        counted = f"SELECT count(*) > 0 FROM analytics.{function.format('%s')}"
        assert [tables.rows(counted, today + timedelta(days=days)) for days in (0, 1, 400)] == [
            [(True,)],
            [(False,)],
            [(False,)],
        ]
    then = NOW - timedelta(days=90)
    known = "SELECT count(*) > 0 FROM analytics.mrr_as_known(%s, %s)"
    assert tables.rows(known, arithmetic.day(then), then) == [(True,)]
    assert tables.rows(known, arithmetic.day(then) + timedelta(days=1), then) == [(False,)]


def test_customers_have_their_mrr_of_a_day_too(tables: Tables, arithmetic: Arithmetic) -> None:
    for offset in (40, 150, 299):
        day = (datetime.fromtimestamp(OPENED, UTC) + timedelta(days=offset)).date()
        wanted = {key: mrr for key in arithmetic.lives if (mrr := arithmetic.mrr_of(key, day + timedelta(days=1)))}
        for asked in ("mrr_customers_as_of(%s)", "mrr_customers_as_known(%s, 'infinity')"):
            rows = tables.rows(f"SELECT customer_id, currency, mrr FROM analytics.{asked}", day)
            assert {(customer, currency): mrr for customer, currency, mrr in rows} == wanted


def test_what_lies_before_the_connection_says_so(tables: Tables, arithmetic: Arithmetic) -> None:
    connected = arithmetic.day(min(row.observed_at for row in arithmetic.rows))
    marks = dict(tables.rows("SELECT DISTINCT day, reconstructed FROM analytics.mrr_daily"))
    assert {day for day, reconstructed in marks.items() if reconstructed} == {day for day in marks if day < connected}
    for day, reconstructed in ((connected - timedelta(days=1), True), (connected, False)):
        asked = "SELECT DISTINCT reconstructed FROM analytics.{}"
        assert tables.rows(asked.format("mrr_as_of(%s)"), day) == [(reconstructed,)]
        assert tables.rows(asked.format("mrr_as_known(%s, %s)"), day, NOW) == [(reconstructed,)]


def test_every_month_has_its_figures(tables: Tables, arithmetic: Arithmetic) -> None:
    rows = tables.rows(
        "SELECT currency, month, mrr_start, customers_start, nrr, grr, customer_churn_rate, churned_customers"
        " FROM analytics.mrr_monthly"
    )
    assert len({month for _, month, *_ in rows}) >= 10
    for currency, month, start, customers, nrr, grr, churn_rate, churned in rows:
        kept = arithmetic.kept(currency, month, next_month(month))
        assert (start, customers, churned) == (kept.start, kept.customers, kept.churned), (currency, month)
        assert nrr == ratio(kept.end, kept.start)
        assert grr == ratio(kept.start - kept.lost, kept.start)
        assert churn_rate == ratio(kept.churned, kept.customers)
        assert grr is None or (0 <= grr <= 1 and grr <= nrr)
    spans = tables.rows("SELECT currency, min(month), max(month), count(*) FROM analytics.mrr_monthly GROUP BY 1")
    this_month = month_of(arithmetic.day(NOW))
    for currency, first, last, count in spans:
        assert last == this_month, currency
        assert count == (last.year - first.year) * 12 + last.month - first.month + 1


def test_a_months_movements_are_its_days(tables: Tables) -> None:
    sums = ", ".join(
        f"sum({name})::bigint" for name in ("new", "reactivation", "expansion", "contraction", "churn", "source")
    )
    by_day = (
        f"SELECT currency, date_trunc('month', day)::date, {sums} FROM analytics.mrr_daily GROUP BY 1, 2 ORDER BY 1, 2"
    )
    by_month = f"SELECT currency, month, {sums} FROM analytics.mrr_monthly GROUP BY 1, 2 ORDER BY 1, 2"
    assert tables.rows(by_month) == tables.rows(by_day)
    assert tables.rows(
        "SELECT count(*) FROM analytics.mrr_monthly WHERE quick_ratio IS DISTINCT FROM"
        " round((new + reactivation + expansion)::numeric / nullif(contraction + churn, 0), 6)"
        " OR arr <> 12 * mrr_end OR (customers = 0) <> (arpa IS NULL)"
    ) == [(0,)]


def test_any_window_has_its_retention(tables: Tables, arithmetic: Arithmetic) -> None:
    for first, last in ((date(2025, 3, 3), date(2025, 3, 9)), (date(2025, 4, 11), date(2025, 8, 2))):
        rows = tables.rows(
            "SELECT currency, mrr_start, customers_start, nrr, grr, churned_customers"
            " FROM analytics.mrr_retention(%s, %s)",
            first,
            last,
        )
        assert rows
        for currency, start, customers, nrr, grr, churned in rows:
            kept = arithmetic.kept(currency, first, last + timedelta(days=1))
            wanted = (kept.start, kept.customers, ratio(kept.end, kept.start), kept.churned)
            assert (start, customers, nrr, churned) == wanted
            assert grr == ratio(kept.start - kept.lost, kept.start)


def test_cohorts_hold_who_began_in_a_month_and_what_is_left_of_them(tables: Tables, arithmetic: Arithmetic) -> None:
    rows = tables.rows(
        "SELECT currency, cohort, month, months_since, cohort_customers, cohort_mrr, customers, mrr"
        " FROM analytics.retention_cohorts"
    )
    assert len(rows) > 50
    for currency, cohort, month, since, *figures in rows:
        assert tuple(figures) == arithmetic.cohort(currency, cohort, next_month(month)), (currency, cohort, month)
        assert since == (month.year - cohort.year) * 12 + month.month - cohort.month
    begun = {(key[1], month_of(arithmetic.day(lived[0].effective_at))) for key, lived in arithmetic.lives.items()}
    assert {(currency, cohort) for currency, cohort, *_ in rows} == begun


def test_plans_add_up_to_the_mrr_there_is_and_are_called_what_the_company_calls_them(tables: Tables) -> None:
    by_plan = "SELECT currency, sum(mrr)::bigint FROM analytics.mrr_by_plan GROUP BY 1 ORDER BY 1"
    by_customer = "SELECT currency, sum(mrr)::bigint FROM analytics.mrr_by_customer WHERE mrr > 0 GROUP BY 1 ORDER BY 1"
    assert tables.rows(by_plan) == tables.rows(by_customer)
    named = tables.rows("SELECT DISTINCT plan, named_by FROM analytics.mrr_by_plan WHERE named_by <> 'price'")
    assert len(named) > 3
    assert {by for _, by in named} >= {"invoice"}
    assert {name for name, _ in named if AROUND_A_NAME.search(name)} == set()


def test_what_is_kept_by_day_and_month_is_what_all_rows_add_up_to_afresh(tables: Tables) -> None:
    kept = {name: sorted(tables.rows(f"SELECT * FROM mrr.{name}")) for name in ("days", "months")}
    assert all(kept.values())
    with psycopg.connect(tables.url, options="-c search_path=mrr") as conn:
        for name in ("days", "months", "zones"):
            conn.execute(f"DELETE FROM {name}".encode())
        conn.execute("SELECT keep_zones(%s)", (WORKSPACE,))
    for name, rows in kept.items():
        afresh = sorted(tables.rows(f"SELECT * FROM mrr.{name}"))
        told, wanted = ([row for row in each if any(row[AMOUNTS:])] for each in (rows, afresh))
        assert told == wanted


def without_zeros(totals: dict[str, int]) -> dict[str, int]:
    return {currency: mrr for currency, mrr in totals.items() if mrr}


def ratio(part: int, whole: int) -> Any:
    return round(Decimal(part) / whole, 6) if whole else None
