"""What a director orders happens, and the books stay consistent."""

from collections.abc import Callable
from typing import Any

import pytest

from simulator.company.invariants import violations
from simulator.company.periods import DAY

Account = Any


def act(account: Account, **wanted: Any) -> Any:
    answer = account.http.post("/_act", json=wanted)
    assert answer.status_code == 200, answer.text
    assert violations(account.simulator.company.world) == []
    return answer.json()


@pytest.fixture
def sold(fresh: Callable[..., Account]) -> tuple[Account, dict[str, Any]]:
    account = fresh()
    rows = account.every("subscriptions", status="active", collection_method="charge_automatically")
    flat = [row for row in rows if row["items"]["data"][0]["price"]["unit_amount"] and not row["cancel_at"]]
    return account, flat[0]


def test_a_payment_fails_now_and_is_paid_later(sold: tuple[Account, dict[str, Any]]) -> None:
    account, row = sold
    act(account, do="fail_now", subscription=row["id"], reason="do_not_honor")
    now = account.get(f"subscriptions/{row['id']}", **{"expand[]": "latest_invoice"})
    bill = now["latest_invoice"]
    assert (now["status"], bill["status"], bill["billing_reason"]) == ("past_due", "open", "subscription_update")
    [charge] = account.get("charges", customer=row["customer"], limit=1)["data"]
    assert (charge["status"], charge["outcome"]["reason"]) == ("failed", "do_not_honor")
    [told] = account.http.get("/_truth").json()["failed_payments"]["customers"][row["customer"]]
    assert (told["invoice"], told["reason"], told["resolved_at"]) == (bill["id"], "do_not_honor", None)
    act(account, do="pay", invoice=bill["id"])
    assert account.get(f"subscriptions/{row['id']}")["status"] == "active"
    assert account.http.get("/_truth").json()["recovered_invoices"][-1]["invoice"] == bill["id"]


@pytest.mark.parametrize(
    ("verb", "status"), [("void", "void"), ("give_up", "uncollectible"), ("pay_out_of_band", "paid")]
)
def test_a_failing_invoice_is_settled_in_other_ways(
    sold: tuple[Account, dict[str, Any]], verb: str, status: str
) -> None:
    account, row = sold
    act(account, do="fail_now", subscription=row["id"])
    bill = account.get(f"subscriptions/{row['id']}")["latest_invoice"]
    act(account, do=verb, invoice=bill)
    assert account.get(f"invoices/{bill}")["status"] == status
    assert account.http.post("/_act", json={"do": verb, "invoice": bill}).status_code == 400


def test_a_subscription_is_changed_paused_kept_and_canceled(sold: tuple[Account, dict[str, Any]]) -> None:
    account, row = sold
    name = row["id"]
    act(account, do="change_seats", subscription=name, quantity=3, proration="none")
    act(account, do="pause", subscription=name, behavior="keep_as_draft")
    found = account.get(f"subscriptions/{name}")
    assert (found["items"]["data"][0]["quantity"], found["pause_collection"]["behavior"]) == (3, "keep_as_draft")
    act(account, do="resume", subscription=name)
    act(account, do="cancel", subscription=name, at_period_end=True)
    assert account.get(f"subscriptions/{name}")["cancel_at_period_end"]
    act(account, do="keep", subscription=name)
    found = account.get(f"subscriptions/{name}")
    assert (found["cancel_at"], found["pause_collection"]) == (None, None)
    act(account, do="cancel", subscription=name)
    assert account.get(f"subscriptions/{name}")["status"] == "canceled"


def test_a_customer_is_changed_and_deleted(sold: tuple[Account, dict[str, Any]]) -> None:
    account, row = sold
    name = row["customer"]
    act(account, do="change_email", customer=name, email="New.Address@customers.example")
    act(account, do="new_card", customer=name)
    act(account, do="subscribe", customer=name, family="business", cadence="year", trial_days=7)
    assert account.get(f"customers/{name}")["email"] == "New.Address@customers.example"
    assert account.get("subscriptions", customer=name)["data"][0]["status"] == "trialing"
    act(account, do="delete_customer", customer=name)
    assert account.get(f"customers/{name}")["deleted"]


def test_a_charge_is_refunded_or_disputed(sold: tuple[Account, dict[str, Any]]) -> None:
    account, _ = sold
    paid = [row for row in account.every("charges") if row["status"] == "succeeded" and not row["amount_refunded"]]
    plain = [row["id"] for row in paid if not row["disputed"]]
    act(account, do="refund", charge=plain[0], amount=100)
    act(account, do="dispute", charge=plain[1])
    assert account.get(f"charges/{plain[0]}")["amount_refunded"] == 100
    assert account.get("disputes", limit=1)["data"][0]["charge"] == plain[1]


