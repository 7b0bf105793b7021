"""The company's books: consistent at every instant, and a function of the seed."""

from collections import Counter

import pytest

from simulator.company import customers, invoicing, payments, script, subscriptions
from simulator.company.invariants import violations
from simulator.company.life import Growth
from simulator.company.model import Customer
from simulator.company.periods import DAY, shift
from simulator.founding import Company, found, scripted
from simulator.truth.valuation import customer_mrr

NOW = 1_795_500_000
SMALL = Growth(customers=250, days=120)


def life_of(who: Customer) -> list[tuple[object, ...]]:
    return [
        (who.email, who.deleted_at),
        *((bill.created, bill.status, bill.total) for bill in who.invoices),
        *((charge.created, charge.status) for charge in who.charges),
        *((sold.created, sold.status, sold.ended_at) for sold in who.subscriptions),
    ]


def snapshot(company: Company) -> list[tuple[object, ...]]:
    """Everything that ids, states and money say."""
    world = company.world
    invoices = world.invoices.oldest(0, len(world.invoices))
    subscriptions = world.subscriptions.oldest(0, len(world.subscriptions))
    return [
        *((bill.number, bill.created, bill.status, bill.total, bill.attempt_count) for bill in invoices),
        *((sold.number, sold.created, sold.status, sold.canceled_at, sold.seq) for sold in subscriptions),
        tuple(company.record.mrr_at(world.now).items()),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_books_are_consistent_at_every_instant(seed: int) -> None:
    company = found(seed=seed, now=NOW, growth=SMALL)
    for _ in range(8):
        assert violations(company.world) == []
        company.world.advance(company.world.now + 2 * DAY + 4321)
    assert violations(company.world) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_books_are_consistent_after_every_single_event(seed: int) -> None:
    world = found(seed=seed, now=NOW, growth=Growth(customers=40, days=60)).world
    for _ in range(250):
        following = world.next_event_at()
        assert following is not None
        world.advance(following)
        assert violations(world) == []


def test_time_in_small_steps_gives_the_same_company_as_one_leap() -> None:
    leap, steps = (found(seed=7, now=NOW, growth=SMALL) for _ in range(2))
    leap.world.advance(NOW + 30 * DAY)
    for step in range(1, 97):
        steps.world.advance(NOW + step * 30 * DAY // 96)
    assert snapshot(leap) == snapshot(steps)


def test_a_later_anchor_lives_on_from_an_earlier_one() -> None:
    early = found(seed=7, now=NOW, growth=SMALL)
    late = found(seed=7, now=NOW + 10 * DAY, growth=SMALL)
    early.world.advance(NOW + 10 * DAY)
    assert len(late.world.customers) < len(early.world.customers), "the later company opened later"
    assert found(seed=7, now=NOW, growth=SMALL).world.opened_at == early.world.opened_at


def test_another_seed_is_another_company() -> None:
    assert snapshot(found(seed=1, now=NOW, growth=SMALL)) != snapshot(found(seed=2, now=NOW, growth=SMALL))


def test_a_customers_life_depends_on_nobody_elses() -> None:
    alone, disturbed = (found(seed=7, now=NOW, growth=SMALL) for _ in range(2))
    disturbed.world.act(customers.delete, disturbed.world.customers[5])
    for company in (alone, disturbed):
        company.world.advance(NOW + 40 * DAY)
    for number in range(250):
        one, other = alone.world.customers[number], disturbed.world.customers[number]
        same = life_of(one) == life_of(other)
        assert same == (number != 5), number


def test_imported_customers_share_a_second() -> None:
    world = found(seed=7, now=NOW, growth=SMALL).world
    for shelf in (world.customers, world.subscriptions, world.invoices, world.charges):
        seconds = Counter(thing.created for thing in shelf.newest(0, len(shelf)))
        assert max(seconds.values()) >= 3


def test_time_never_goes_back() -> None:
    company = found(seed=1, now=NOW, growth=SMALL)
    before = snapshot(company)
    assert company.world.advance(NOW - DAY) == 0
    assert company.world.now == NOW
    assert snapshot(company) == before


def test_as_many_customers_as_asked_have_signed_up_by_the_anchor_and_more_follow() -> None:
    world = found(seed=3, now=NOW, growth=Growth(customers=500, days=90)).world
    assert len(world.customers) == 500
    world.advance(NOW + 10 * DAY)
    assert 510 < len(world.customers) < 540


def test_every_kind_of_fate_occurs() -> None:
    company = found(seed=1, now=NOW, growth=Growth(customers=1500, days=60))
    world = company.world
    statuses: set[str] = set()
    for day in range(0, 60, 5):
        world.advance(NOW + day * DAY)
        statuses |= {sold.status for sold in world.subscriptions.newest(0, len(world.subscriptions))}
    assert statuses >= {"active", "past_due", "unpaid", "canceled", "incomplete_expired", "trialing", "paused"}
    bills = list(world.invoices.newest(0, len(world.invoices)))
    assert {bill.status for bill in bills} == {"draft", "open", "paid", "uncollectible", "void"}
    assert {bill.reason for bill in bills} == {"subscription_create", "subscription_cycle", "subscription_update"}
    assert {bill.currency for bill in bills} == {"usd", "eur", "gbp", "cad", "jpy", "kwd"}
    assert any(bill.out_of_band for bill in bills)
    assert any(bill.starting_balance < 0 for bill in bills)
    assert any(bill.collection_method == "send_invoice" for bill in bills)
    assert any(len(bill.lines) > 10 for bill in bills)
    assert any(line.proration for bill in bills for line in bill.lines)
    charges = list(world.charges.newest(0, len(world.charges)))
    assert {charge.method.kind for charge in charges} == {"card", "us_bank_account", "sepa_debit"}
    assert {c.decline.reason for c in charges if c.decline} >= {"insufficient_funds", "expired_card", "lost_card"}
    assert any(0 < charge.amount_refunded < charge.amount for charge in charges)
    plans = {item.plan for s in world.subscriptions.newest(0, len(world.subscriptions)) for item in s.items}
    assert {plan.interval for plan in plans} == {"day", "week", "month", "year"}
    assert {plan.tiers_mode for plan in plans} == {None, "graduated", "volume"}
    declines = {f.charged for f in company.record.failures}
    assert declines == {True, False}


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_over_time_is_the_sum_over_customers(seed: int) -> None:
    company = found(seed=seed, now=NOW, growth=SMALL)
    whole: Counter[str] = Counter()
    for who in company.world.customers.newest(0, len(company.world.customers)):
        whole.update(customer_mrr(who, NOW))
    assert dict(whole) == company.record.mrr_at(NOW)
    by_customer: Counter[str] = Counter()
    for mrr in company.record.customers_with_mrr(NOW).values():
        by_customer.update(mrr)
    assert by_customer == whole


def test_the_past_can_be_asked_later_as_it_was() -> None:
    company = found(seed=4, now=NOW, growth=SMALL)
    then = (company.record.mrr_at(NOW), company.record.customers_at(NOW), company.record.customers_with_mrr(NOW))
    company.world.advance(NOW + 40 * DAY)
    assert (
        company.record.mrr_at(NOW),
        company.record.customers_at(NOW),
        company.record.customers_with_mrr(NOW),
    ) == then
    assert company.record.mrr_at(company.world.now) != then[0]


def test_a_month_after_the_31st_is_the_last_day_and_two_months_after_it_the_31st() -> None:
    january_31 = 1_801_353_600  # 2027-01-31T00:00:00Z
    assert shift(january_31, "month", 1) == january_31 + 28 * DAY
    assert shift(january_31, "month", 2) == january_31 + 59 * DAY
    assert shift(january_31, "year", 1) == january_31 + 365 * DAY
    assert shift(january_31, "week", 2) == january_31 + 14 * DAY


def test_an_invoice_that_was_voided_stays_as_it_is_when_its_customer_comes_to_pay() -> None:
    company, _ = scripted(now=NOW)
    world = company.world
    who = script.customer(world)
    plan = world.catalogue.plan("pro", "usd", "month")
    world.act(lambda w: subscriptions.begin(w, who, [(plan, 1)]))
    sold = who.subscriptions[0]
    sold.collection_method = "send_invoice"
    world.advance(NOW + 40 * DAY)
    bill = who.invoices[-1]
    world.act(invoicing.void, bill)
    was = (bill.status, bill.attempt_count, bill.attempted)
    world.act(payments.collect, bill)
    assert (bill.status, bill.attempt_count, bill.attempted) == was == ("void", 0, False)
