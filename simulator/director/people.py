"""Orders about customers."""

from collections.abc import Mapping

from simulator.company import customers, habits, script
from simulator.company.catalogue import CURRENCIES
from simulator.director.stage import Result, Stage, Verb, Wanted
from simulator.errors import SetupError


def create_customer(stage: Stage, wanted: Wanted) -> Result:
    """`email` (none), `currency` (usd), `card` (true): somebody who does nothing before they subscribe."""
    currency = str(wanted.get("currency", "usd"))
    if currency not in CURRENCIES:
        raise SetupError(f"A currency is one of {', '.join(CURRENCIES)}.")
    who = script.customer(
        stage.world, currency=currency, email=wanted.get("email"), card=bool(wanted.get("card", True))
    )
    return {"customer": stage.ids.encode("customer", who.number)}


def delete_customer(stage: Stage, wanted: Wanted) -> Result:
    """`customer`: their subscriptions are canceled at once."""
    customers.delete(stage.world, stage.customer(wanted))
    return None


def change_email(stage: Stage, wanted: Wanted) -> Result:
    """`customer`, `email` (none)."""
    customers.change_email(stage.world, stage.customer(wanted), wanted.get("email"))
    return None


def new_card(stage: Stage, wanted: Wanted) -> Result:
    """`customer`: another payment method, which works."""
    who = stage.customer(wanted)
    customers.replace_method(who, habits.new_method(who, "good", stage.world.now))
    return None


def no_card(stage: Stage, wanted: Wanted) -> Result:
    """`customer`: no payment method any more; attempts fail without a charge."""
    customers.replace_method(stage.customer(wanted), None)
    return None


VERBS: Mapping[str, Verb] = {
    "create_customer": create_customer,
    "delete_customer": delete_customer,
    "change_email": change_email,
    "new_card": new_card,
    "no_card": no_card,
}
