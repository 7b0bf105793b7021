"""The truth, told by hand: small stories whose end can be reckoned on paper."""

from fractions import Fraction
from typing import Any

import pytest

from simulator.company import customers, invoicing, payments, subscriptions
from simulator.company.habits import AUTHENTICATE, DEBIT_FAILED, INSUFFICIENT, LOST, new_method
from simulator.company.invariants import violations
from simulator.company.model import Coupon, Plan, Subscription, Tier
from simulator.company.periods import DAY, HOUR, Interval
from simulator.company.script import ScriptedLife, customer
from simulator.company.subscriptions import Terms
from simulator.company.world import World
from simulator.founding import Company, scripted
from simulator.truth.report import report

START = 1_788_220_800  # 2026-09-01T00:00:00Z


def plan(
    amount: int | Fraction | None,
    *,
    interval: Interval = "month",
    count: int = 1,
    currency: str = "usd",
    tiers: tuple[Tier, ...] = (),
    volume: bool = False,
    metered: bool = False,
    divide_by: int | None = None,
) -> Plan:
    return Plan(
        number=0,
        product=0,
        family="test",
        name="Test",
        nickname=None,
        currency=currency,
        interval=interval,
        interval_count=count,
        unit_amount=None if amount is None else Fraction(amount),
        tiers=tiers,
        tiers_mode=None if not tiers else "volume" if volume else "graduated",
        metered=metered,
        divide_by=divide_by,
    )


def percent(off: int) -> Coupon:
    return Coupon(1, "percent", "forever", percent_off=Fraction(off))


def amount(off: int) -> Coupon:
    return Coupon(2, "amount", "forever", amount_off=off, currency="usd")


class Story:
    """A scripted company with one customer."""

    def __init__(self) -> None:
        self.company: Company
        self.life: ScriptedLife
        self.company, self.life = scripted(now=START)
        self.world: World = self.company.world
        self.who = customer(self.world)

    def sell(self, *wanted: tuple[Plan, int | None], terms: Terms | None = None) -> Subscription:
        sold: list[Subscription] = []
        self.world.act(lambda world: sold.append(subscriptions.begin(world, self.who, list(wanted), terms)))
        return sold[0]

    def mrr(self) -> dict[str, int]:
        return self.company.record.mrr_at(self.world.now)

    def wait(self, seconds: int) -> None:
        self.world.advance(self.world.now + seconds)
        assert violations(self.world) == []

    def truth(self, days: int = 30) -> dict[str, Any]:
        return report(self.world, self.company.record, self.company.ids, days=days)


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.mark.parametrize(
    ("wanted", "mrr"),
    [
        ([(plan(1900), 1)], 1900),
        ([(plan(1200), 7)], 8400),
        ([(plan(10_000, interval="year"), 1)], 833),
        ([(plan(100, interval="year"), 1), (plan(19_900, interval="year"), 1)], 1667),
        ([(plan(3000, count=3), 1)], 1000),
        ([(plan(600, interval="week"), 1)], 2600),
        ([(plan(1200, interval="week", count=2), 1)], 2600),
        ([(plan(1200, interval="day", count=10), 1)], 3650),
        ([(plan(Fraction(25, 2)), 3)], 38),
        ([(plan(2500, divide_by=10), 11)], 5000),
        ([(plan(None, tiers=(Tier(5, 1000), Tier(None, 600, 500))), 7)], 5000 + 1200 + 500),
        ([(plan(None, tiers=(Tier(5, 1000), Tier(None, 600, 500)), volume=True), 7)], 4200 + 500),
        ([(plan(1900), 1), (plan(100, metered=True), None)], 1900),
        ([(plan(0), 1)], 0),
    ],
)
def test_mrr_of_items(story: Story, wanted: list[tuple[Plan, int | None]], mrr: int) -> None:
    story.life.used = 40
    story.sell(*wanted)
    assert story.mrr() == ({"usd": mrr} if mrr else {})


