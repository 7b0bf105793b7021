"""The core as the pipeline runs it: a customer's facts and book, merged and decided.

`decide` recomputes the ledger only when a fact came that bears on it or an instant passed at which time alone may
change it; a record that shows the same once more costs no valuation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.processor import Message
from pipeline.subjects import Effects
from schemas.catalogue import CONTROL_DECISION, MRR_MOVEMENT
from schemas.events.base import Source
from schemas.events.movement import MovementKind, MrrMovement
from schemas.partition import partition_of
from schemas.subjects import kept_key, split_subject
from services.mrr.book import Book, Told, correction_id, update
from services.mrr.facts import Fact, merge_fact
from services.mrr.in_force import InForce
from services.mrr.ledger import ItemShare, Ledger, Row, ledger
from services.mrr.policy import Policy
from services.mrr.timeline import Facts
from services.mrr.tracks import Cause
from services.mrr.valuation import Basis

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMER = "mrr"
END_TIMER = "mrr.ended"
NO_FACTS = Facts()
EMPTY_BOOK = Book()


@dataclass(frozen=True, slots=True)
class State:
    """One customer of a connection.

    `stale`: a fact came since the book was brought up to date; `paid`: one that tells of a payment. Neither is stored:
    what is stored was decided.
    """

    subject: str
    workspace_id: str = ""
    facts: Facts = NO_FACTS
    book: Book = EMPTY_BOOK
    stale: bool = False
    paid: bool = False


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row for the tables: the movement as it is published, and of a correction the kind of row it takes back."""

    movement: MrrMovement
    takes_back: str | None = None


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

    def merge(self, state: State, fact: Fact) -> State:
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
        if not _is_stale(state, policy, at):
            unchanged = replace(state, paid=False) if state.paid else state
            return Effects(unchanged, timers=_timers(state.book, policy, at))
        found = ledger(state.facts, policy.policy, at, policy.ended_by(at))
        changed = update(state.book, found.rows, found.due, subject=state.subject, ended=found.ended_at)
        writer = _Writer(state, policy.policy, now, found)
        rows = (*map(writer.correction, changed.taken_back), *(writer.row(name, row) for name, row in changed.rows))
        return Effects(
            state=State(state.subject, state.workspace_id, state.facts, changed.book),
            messages=tuple(map(writer.message, rows)),
            rows=(*rows, *found.balances(at)),
            timers=_timers(changed.book, policy, at),
        )


def _is_stale(state: State, in_force: InForce, now: int) -> bool:
    """Whether the book may say something else than what follows at `now`."""
    if state.stale or (state.paid and in_force.policy.activate_at == "first_payment"):
        return True
    ended = in_force.ended_by(now)
    is_due = state.book.due is not None and now >= state.book.due
    return is_due or state.book.ended != (ended.at if ended else None)


def _timers(book: Book, in_force: InForce, now: int) -> Mapping[str, datetime]:
    timers = {} if book.due is None else {TIMER: instant_of(book.due)}
    if in_force.ended is not None and in_force.ended.at > now:
        timers[END_TIMER] = instant_of(in_force.ended.at)
    return timers


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one customer's rows as movements."""

    state: State
    policy: Policy
    now: datetime
    ledger: Ledger

    def row(self, name: str, row: Row) -> LedgerRow:
        items = self.ledger.explain(row.currency, row.at)
        return LedgerRow(
            self._movement(
                movement_id=name,
                currency=row.currency,
                kind=row.kind,
                effective_at=instant_of(row.at),
                mrr_before=row.before,
                mrr_after=row.after,
                subscriptions=row.subscriptions,
                detail={"items": [_item(item) for item in items]},
                basis=_published(row.basis),
                reconstructed=row.cause.reconstructed,
                source=self._source(row.cause),
            )
        )

    def _source(self, cause: Cause) -> Source:
        """The record behind a row: a subject's records lie in the partition of the same number in every topic."""
        subject = self.state.workspace_id if cause.topic == CONTROL_DECISION.name else self.state.subject
        partition = partition_of(subject, MRR_MOVEMENT.partitions)
        return Source(topic=cause.topic, partition=partition, offset=cause.offset)

    def correction(self, told: Told) -> LedgerRow:
        """What takes a row back: the same instant, the other way round."""
        movement = self._movement(
            movement_id=correction_id(told, self.state.subject),
            currency=told.currency,
            kind="correction",
            effective_at=instant_of(told.at),
            mrr_before=told.after,
            mrr_after=told.before,
            corrects=told.id,
        )
        return LedgerRow(movement, takes_back=told.kind)

    def _movement(self, *, kind: MovementKind, **fields: Any) -> MrrMovement:
        connection, customer = split_subject(self.state.subject)
        return MrrMovement(
            workspace_id=self.state.workspace_id,
            connection_id=connection,
            customer_id=customer,
            kind=kind,
            observed_at=self.now,
            policy_version=self.policy.version,
            **fields,
        )

    def message(self, row: LedgerRow) -> Message:
        movement = row.movement
        return Message(
            topic=MRR_MOVEMENT,
            subject=self.state.subject,
            key=kept_key(self.state.subject, movement.movement_id, 1),
            id=movement.movement_id,
            workspace_id=movement.workspace_id,
            connection_id=movement.connection_id,
            object_id=movement.customer_id or "",
            value=movement.encode(),
            time=self.now,
        )


def _published(basis: Basis) -> str:
    """How the contract of the topic names a basis: what could not be valued has the subscription's, and its steps."""
    return "invoice" if basis == "invoice" else "subscription"


def _item(item: ItemShare) -> dict[str, Any]:
    return {
        "subscription": item.subscription,
        "item": item.item,
        "price": item.price,
        "quantity": item.quantity,
        "exact": str(item.exact),
        "mrr": item.mrr,
        "basis": item.basis,
        "steps": list(item.steps),
    }