def test_the_next_attempts_fail_as_ordered(fresh: Callable[..., Account]) -> None:
    account = fresh()
    rows = account.every("subscriptions", status="active", collection_method="charge_automatically")
    ordered = {row["customer"] for row in rows[:40]}
    for name in ordered:
        act(account, do="fail_next", customer=name, reason="stolen_card", times=2)
    account.simulator.clock.set(account.simulator.clock.now() + 35 * DAY)
    failed = [row for row in account.every("charges") if row["outcome"] and row["outcome"]["reason"] == "stolen_card"]
    assert len(ordered & {row["customer"] for row in failed}) > len(ordered) // 2
    assert violations(account.simulator.company.world) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"do": "dance"},
        {"do": "cancel"},
        {"do": "cancel", "subscription": "sub_1"},
        {"do": "pay", "invoice": "in_1"},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(account: Account, wanted: dict[str, Any]) -> None:
    answer = account.http.post("/_act", json=wanted)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_a_customer_is_made_subscribes_and_is_deleted(fresh: Callable[..., Account]) -> None:
    account = fresh()
    who = act(account, do="create_customer", email="new@customers.example", currency="jpy")["customer"]
    assert account.get(f"customers/{who}")["email"] == "new@customers.example"
    name = act(account, do="subscribe", customer=who, family="team", quantity=3)["subscription"]
    assert account.get(f"subscriptions/{name}")["items"]["data"][0]["quantity"] == 3
    account.http.post("/_clock", json={"advance": 40 * DAY})
    assert violations(account.simulator.company.world) == [], "the company lives on beside a customer of ours"
    act(account, do="delete_customer", customer=who)
    assert account.get(f"customers/{who}")["deleted"] is True
    assert account.http.post("/_act", json={"do": "new_card", "customer": who}).status_code == 400


def test_a_renewal_comes_when_ordered_is_finalized_fails_and_is_retried(sold: tuple[Account, dict[str, Any]]) -> None:
    account, row = sold
    bill = act(account, do="renew", subscription=row["id"])["invoice"]
    now = account.simulator.company.world.now
    assert account.get(f"invoices/{bill}")["status"] == "draft"
    assert account.get(f"subscriptions/{row['id']}")["items"]["data"][0]["current_period_start"] == now
    act(account, do="fail_next", customer=row["customer"], reason="card_velocity_exceeded")
    act(account, do="finalize", invoice=bill)
    act(account, do="retry", invoice=bill, reason="do_not_honor")
    failing = account.get(f"invoices/{bill}")
    assert (failing["status"], failing["attempt_count"]) == ("open", 2)
    charges = account.get("charges", customer=row["customer"], limit=2)["data"]
    assert [each["outcome"]["reason"] for each in charges] == ["do_not_honor", "card_velocity_exceeded"]
    act(account, do="retry", invoice=bill)
    assert account.get(f"invoices/{bill}")["status"] == "paid"
    assert (
        account.http.post("/_act", json={"do": "fail_next", "customer": row["customer"], "reason": "x"}).status_code
        == 400
    )


@pytest.mark.parametrize("reason", ["insufficient_funds", None])
@pytest.mark.parametrize("waits", [True, False])
def test_a_bank_debit_is_pending_for_days_and_then_ends(
    sold: tuple[Account, dict[str, Any]], reason: str | None, waits: bool
) -> None:
    account, row = sold
    act(account, do="debit", subscription=row["id"], days=5, reason=reason)
    [charge] = account.get("charges", customer=row["customer"], limit=1)["data"]
    assert (charge["status"], charge["id"][:3]) == ("pending", "py_")
    if waits:
        account.http.post("/_clock", json={"advance": 5 * DAY})
    else:
        act(account, do="settle", charge=charge["id"], reason=reason)
    after = account.get(f"charges/{charge['id']}")
    assert (after["status"], after["created"]) == ("failed" if reason else "succeeded", charge["created"])
    assert account.http.post("/_act", json={"do": "settle", "charge": charge["id"]}).status_code == 400


def test_a_dispute_is_opened_and_decided(sold: tuple[Account, dict[str, Any]]) -> None:
    account, _ = sold
    paid = next(row for row in account.every("charges") if row["status"] == "succeeded" and not row["disputed"])
    case = act(account, do="dispute", charge=paid["id"], reason="duplicate")["dispute"]
    assert account.get(f"disputes/{case}")["status"] == "needs_response"
    act(account, do="close_dispute", dispute=case, status="won")
    assert account.get(f"disputes/{case}")["status"] == "won"
    assert account.http.post("/_act", json={"do": "close_dispute", "dispute": case, "status": "x"}).status_code == 400


def test_plans_items_coupons_and_trials_change_as_ordered(fresh: Callable[..., Account]) -> None:
    account = fresh()
    who = act(account, do="create_customer")["customer"]
    name = act(account, do="subscribe", customer=who, trial_days=10)["subscription"]
    act(account, do="move_trial_end", subscription=name)
    act(account, do="change_plan", subscription=name, family="business", proration="none")
    extra = act(account, do="add_item", subscription=name, quantity=2)["item"]
    act(account, do="change_seats", subscription=name, item=extra, quantity=5, proration="none")
    act(account, do="give_coupon", subscription=name, item=extra, coupon="THIRD")
    act(account, do="give_coupon", customer=who, coupon="LOYAL5-USD")
    shown = account.get(f"subscriptions/{name}")
    assert shown["status"] == "active"
    assert [(item["quantity"], len(item["discounts"])) for item in shown["items"]["data"]] == [(1, 0), (5, 1)]
    assert (
        account.http.post("/_act", json={"do": "give_coupon", "customer": who, "coupon": "LOYAL5-EUR"}).status_code
        == 400
    )
    act(account, do="take_coupons", subscription=name)
    act(account, do="remove_item", subscription=name, item=extra)
    assert len(account.get(f"subscriptions/{name}")["items"]["data"]) == 1
    assert account.get(f"customers/{who}")["discount"] is None
    assert account.http.post("/_act", json={"do": "remove_item", "subscription": name}).status_code == 400