@pytest.mark.parametrize(
    ("terms", "customer_coupon", "mrr"),
    [
        (Terms(coupon=percent(20)), None, 8000),
        (Terms(coupon=percent(100)), None, 0),
        (Terms(coupon=amount(500)), None, 9500),
        (Terms(coupon=amount(50_000)), None, 0),
        (Terms(coupon=percent(10), item_coupon=percent(50)), None, 4500),
        (Terms(coupon=percent(10), item_coupon=amount(1000)), None, 8100),
        (Terms(coupon=Coupon(3, "once", "once", percent_off=Fraction(30))), None, 10_000),
        (Terms(coupon=Coupon(4, "spring", "repeating", 3, percent_off=Fraction(30))), None, 10_000),
        (Terms(), percent(25), 7500),
        (Terms(coupon=percent(20)), percent(25), 8000),
    ],
)
def test_mrr_of_discounts(story: Story, terms: Terms, customer_coupon: Coupon | None, mrr: int) -> None:
    if customer_coupon is not None:
        story.world.act(lambda world: subscriptions.give_discount(world, customer_coupon, story.who))
    story.sell((plan(10_000), 1), terms=terms)
    assert story.mrr() == ({"usd": mrr} if mrr else {})


def test_an_amount_off_a_yearly_plan_comes_off_once_a_year(story: Story) -> None:
    story.sell((plan(120_000, interval="year"), 1), terms=Terms(coupon=amount(12_000)))
    assert story.mrr() == {"usd": 9000}


def test_a_trial_counts_from_its_end(story: Story) -> None:
    story.sell((plan(1900), 1), terms=Terms(trial_days=14))
    story.wait(14 * DAY - 1)
    assert story.mrr() == {}
    story.wait(1)
    assert story.mrr() == {"usd": 1900}


