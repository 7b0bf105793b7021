"""The detector against the simulator's truth: computed from what Stripe's objects leave, by code that shares none."""

from functools import cache

import pytest

from simulator.company.life import Growth
from simulator.founding import Company, found
from simulator.render.view import Shape
from tests.accounts import Observer
from tests.unit.detector.watching import DAY, Watch, truth_of

NOW = 1_790_000_000
HOUR = 3600
SEEDS = (1, 2, 3)
WITHOUT_TRACE = 2 * DAY
"""How far off the time of a lapse may be that Stripe keeps no time of: unpaid after retries that made no charge."""


@cache
def company_of(seed: int) -> Company:
    return found(seed=seed, now=NOW, growth=Growth(customers=600))


def watch_once(seed: int, shape: Shape = Shape.BASIL) -> Watch:
    watch = Watch()
    watch.feed(Observer(company_of(seed), shape=shape).look())
    return watch


@pytest.mark.parametrize("shape", [Shape.ACACIA, Shape.BASIL, Shape.DAHLIA])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_backfill_finds_the_failed_payments_of_the_truth_to_the_second(seed: int, shape: Shape) -> None:
    after, truth = truth_of(company_of(seed), "payment_failed")
    found = watch_once(seed, shape).published("payment_failed", after=after)
    assert len(truth) > 10
    assert {customer: [(one.opened_at, one.resolved_at) for one in ones] for customer, ones in found.items()} == {
        customer: [(one["opened_at"], one["resolved_at"]) for one in ones] for customer, ones in truth.items()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failed_payment_names_the_invoices_of_the_truth(seed: int) -> None:
    after, truth = truth_of(company_of(seed), "payment_failed")
    found = watch_once(seed).published("payment_failed", after=after)
    for customer, signals in truth.items():
        told = [[one["invoice_id"] for one in finding.detail["invoices"]] for finding in found[customer]]
        assert told == [signal["invoices"] for signal in signals]


@pytest.mark.parametrize("shape", [Shape.ACACIA, Shape.BASIL, Shape.DAHLIA])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_backfill_finds_the_lapsed_customers_of_the_truth(seed: int, shape: Shape) -> None:
    after, truth = truth_of(company_of(seed), "subscription_lapsed")
    found = watch_once(seed, shape).published("subscription_lapsed", after=after)
    assert len(truth) > 10
    assert found.keys() == truth.keys()
    for customer, signals in truth.items():
        assert len(found[customer]) == len(signals)
        for finding, signal in zip(found[customer], signals, strict=True):
            status = finding.detail["subscriptions"][0]["status"]
            assert abs(finding.opened_at - signal["opened_at"]) <= (WITHOUT_TRACE if status == "unpaid" else 0)
            assert finding.resolved_at == signal["resolved_at"]
            assert finding.detail["voluntary"] == signal["voluntary"]


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_watching_a_company_live_ends_with_the_signals_of_the_truth(seed: int) -> None:
    company = found(seed=seed, now=NOW, growth=Growth(customers=150))
    observer, watch = Observer(company), Watch()
    watch.feed(observer.look())
    step = 8 * HOUR
    for _ in range(24 * DAY // step):
        company.world.advance(company.world.now + step)
        watch.pass_time(company.world.now)
        watch.feed(observer.look())
    for code in ("payment_failed", "subscription_lapsed"):
        after, truth = truth_of(company, code)
        found_ones = watch.published(code, after=after)
        assert found_ones.keys() == truth.keys()
        for customer, signals in truth.items():
            for finding, signal in zip(found_ones[customer], signals, strict=True):
                assert abs(finding.opened_at - signal["opened_at"]) <= step
                assert (finding.resolved_at is None) == (signal["resolved_at"] is None)
                assert abs((finding.resolved_at or 0) - (signal["resolved_at"] or 0)) <= step


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_said_twice_by_a_second_look_at_an_account_that_did_not_change(seed: int) -> None:
    watch = Watch()
    observer = Observer(company_of(seed))
    records = observer.look()
    watch.feed(records)
    before = len(watch.said)
    watch.feed(records)
    assert len(watch.said) == before
