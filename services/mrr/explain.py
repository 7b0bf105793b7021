"""Why a customer's MRR is what it is: the items, the steps of their valuation, and the records behind them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.mrr.core import State, instant_of
from services.mrr.in_force import Ended
from services.mrr.ledger import ItemShare, ledger
from services.mrr.policy import Policy
from services.mrr.tracks import CUSTOMERS, SUBSCRIPTIONS


@dataclass(frozen=True, slots=True)
class Explanation:
    """One currency's MRR at an instant (minor units a month), and the items that add up to it."""

    currency: str
    mrr: int
    items: tuple[ItemShare, ...]

    def encode(self) -> dict[str, Any]:
        """For JSON: exact worths as fractions."""
        items = [
            {
                "subscription": item.subscription,
                "item": item.item,
                "price": item.price,
                "quantity": item.quantity,
                "exact": str(item.exact),
                "mrr": item.mrr,
                "basis": item.basis,
                "steps": list(item.steps),
            }
            for item in self.items
        ]
        return {"currency": self.currency, "mrr": self.mrr, "items": items}


def explain(state: State, policy: Policy, at: int) -> list[Explanation]:
    """The MRR at an instant (Unix microseconds), per currency that the customer is billed in."""
    ended = state.book.ended
    found = ledger(state.facts, policy, at, Ended(ended, "", -1) if ended is not None and ended <= at else None)
    return [
        Explanation(balance.currency, balance.mrr, tuple(found.explain(balance.currency, at)))
        for balance in found.balances(at)
    ]


def records_behind(state: State, at: int) -> Iterator[dict[str, Any]]:
    """Where in the log it stands what bears on the customer's MRR: the first record of everything that was shown."""
    shown = [(SUBSCRIPTIONS, name, run.first) for name, runs in state.facts.subscriptions for run in runs]
    customer = state.subject.partition("/")[2]
    shown += [(CUSTOMERS, customer, run.first) for run in state.facts.customer]
    for topic, name, seen in shown:
        if seen.observed <= at:
            observed_at = instant_of(seen.observed).isoformat()
            yield {"object": name, "observed_at": observed_at, "topic": topic, "offset": seen.offset}
