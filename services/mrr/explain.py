"""Why an MRR is what it is: the items and the steps of their valuation, the movements, and the records behind them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.mrr.core import State, encode_item, instant_of, source_of
from services.mrr.in_force import Cause, InForce
from services.mrr.ledger import ItemShare, Row, ledger
from services.mrr.rounding import Exact
from services.mrr.timeline import Seen
from services.mrr.tracks import CUSTOMERS, SUBSCRIPTIONS


@dataclass(frozen=True, slots=True)
class Explanation:
    """One currency's MRR at an instant (minor units a month), the items that add up to it, and how it came there.

    `rows` are the ledger's that stand, oldest first. `another_stands`: it is nothing because another's number stands
    for it, or the account was disconnected.
    """

    subject: str
    currency: str
    mrr: int
    policy: str
    items: tuple[ItemShare, ...]
    rows: tuple[Row, ...]
    another_stands: bool

    @property
    def exact(self) -> Exact:
        """The sum before it was rounded, once, half up."""
        return sum(item.exact for item in self.items)

    def encode(self) -> dict[str, Any]:
        """For JSON: exact worths as fractions, records as topic/partition/offset."""
        return {
            "currency": self.currency,
            "mrr": self.mrr,
            "exact": str(self.exact),
            "policy": self.policy,
            "another_stands": self.another_stands,
            "items": [encode_item(item, self.subject) for item in self.items],
            "movements": [self._encode_row(row) for row in self.rows],
        }

    def place(self, cause: Cause) -> str:
        """Where in the log a record lies: topic/partition/offset."""
        source = source_of(cause, self.subject)
        return f"{source.topic}/{source.partition}/{source.offset}"

    def _encode_row(self, row: Row) -> dict[str, Any]:
        return {
            "effective_at": instant_of(row.at).isoformat(),
            "kind": row.kind,
            "mrr_before": row.before,
            "mrr_after": row.after,
            "subscriptions": list(row.subscriptions),
            "policy": row.policy,
            "basis": row.basis,
            "reconstructed": row.cause.reconstructed,
            "record": self.place(row.cause),
        }


def explain(state: State, in_force: InForce, at: int) -> list[Explanation]:
    """The MRR at an instant (Unix microseconds), per currency that there is or was any in, as it is known now."""
    found = ledger(state.facts, in_force, at)
    return [
        Explanation(
            subject=state.subject,
            currency=balance.currency,
            mrr=balance.mrr,
            policy=found.policy_at(at).version,
            items=tuple(found.explain(balance.currency, at)),
            rows=tuple(row for row in found.rows if row.currency == balance.currency),
            another_stands=in_force.is_away(at),
        )
        for balance in found.balances(at)
    ]


def records_behind(state: State, at: int) -> Iterator[dict[str, Any]]:
    """Where in the log it stands what bears on the MRR: the first record of everything that was shown."""
    shown = [(SUBSCRIPTIONS, name, run.first) for name, runs in state.facts.subscriptions for run in runs]
    owner = state.subject.partition("/")[2]
    shown += [(CUSTOMERS, owner, run.first) for run in state.facts.customer]
    for topic, name, seen in shown:
        if seen.observed <= at:
            yield _record(state, topic, name, seen)


def _record(state: State, topic: str, name: str, seen: Seen) -> dict[str, Any]:
    source = source_of(Cause(seen.observed, topic, seen.version, seen.offset, seen.id), state.subject)
    observed_at = instant_of(seen.observed).isoformat()
    return {"object": name, "observed_at": observed_at, **source.model_dump()}
