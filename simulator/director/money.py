"""Orders about invoices, charges and disputes."""

from collections.abc import Mapping
from typing import get_args

from simulator.company import customers, habits, invoicing, payments, subscriptions
from simulator.company.model import Customer, Decline, DisputeStatus, Invoice, Item, Subscription
from simulator.company.periods import DAY
from simulator.director.stage import Result, Stage, Verb, Wanted
from simulator.errors import SetupError


def fail_next(stage: Stage, wanted: Wanted) -> Result:
    """`customer`, `reason` (insufficient_funds; any decline code), `times` (1): so many of the next attempts fail."""
    _order(stage, stage.customer(wanted), wanted)
    return None


def fail_now(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `reason`: one seat more, billed at once, and that payment fails."""
    sold, item = _billable(stage, wanted)
    _order(stage, sold.customer, wanted)
    return _one_seat_more(stage, sold, item)


def debit(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `days` (4), `reason` (insufficient_funds; null succeeds): one seat more, billed at once to a bank
    account; the charge is pending for so many days, and then fails. `settle` ends it earlier.
    """
    sold, item = _billable(stage, wanted)
    who = sold.customer
    kind = "sepa_debit" if who.currency == "eur" else "us_bank_account"
    customers.replace_method(who, habits.new_method(who, kind, stage.world.now))
    fails = wanted.get("reason", "insufficient_funds") is not None
    stage.world.ordered.setdefault(who.number, []).append(int(float(wanted.get("days", 4)) * DAY))
    stage.world.ordered_ends.setdefault(who.number, []).append(habits.DEBIT_FAILED if fails else None)
    return _one_seat_more(stage, sold, item)


def settle(stage: Stage, wanted: Wanted) -> Result:
    """`charge` that is pending, `reason` (null: it succeeds): the bank answers now."""
    charge = stage.charge(wanted)
    if charge.status != "pending":
        raise SetupError("That charge is not pending.")
    payments.settle(stage.world, charge, habits.DEBIT_FAILED if wanted.get("reason") else None)
    return None


def finalize(stage: Stage, wanted: Wanted) -> Result:
    """`invoice` that is a draft: finalized and collected now."""
    invoicing.finalize(stage.world, stage.draft(wanted))
    return None


def retry(stage: Stage, wanted: Wanted) -> Result:
    """`invoice`, `reason` (null: it succeeds): Stripe's next automatic attempt is made now."""
    bill = stage.invoice(wanted)
    reason = wanted.get("reason")
    stage.world.ordered.setdefault(bill.customer.number, []).insert(0, None if reason is None else _decline(reason))
    payments.automatic_attempt(stage.world, bill)
    return None


def pay(stage: Stage, wanted: Wanted) -> Result:
    """`invoice`: paid with a new card."""
    bill = stage.invoice(wanted)
    customers.replace_method(bill.customer, habits.new_method(bill.customer, "good", stage.world.now))
    payments.collect(stage.world, bill)
    return None


def pay_out_of_band(stage: Stage, wanted: Wanted) -> Result:
    """`invoice`."""
    invoicing.paid(stage.world, stage.invoice(wanted), charge=None, out_of_band=True)
    return None


def void(stage: Stage, wanted: Wanted) -> Result:
    """`invoice`."""
    invoicing.void(stage.world, stage.invoice(wanted))
    return None


def give_up(stage: Stage, wanted: Wanted) -> Result:
    """`invoice`: marked uncollectible."""
    invoicing.give_up(stage.world, stage.invoice(wanted))
    return None


def refund(stage: Stage, wanted: Wanted) -> Result:
    """`charge`, `amount` (all of it)."""
    charge = stage.charge(wanted)
    payments.refund(stage.world, charge, int(wanted.get("amount", charge.amount)))
    return None


def dispute(stage: Stage, wanted: Wanted) -> Result:
    """`charge`, `reason` (fraudulent), `inquiry` (false)."""
    case = payments.dispute(
        stage.world,
        stage.charge(wanted),
        str(wanted.get("reason", "fraudulent")),
        inquiry=bool(wanted.get("inquiry", False)),
    )
    return None if case is None else {"dispute": stage.ids.encode("dispute", case.number)}


def close_dispute(stage: Stage, wanted: Wanted) -> Result:
    """`dispute`, `status` (lost): any status that a dispute has."""
    status = wanted.get("status", "lost")
    case = stage.dispute(wanted)
    for known in get_args(DisputeStatus):
        if status == known:
            payments.set_dispute(stage.world, case, known)
            return None
    raise SetupError(f"A status is one of {', '.join(get_args(DisputeStatus))}.")


def _billable(stage: Stage, wanted: Wanted) -> tuple[Subscription, Item]:
    sold = stage.running(wanted)
    item = next((each for each in sold.items if each.quantity is not None and not each.plan.tiers), None)
    if item is None or sold.status != "active":
        raise SetupError("It takes an active subscription with a licensed item.")
    return sold, item


def _one_seat_more(stage: Stage, sold: Subscription, item: Item) -> Result:
    quantity = (item.quantity or 0) + (item.plan.divide_by or 1)
    subscriptions.change(stage.world, sold, item, quantity=quantity, proration="always_invoice")
    bill: Invoice | None = sold.latest_invoice
    return None if bill is None else {"invoice": stage.ids.encode("invoice", bill.number)}


def _order(stage: Stage, who: Customer, wanted: Wanted) -> None:
    decline = _decline(wanted.get("reason", habits.INSUFFICIENT.reason))
    stage.world.ordered.setdefault(who.number, []).extend([decline] * int(wanted.get("times", 1)))


def _decline(reason: object) -> Decline:
    found = habits.declined(str(reason))
    if found is None:
        raise SetupError(f"A reason is one of {', '.join(habits.REASONS)}.")
    return found


VERBS: Mapping[str, Verb] = {
    "fail_next": fail_next,
    "fail_now": fail_now,
    "debit": debit,
    "settle": settle,
    "finalize": finalize,
    "retry": retry,
    "pay": pay,
    "pay_out_of_band": pay_out_of_band,
    "void": void,
    "give_up": give_up,
    "refund": refund,
    "dispute": dispute,
    "close_dispute": close_dispute,
}
