"""Orders about subscriptions."""

from collections.abc import Mapping

from simulator.company import invoicing, items, subscriptions
from simulator.company.model import Discount, PauseBehaviour, Plan, Subscription
from simulator.director.stage import Result, Stage, Verb, Wanted
from simulator.errors import SetupError


def subscribe(stage: Stage, wanted: Wanted) -> Result:
    """`customer`, `family` (pro), `cadence` (month), `quantity` (1), `trial_days` (0)."""
    who = stage.customer(wanted)
    plan = _plan(stage, wanted, who.currency, family="pro", cadence="month")
    terms = subscriptions.Terms(trial_days=int(wanted.get("trial_days", 0)))
    sold = subscriptions.begin(stage.world, who, [(plan, int(wanted.get("quantity", 1)))], terms)
    return {"subscription": stage.ids.encode("subscription", sold.number)}


def cancel(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`; `at_period_end` true schedules it, `at` for a date."""
    sold = stage.subscription(wanted)
    if wanted.get("at_period_end") or "at" in wanted:
        subscriptions.cancel_later(stage.world, sold, wanted.get("at"))
    else:
        subscriptions.cancel_now(stage.world, sold)
    return None


def keep(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`: its scheduled cancellation is taken back."""
    subscriptions.keep(stage.world, stage.subscription(wanted))
    return None


def renew(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`: its next period begins now, with a draft that is collected in an hour (see `finalize`)."""
    sold = stage.running(wanted)
    if sold.status not in {"active", "past_due", "unpaid"}:
        raise SetupError("It takes a subscription that runs.")
    subscriptions.renew_now(stage.world, sold)
    assert sold.latest_invoice is not None, "renewing made one"
    return {"invoice": stage.ids.encode("invoice", sold.latest_invoice.number)}


def pause(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `behavior` (void), `resumes_at` (never)."""
    sold = stage.running(wanted)
    subscriptions.pause_collection(stage.world, sold, _behaviour(wanted.get("behavior")), wanted.get("resumes_at"))
    return None


def resume(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`: collection goes on, or the subscription itself if it is paused."""
    sold = stage.subscription(wanted)
    subscriptions.resume_collection(stage.world, sold)
    subscriptions.resume_paused(stage.world, sold)
    return None


def change_seats(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `quantity`, `item` (the first), `proration` (create_prorations)."""
    sold = stage.running(wanted)
    quantity, proration = int(wanted["quantity"]), _proration(wanted)
    subscriptions.change(stage.world, sold, stage.item(wanted, sold), quantity=quantity, proration=proration)
    return None


def change_plan(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `family` and `cadence` (as it is), `item` (the first), `proration` (create_prorations)."""
    sold = stage.running(wanted)
    item = stage.item(wanted, sold)
    plan = _plan(stage, wanted, sold.currency, family=item.plan.family, cadence=item.plan.cadence)
    subscriptions.change(stage.world, sold, item, plan=plan, proration=_proration(wanted))
    return None


def add_item(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `family` (addon), `quantity` (1), `proration` (create_prorations)."""
    sold = stage.running(wanted)
    plan = _plan(stage, wanted, sold.currency, family="addon", cadence=sold.items[0].plan.cadence)
    item = items.add(stage.world, sold, plan, int(wanted.get("quantity", 1)), _proration(wanted))
    return {"item": stage.ids.encode("subscription_item", item.number)}


def remove_item(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `item`, `proration` (create_prorations)."""
    sold = stage.running(wanted)
    if len(sold.items) < 2:
        raise SetupError("A subscription keeps one item.")
    items.remove(stage.world, sold, stage.item(wanted, sold), _proration(wanted))
    return None


def move_trial_end(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`, `at` (now)."""
    subscriptions.move_trial_end(stage.world, stage.running(wanted), int(wanted.get("at", stage.world.now)))
    return None


def give_coupon(stage: Stage, wanted: Wanted) -> Result:
    """`coupon` by name, and `customer`, or `subscription` and perhaps `item`."""
    coupon = stage.world.catalogue.coupons.get(str(wanted.get("coupon")))
    if coupon is None:
        raise SetupError(f"A coupon is one of {', '.join(sorted(stage.world.catalogue.coupons))}.")
    sold = stage.running(wanted) if "subscription" in wanted else None
    owner = stage.customer(wanted) if sold is None else sold.customer
    if coupon.currency not in {None, owner.currency}:
        raise SetupError(f"{coupon.name} takes {coupon.currency} off, and this customer pays in {owner.currency}.")
    if sold is None:
        subscriptions.give_discount(stage.world, coupon, owner)
        return None
    item = stage.item(wanted, sold) if "item" in wanted else None
    subscriptions.give_discount(stage.world, coupon, sold.customer, subscription=sold, item=item)
    return None


def take_coupons(stage: Stage, wanted: Wanted) -> Result:
    """`subscription`: all its discounts, and those of its items and its customer, are gone."""
    for discount in _discounts(stage.running(wanted)):
        invoicing.drop_discount(stage.world, discount)
    return None


def _discounts(sold: Subscription) -> list[Discount]:
    inherited = [sold.customer.discount] if sold.customer.discount else []
    return [*sold.discounts, *inherited, *(discount for item in sold.items for discount in item.discounts)]


def _plan(stage: Stage, wanted: Wanted, currency: str, *, family: str, cadence: str) -> Plan:
    plan = stage.world.catalogue.find(wanted.get("family", family), currency, wanted.get("cadence", cadence))
    if plan is None:
        sold = sorted({f"{name} ({every})" for name, code, every in stage.world.catalogue.plans if code == currency})
        raise SetupError(f"There is no such plan. Family and cadence are one of: {', '.join(sold)}.")
    return plan


def _behaviour(text: object) -> PauseBehaviour:
    match text:
        case None:
            return "void"
        case "void" | "mark_uncollectible" | "keep_as_draft":
            return text
    raise SetupError("A behavior is void, mark_uncollectible or keep_as_draft.")


def _proration(wanted: Wanted) -> subscriptions.Proration:
    text: object = wanted.get("proration", "create_prorations")
    match text:
        case "none" | "create_prorations" | "always_invoice":
            return text
    raise SetupError("A proration is none, create_prorations or always_invoice.")


VERBS: Mapping[str, Verb] = {
    "subscribe": subscribe,
    "cancel": cancel,
    "keep": keep,
    "renew": renew,
    "pause": pause,
    "resume": resume,
    "change_seats": change_seats,
    "change_plan": change_plan,
    "add_item": add_item,
    "remove_item": remove_item,
    "move_trial_end": move_trial_end,
    "give_coupon": give_coupon,
    "take_coupons": take_coupons,
}