def test_a_renewal_is_a_draft_for_an_hour_and_is_then_collected(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(30 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.status, bill.reason, bill.intent, bill.attempt_count) == ("draft", "subscription_cycle", None, 0)
    assert bill.next_payment_attempt == story.world.now + HOUR
    story.wait(HOUR)
    assert (bill.status, bill.attempt_count, bill.amount_paid) == ("paid", 1, 1900)


def test_a_failure_is_told_and_its_retry_resolves_it(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(INSUFFICIENT)
    story.wait(30 * DAY + HOUR)
    failed_at = START + 30 * DAY + HOUR
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["first_failed_at"], failure["resolved_at"], failure["charged"]) == (failed_at, None, True)
    assert sold.status == "past_due"
    assert story.mrr() == {"usd": 1900}
    story.wait(4 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (sold.status, bill.status, bill.attempt_count) == ("active", "paid", 2)
    [signal] = story.truth()["signals"]["payment_failed"]
    assert (signal["opened_at"], signal["resolved_at"]) == (failed_at, bill.paid_at)
    assert [each["invoice"] for each in story.truth()["recovered_invoices"]] == signal["invoices"]


def test_a_failed_first_payment_is_an_abandoned_checkout_and_no_signal(story: Story) -> None:
    story.life.outcomes.append(INSUFFICIENT)
    sold = story.sell((plan(1900), 1))
    statuses: list[str] = [sold.status]
    story.wait(23 * HOUR)
    assert [*statuses, sold.status] == ["incomplete", "incomplete_expired"]
    assert story.truth()["failed_payments"]["count"] == 0
    assert story.truth()["lapsed_subscriptions"]["count"] == 0
    assert story.mrr() == {}


def test_an_attempt_without_a_payment_method_makes_no_charge_and_counts(story: Story) -> None:
    story.sell((plan(1900), 1))
    customers.replace_method(story.who, None)
    story.wait(30 * DAY + HOUR)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["charged"], failure["reason"]) == (False, "no_payment_method")
    assert len(story.world.charges) == 1


def test_a_customer_who_must_confirm_makes_no_charge_and_counts(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(AUTHENTICATE)
    story.wait(30 * DAY + HOUR)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    bill = sold.latest_invoice
    assert bill is not None
    assert bill.intent is not None
    assert (failure["charged"], bill.intent.status) == (False, "requires_action")


def test_after_a_hard_decline_only_the_count_goes_up_until_there_is_another_card(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(LOST)
    story.wait(30 * DAY + HOUR + 10 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.attempt_count, len(story.world.charges), bill.status) == (3, 2, "open")
    customers.replace_method(story.who, new_method(story.who, "good", story.world.now))
    story.wait(8 * DAY)
    assert (bill.attempt_count, len(story.world.charges), bill.status) == (4, 3, "paid")


@pytest.mark.parametrize(("end", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")])
def test_when_the_retries_are_used_up_the_accounts_rule_decides(story: Story, end: str, status: str) -> None:
    story.who.dunning_end = end  # type: ignore[assignment]
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.extend([INSUFFICIENT] * 4)
    story.wait(30 * DAY + HOUR + 17 * DAY)
    assert sold.status == status
    lapsed = story.truth()["lapsed_subscriptions"]
    assert lapsed["count"] == (0 if status == "past_due" else 1)
    assert story.mrr() == ({"usd": 1900} if status == "past_due" else {})
    for [lapse] in lapsed["customers"].values():
        assert (lapse["status"], lapse["voluntary"]) == (status, False)


def test_a_bank_debit_fails_days_after_its_attempt(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(4 * DAY)
    story.life.debits.append(DEBIT_FAILED)
    story.wait(30 * DAY + HOUR)
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("active", 0)
    story.wait(4 * DAY)
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert failure["known_at"] - failure["first_failed_at"] == 4 * DAY
    assert sold.status == "past_due"


@pytest.mark.parametrize("how", ["void", "uncollectible", "paid"])
def test_voiding_giving_up_and_being_paid_elsewhere_resolve_a_failure(story: Story, how: str) -> None:
    sold = story.sell((plan(1900), 1))
    story.life.outcomes.append(INSUFFICIENT)
    story.wait(30 * DAY + 2 * HOUR)
    bill = sold.latest_invoice
    assert bill is not None
    if how == "void":
        story.world.act(invoicing.void, bill)
    elif how == "uncollectible":
        story.world.act(invoicing.give_up, bill)
    else:
        story.world.act(lambda world: invoicing.paid(world, bill, charge=None, out_of_band=True))
    assert violations(story.world) == []
    [[failure]] = story.truth()["failed_payments"]["customers"].values()
    assert (failure["resolution"], failure["resolved_at"], sold.status) == (how, story.world.now, "active")


def test_two_failing_invoices_that_overlap_are_one_signal(story: Story) -> None:
    for amount_due in (1900, 4900):
        story.sell((plan(amount_due), 1))
        story.wait(DAY)
    story.life.outcomes.extend([INSUFFICIENT] * 2)
    story.wait(36 * DAY)
    [signal] = story.truth()["signals"]["payment_failed"]
    assert len(signal["invoices"]) == 2
    assert signal["resolved_at"] is not None


def test_cancelling_now_lapses_and_a_new_subscription_resolves_it(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(DAY)
    story.world.act(subscriptions.cancel_now, sold)
    story.wait(DAY)
    [signal] = story.truth()["signals"]["subscription_lapsed"]
    assert (signal["opened_at"], signal["resolved_at"], signal["voluntary"]) == (START + DAY, None, True)
    story.sell((plan(2900), 1))
    [signal] = story.truth()["signals"]["subscription_lapsed"]
    assert signal["resolved_at"] == START + 2 * DAY


def test_a_lapse_needs_that_nothing_else_pays(story: Story) -> None:
    first, second = story.sell((plan(1900), 1)), story.sell((plan(2900), 1))
    story.wait(DAY)
    story.world.act(subscriptions.cancel_now, first)
    assert story.truth()["lapsed_subscriptions"]["count"] == 0
    assert story.mrr() == {"usd": 2900}
    story.world.act(subscriptions.cancel_now, second)
    assert story.truth()["lapsed_subscriptions"]["count"] == 1


def test_a_trial_that_is_left_never_lapsed(story: Story) -> None:
    sold = story.sell((plan(1900), 1), terms=Terms(trial_days=14))
    story.world.act(subscriptions.cancel_later, sold)
    story.wait(15 * DAY)
    assert (sold.status, sold.ended_at) == ("canceled", START + 14 * DAY)
    assert story.truth()["lapsed_subscriptions"]["count"] == 0


def test_a_trial_that_ends_without_a_card_pauses_and_that_is_a_lapse(story: Story) -> None:
    customers.replace_method(story.who, None)
    sold = story.sell((plan(1900), 1), terms=Terms(trial_days=14, missing_method="pause"))
    story.wait(14 * DAY)
    [[lapse]] = story.truth()["lapsed_subscriptions"]["customers"].values()
    assert (sold.status, lapse["status"]) == ("paused", "paused")
    story.wait(DAY)
    customers.replace_method(story.who, new_method(story.who, "good", story.world.now))
    story.world.act(subscriptions.resume_paused, sold)
    assert (sold.status, story.mrr()) == ("active", {"usd": 1900})
    assert story.truth()["signals"]["subscription_lapsed"][0]["resolved_at"] == story.world.now


def test_a_scheduled_cancellation_counts_until_it_happens_and_may_be_taken_back(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.world.act(subscriptions.cancel_later, sold)
    assert (sold.cancel_at_period_end, sold.canceled_at, story.mrr()) == (True, START, {"usd": 1900})
    story.world.act(subscriptions.keep, sold)
    story.wait(31 * DAY)
    assert (sold.status, sold.canceled_at) == ("active", None)
    story.world.act(subscriptions.cancel_later, sold)
    story.wait(31 * DAY)
    assert (sold.status, story.mrr()) == ("canceled", {})


@pytest.mark.parametrize(("behaviour", "mrr"), [("void", 0), ("mark_uncollectible", 0), ("keep_as_draft", 1900)])
def test_paused_collection_counts_only_while_invoices_are_kept(story: Story, behaviour: Any, mrr: int) -> None:
    sold = story.sell((plan(1900), 1))
    story.world.act(subscriptions.pause_collection, sold, behaviour, START + 40 * DAY)
    assert story.mrr() == ({"usd": mrr} if mrr else {})
    story.wait(35 * DAY)
    bill = sold.latest_invoice
    assert bill is not None
    expected = {"void": "void", "mark_uncollectible": "uncollectible", "keep_as_draft": "draft"}
    assert bill.status == expected[behaviour]
    story.wait(5 * DAY)
    assert story.mrr() == {"usd": 1900}


def test_a_downgrade_that_is_settled_at_once_leaves_a_credit_for_the_next_invoice(story: Story) -> None:
    sold = story.sell((plan(4900), 1))
    story.wait(15 * DAY)
    cheap = plan(1900)
    story.world.act(
        lambda world: subscriptions.change(world, sold, sold.items[0], plan=cheap, proration="always_invoice")
    )
    assert story.mrr() == {"usd": 1900}
    assert story.who.balance == -1500
    story.wait(15 * DAY + HOUR)
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.total, bill.starting_balance, bill.amount_due, bill.status) == (1900, -1500, 400, "paid")


def test_another_interval_begins_a_new_period_and_is_billed_at_once(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(10 * DAY)
    yearly = plan(19_000, interval="year")
    story.world.act(lambda world: subscriptions.change(world, sold, sold.items[0], plan=yearly))
    bill = sold.latest_invoice
    assert bill is not None
    assert (bill.reason, bill.status, len(bill.lines)) == ("subscription_update", "paid", 2)
    assert (sold.items[0].start, story.mrr()) == (story.world.now, {"usd": 1583})


def test_deleting_a_customer_ends_everything_of_theirs(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(DAY)
    story.world.act(customers.delete, story.who)
    assert (sold.status, story.mrr(), story.truth()["customers"]) == ("canceled", {}, 0)


def test_a_failing_invoice_of_an_update_counts(story: Story) -> None:
    sold = story.sell((plan(1900), 1))
    story.wait(10 * DAY)
    story.life.outcomes.append(INSUFFICIENT)
    dear = plan(9900)
    story.world.act(
        lambda world: subscriptions.change(world, sold, sold.items[0], plan=dear, proration="always_invoice")
    )
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("past_due", 1)
    assert story.mrr() == {"usd": 9900}


def test_a_sent_invoice_makes_its_subscription_past_due_but_is_no_failed_payment(story: Story) -> None:
    sold = story.sell((plan(1900), 1), terms=Terms(collection_method="send_invoice", days_until_due=14))
    assert sold.status == "active"
    story.wait(14 * DAY)
    assert (sold.status, story.truth()["failed_payments"]["count"]) == ("past_due", 0)
    bill = sold.latest_invoice
    assert bill is not None
    story.world.act(payments.collect, bill)
    assert (sold.status, bill.status) == ("active", "paid")


def test_currencies_never_mix(story: Story) -> None:
    story.sell((plan(1900), 1))
    story.sell((plan(5000, currency="jpy"), 1))
    assert story.mrr() == {"jpy": 5000, "usd": 1900}
