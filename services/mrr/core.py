"""The core as the pipeline runs it: a customer's facts and book, merged and decided.

`decide` recomputes the ledger only when a fact came that bears on it or an instant passed at which time alone may
change it; a record that shows the same once more costs no valuation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipeline.processor import Message
from pipeline.subjects import Effects
from schemas.catalogue import MRR_MOVEMENT
from schemas.events.base import Source
from schemas.events.movement import MovementKind, MrrMovement
from schemas.partition import partition_of
from schemas.subjects import kept_key, split_subject
from services.mrr.book import Book, Told, correction_id, update
from services.mrr.facts import Fact, UserFact, merge_fact
from services.mrr.in_force import Cause, InForce
from services.mrr.ledger import ItemShare, Ledger, Row, ledger
from services.mrr.timeline import Facts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMER = "mrr"
NO_FACTS = Facts()
EMPTY_BOOK = Book()


class State(msgspec.Struct, frozen=True, gc=False):
    """One customer of a connection, or one user of the workspace.

    `stale`: a fact came since the book was brought up to date; `paid`: one that tells of a payment. Neither is stored:
    what is stored was decided.
    """

    subject: str
    workspace_id: str = ""
    facts: Facts = NO_FACTS
    book: Book = EMPTY_BOOK
    stale: bool = False
    paid: bool = False

    def whose(self) -> dict[str, Any]:
        """The columns that say whose ledger it is: a connection and its customer's, or a user's."""
        scope, owner = split_subject(self.subject)
        if scope == self.workspace_id:
            return {"connection_id": None, "customer_id": None, "user_id": owner}
        return {"connection_id": scope, "customer_id": owner, "user_id": None}


def microseconds(instant: datetime) -> int:
    """Unix microseconds of an aware datetime."""
    return (instant - EPOCH) // MICROSECOND


def instant_of(at: int) -> datetime:
    """The aware UTC datetime of Unix microseconds."""
    return EPOCH + timedelta(microseconds=at)


class MrrCore:
    """The pure core of mrr (see pipeline.subjects.Core)."""

    def empty(self, subject: str) -> State:
        return State(subject)

    def merge(self, state: State, fact: Fact | UserFact) -> State:
        merged = merge_fact(state.facts, fact)
        return State(
            subject=state.subject,
            workspace_id=fact.workspace_id,
            facts=merged.facts,
            book=state.book,
            stale=state.stale or merged.bears,
            paid=state.paid or merged.pays,
        )

    def decide(self, state: State, policy: InForce, now: datetime) -> Effects[State]:
        at = microseconds(now)
        mark = policy.mark(at)
        if not _is_stale(state, policy, at, mark):
            unchanged = msgspec.structs.replace(state, paid=False) if state.paid else state
            return Effects(unchanged, timers=_timers(state.book, policy, at))
        found = ledger(state.facts, policy, at)
        changed = update(state.book, found.rows, found.due, subject=state.subject, under=mark)
        writer = _Writer(state, now, found)
        rows = (*map(writer.correction, changed.taken_back), *(writer.row(name, row) for name, row in changed.rows))
        return Effects(
            state=State(state.subject, state.workspace_id, state.facts, changed.book),
            messages=tuple(map(writer.message, rows)),
            rows=(*rows, *found.balances(at)),
            timers=_timers(changed.book, policy, at),
        )


def _is_stale(state: State, in_force: InForce, now: int, mark: int | None) -> bool:
    """Whether the book may say something else than what follows at `now`."""
    if state.stale or state.book.under != mark:
        return True
    if state.paid and any(era.policy.activate_at == "first_payment" for era in in_force.eras(now)):
        return True
    return state.book.due is not None and now >= state.book.due


def _timers(book: Book, in_force: InForce, now: int) -> Mapping[str, datetime]:
    due = min((at for at in (book.due, in_force.next_after(now)) if at is not None), default=None)
    return {} if due is None else {TIMER: instant_of(due)}


@dataclass(slots=True)
class _Writer:
    """Writes one ledger's rows as movements."""

    state: State
    now: datetime
    ledger: Ledger

    def row(self, name: str, row: Row) -> MrrMovement:
        items = self.ledger.explain_row(row)
        return self._movement(
            movement_id=name,
            currency=row.currency,
            kind=row.kind,
            effective_at=instant_of(row.at),
            mrr_before=row.before,
            mrr_after=row.after,
            subscriptions=row.subscriptions,
            detail={"items": [encode_item(item, self.state.subject) for item in items]},
            basis=row.basis,
            reconstructed=row.cause.reconstructed,
            policy_version=row.policy,
            source=source_of(row.cause, self.state.subject),
        )

    def correction(self, told: Told) -> MrrMovement:
        """What takes a row back: the same instant, the other way round."""
        return self._movement(
            movement_id=correction_id(told, self.state.subject),
            currency=told.currency,
            kind="correction",
            effective_at=instant_of(told.at),
            mrr_before=told.after,
            mrr_after=told.before,
            corrects=told.id,
            policy_version=self.ledger.policy_at(told.at).version,
        )

    def _movement(self, *, kind: MovementKind, **fields: Any) -> MrrMovement:
        return MrrMovement(
            workspace_id=self.state.workspace_id,
            kind=kind,
            observed_at=self.now,
            **self.state.whose(),
            **fields,
        )

    def message(self, movement: MrrMovement) -> Message:
        return Message(
            topic=MRR_MOVEMENT,
            subject=self.state.subject,
            key=kept_key(self.state.subject, movement.movement_id, 1),
            id=movement.movement_id,
            workspace_id=movement.workspace_id,
            connection_id=movement.connection_id,
            object_id=movement.customer_id or movement.user_id or "",
            value=movement.encode(),
            time=self.now,
        )


def source_of(cause: Cause, subject: str) -> Source:
    """The record behind something of this subject: a subject's own records lie in the partition of the same number in
    every topic."""
    partition = _own_partition(subject) if cause.partition is None else cause.partition
    return Source(topic=cause.topic, partition=partition, offset=cause.offset)


def _own_partition(subject: str) -> int:
    return partition_of(subject, MRR_MOVEMENT.partitions)


def encode_item(item: ItemShare, subject: str) -> dict[str, Any]:
    """An item for JSON: its exact worth as a fraction, the records behind it as topic/partition/offset."""
    own = _own_partition(subject)
    places = ((cause, own if cause.partition is None else cause.partition) for cause in item.behind)
    return {
        "subscription": item.subscription,
        "item": item.item,
        "price": item.price,
        "quantity": item.quantity,
        "exact": str(item.exact),
        "mrr": item.mrr,
        "basis": item.basis,
        "steps": list(item.steps),
        "records": [f"{cause.topic}/{partition}/{cause.offset}" for cause, partition in places],
    }
