"""What prices are called.

The five permissions show a product's id alone. So a plan is called what an invoice's line for it says, without the
quantity and the price that Stripe writes around the name; else by the price's nickname.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from runtime.database import Connection
from schemas.catalogue import STRIPE_INVOICE_RAW, STRIPE_SUBSCRIPTION_RAW
from schemas.stripe import lines as invoice_lines
from schemas.stripe.objects import StripeObject, id_of
from schemas.stripe.subscriptions import items, price_of

_SAVE = (files("services.mrr.sql") / "save_plans.sql").read_bytes()
_AROUND = re.compile(r"^\d[\d,.]* × | \((?:at|tier \d+|first \d+|next \d+)\b[^()]*\)", re.IGNORECASE)
LONGEST = 200


class PlanName(NamedTuple):
    """What a price is called, and by what: the line of an invoice goes before the nickname."""

    price: str
    name: str
    from_invoice: bool


class Named(NamedTuple):
    """A name as an observation shows it. `version` is the observation's."""

    connection_id: str
    price_id: str
    workspace_id: str
    name: str
    from_invoice: bool
    version: int


def plan_names(topic: str, obj: StripeObject) -> tuple[PlanName, ...]:
    """The names that an object of a raw topic (its catalogue name) shows."""
    if topic == STRIPE_INVOICE_RAW.name:
        return tuple(_billed(obj))
    if topic == STRIPE_SUBSCRIPTION_RAW.name:
        return tuple(_nicknamed(obj))
    return ()


def _billed(invoice: StripeObject) -> Iterator[PlanName]:
    """By the lines for whole periods: those for parts of one are worded otherwise."""
    for line in invoice_lines.lines_of(invoice):
        price, text = invoice_lines.price_id(line), line.get("description")
        if price and isinstance(text, str) and not invoice_lines.is_proration(line):
            name = _AROUND.sub("", text).strip()
            if name:
                yield PlanName(price, name[:LONGEST], True)


def _nicknamed(subscription: StripeObject) -> Iterator[PlanName]:
    for item in items(subscription):
        price = price_of(item) or {}
        name, nickname = id_of(price), price.get("nickname")
        if name and isinstance(nickname, str) and nickname.strip():
            yield PlanName(name, nickname.strip()[:LONGEST], False)


def save_plans(conn: Connection, named: Sequence[Named], *, partition: int) -> None:
    """Bring the names up to date, whatever order they come in; each partition has rows of its own."""
    if named:
        conn.execute(_SAVE, [partition, *(list(column) for column in zip(*named, strict=True))])
