"""Acts on request: what a director tells the company to do, by Stripe's ids."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.api.lookup import Lookup
from simulator.company import customers, habits, invoicing, payments, subscriptions
from simulator.company.model import Charge, Customer, Decline, Invoice, Subscription
from simulator.company.world import World
from simulator.errors import SetupError
from simulator.founding import Company

Wanted = Mapping[str, Any]

_DECLINES: Mapping[str, Decline] = {
    decline.reason: decline
    for decline in (
        habits.INSUFFICIENT,
        habits.GENERIC,
        habits.DO_NOT_HONOR,
        habits.EXPIRED,
        habits.LOST,
        habits.STOLEN,
        habits.BLOCKED,
        habits.AUTHENTICATE,
    )
}


class Acts:
    """`perform({"do": verb, ...})`; each verb's method tells what else it needs."""

    def __init__(self, company: Company) -> None:
        self._world = company.world
        self._ids = company.ids
        self._lookup = Lookup(company.world, company.ids)
        self._verbs: Mapping[str, Callable[[World, Wanted], object]] = {
            "cancel": self.cancel,
            "change_email": self.change_email,
            "change_seats": self.change_seats,
            "delete_customer": self.delete_customer,
            "dispute": self.dispute,
            "fail_next": self.fail_next,
            "fail_now": self.fail_now,
            "give_up": self.give_up,
            "keep": self.keep,
            "new_card": self.new_card,
            "pause": self.pause,
            "pay": self.pay,
            "pay_out_of_band": self.pay_out_of_band,
            "refund": self.refund,
            "resume": self.resume,
            "subscribe": self.subscribe,
            "void": self.void,
        }

    def perform(self, wanted: Wanted) -> dict[str, Any]:
        """Do it now. Raises SetupError for an unknown verb, ApiError for an unknown id."""
        verb = self._verbs.get(str(wanted.get("do")))
        if verb is None:
            raise SetupError(f"Say what to do: {', '.join(sorted(self._verbs))}.")
        self._world.act(verb, wanted)
        return {"did": wanted["do"], "at": self._world.now}

    def cancel(self, world: World, wanted: Wanted) -> None:
        """`subscription`; `at_period_end` true schedules it, `at` for a date."""
        sold = self._subscription(wanted)
        if wanted.get("at_period_end") or "at" in wanted:
            subscriptions.cancel_later(world, sold, wanted.get("at"))
        else:
            subscriptions.cancel_now(world, sold)

    def keep(self, world: World, wanted: Wanted) -> None:
        """`subscription`: its scheduled cancellation is taken back."""
        subscriptions.keep(world, self._subscription(wanted))

    def pause(self, world: World, wanted: Wanted) -> None:
        """`subscription`, `behavior` (void), `resumes_at` (never)."""
        sold = self._subscription(wanted)
        subscriptions.pause_collection(world, sold, wanted.get("behavior", "void"), wanted.get("resumes_at"))

    def resume(self, world: World, wanted: Wanted) -> None:
        """`subscription`: collection goes on, or the subscription itself if it is paused."""
        sold = self._subscription(wanted)
        subscriptions.resume_collection(world, sold)
        subscriptions.resume_paused(world, sold)

    def change_seats(self, world: World, wanted: Wanted) -> None:
        """`subscription`, `quantity`, `proration` (create_prorations)."""
        sold = self._subscription(wanted)
        proration = wanted.get("proration", "create_prorations")
        subscriptions.change(
            world, sold, sold.items[0], quantity=int(wanted["quantity"]), proration=_proration(proration)
        )

    def subscribe(self, world: World, wanted: Wanted) -> None:
        """`customer`, `family` (pro), `cadence` (month), `quantity` (1), `trial_days` (0)."""
        who = self._customer(wanted)
        plan = world.catalogue.find(wanted.get("family", "pro"), who.currency, wanted.get("cadence", "month"))
        if plan is None:
            raise SetupError("There is no such plan.")
        terms = subscriptions.Terms(trial_days=int(wanted.get("trial_days", 0)))
        subscriptions.begin(world, who, [(plan, int(wanted.get("quantity", 1)))], terms)

    def fail_next(self, world: World, wanted: Wanted) -> None:
        """`customer`, `reason` (insufficient_funds), `times` (1): so many of the next attempts fail."""
        self._order(world, self._customer(wanted), wanted)

    def fail_now(self, world: World, wanted: Wanted) -> None:
        """`subscription`, `reason`: one seat more, billed at once, and that payment fails."""
        sold = self._subscription(wanted)
        item = next((each for each in sold.items if each.quantity is not None and not each.plan.tiers), None)
        if item is None or sold.status != "active":
            raise SetupError("It takes an active subscription with a licensed item.")
        self._order(world, sold.customer, wanted)
        quantity = (item.quantity or 0) + (item.plan.divide_by or 1)
        subscriptions.change(world, sold, item, quantity=quantity, proration="always_invoice")

    def _order(self, world: World, who: Customer, wanted: Wanted) -> None:
        reason = str(wanted.get("reason", habits.INSUFFICIENT.reason))
        if reason not in _DECLINES:
            raise SetupError(f"A reason is one of {', '.join(sorted(_DECLINES))}.")
        world.ordered.setdefault(who.number, []).extend([_DECLINES[reason]] * int(wanted.get("times", 1)))

    def new_card(self, world: World, wanted: Wanted) -> None:
        """`customer`: another payment method, which works."""
        who = self._customer(wanted)
        customers.replace_method(who, habits.new_method(who, "good", world.now))

    def pay(self, world: World, wanted: Wanted) -> None:
        """`invoice`: paid with a new card."""
        bill = self._invoice(wanted)
        customers.replace_method(bill.customer, habits.new_method(bill.customer, "good", world.now))
        payments.collect(world, bill)

    def pay_out_of_band(self, world: World, wanted: Wanted) -> None:
        """`invoice`."""
        invoicing.paid(world, self._invoice(wanted), charge=None, out_of_band=True)

    def void(self, world: World, wanted: Wanted) -> None:
        """`invoice`."""
        invoicing.void(world, self._invoice(wanted))

    def give_up(self, world: World, wanted: Wanted) -> None:
        """`invoice`: marked uncollectible."""
        invoicing.give_up(world, self._invoice(wanted))

    def refund(self, world: World, wanted: Wanted) -> None:
        """`charge`, `amount` (all of it)."""
        charge: Charge = self._lookup.need("charge", str(wanted.get("charge")))
        payments.refund(world, charge, int(wanted.get("amount", charge.amount)))

    def dispute(self, world: World, wanted: Wanted) -> None:
        """`charge`, `reason` (fraudulent)."""
        charge: Charge = self._lookup.need("charge", str(wanted.get("charge")))
        payments.dispute(world, charge, str(wanted.get("reason", "fraudulent")))

    def change_email(self, world: World, wanted: Wanted) -> None:
        """`customer`, `email`."""
        customers.change_email(world, self._customer(wanted), wanted.get("email"))

    def delete_customer(self, world: World, wanted: Wanted) -> None:
        """`customer`."""
        customers.delete(world, self._customer(wanted))

    def _customer(self, wanted: Wanted) -> Customer:
        found: Customer = self._lookup.need("customer", str(wanted.get("customer")))
        return found

    def _subscription(self, wanted: Wanted) -> Subscription:
        found: Subscription = self._lookup.need("subscription", str(wanted.get("subscription")))
        return found

    def _invoice(self, wanted: Wanted) -> Invoice:
        found: Invoice = self._lookup.need("invoice", str(wanted.get("invoice")))
        if not invoicing.payable(found):
            raise SetupError("That invoice is not open.")
        return found


def _proration(text: object) -> subscriptions.Proration:
    match text:
        case "none" | "create_prorations" | "always_invoice":
            return text
    raise SetupError("A proration is none, create_prorations or always_invoice.")
