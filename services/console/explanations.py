"""Why an MRR is what it is: the movements that stand, and the items of the last of them, with their steps."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple

from psycopg.rows import TupleRow


class Movement(NamedTuple):
    """One row of the ledger, as `analytics.mrr_movements` has it. Amounts in minor units a month."""

    connection_id: str
    currency: str
    kind: str
    effective_at: datetime
    observed_at: datetime
    mrr_before: int
    mrr_after: int
    policy_version: str
    basis: str
    reconstructed: bool
    subscriptions: list[str]
    detail: dict[str, Any]
    movement_id: str
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None

    @property
    def record(self) -> str | None:
        """Where the record behind it lies: topic/partition/offset; None where a timer is behind it."""
        place = (self.source_topic, self.source_partition, self.source_offset)
        return None if self.source_topic is None else "/".join(map(str, place))


Prices = list[dict[str, Any]]
"""What is paid for: `price`, the `quantity` of its items, and its share of the MRR (`mrr`)."""


def explained(rows: Iterable[TupleRow], held: Iterable[TupleRow]) -> list[dict[str, Any]]:
    """Rows of `explanations.sql` as explanations: one per account and currency.

    Items are those of the last movement. `pays_for` is what is paid for now, which may have been swapped since without
    a movement; null as of a day.
    """
    now = {(connection, currency): _prices(zip(*columns, strict=True)) for connection, currency, *columns in held}
    ledgers = groupby((Movement(*row) for row in rows), key=lambda one: (one.connection_id, one.currency))
    return [_explained(list(in_turn(ledger)), now.get(whose)) for whose, ledger in ledgers]


def _prices(held: Iterable[tuple[str, int, int]]) -> Prices:
    return [{"price": price, "quantity": quantity, "mrr": mrr} for price, quantity, mrr in held]


def in_turn(rows: Iterable[Movement]) -> Iterator[Movement]:
    """Rows of one ledger in the order of time; of one instant, each goes on from the one before it."""
    mrr = 0
    for _, together in groupby(rows, key=lambda row: row.effective_at):
        left = list(together)
        while left:
            following = next((row for row in left if row.mrr_before == mrr), left[0])
            left.remove(following)
            mrr = following.mrr_after
            yield following


def _explained(rows: Sequence[Movement], pays_for: Prices | None) -> dict[str, Any]:
    last = rows[-1]
    items = last.detail.get("items", [])
    return {
        "connection_id": last.connection_id,
        "currency": last.currency,
        "mrr": last.mrr_after,
        "exact": str(sum((Fraction(item["exact"]) for item in items), Fraction(0))),
        "policy": last.policy_version,
        "items_as_of": last.effective_at,
        "items": items,
        "pays_for": pays_for,
        "movements": [_encoded(row) for row in rows],
    }


def _encoded(row: Movement) -> dict[str, Any]:
    return {
        "movement_id": row.movement_id,
        "kind": row.kind,
        "effective_at": row.effective_at,
        "observed_at": row.observed_at,
        "mrr_before": row.mrr_before,
        "mrr_after": row.mrr_after,
        "policy": row.policy_version,
        "basis": row.basis,
        "reconstructed": row.reconstructed,
        "subscriptions": row.subscriptions,
        "record": row.record,
    }
