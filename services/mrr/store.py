"""mrr's tables: each customer's facts and book, the ledger, and what stands."""

from collections.abc import Iterable, Sequence
from importlib.resources import files

import msgspec

from pipeline.processor import Tx
from pipeline.records import Record
from pipeline.subjects import Change
from runtime.database import Connection
from schemas.events.movement import MrrMovement
from schemas.subjects import split_subject
from services.mrr.book import Book
from services.mrr.core import State, instant_of
from services.mrr.ledger import Balance
from services.mrr.timeline import Facts

_SQL = files("services.mrr.sql")
_LOAD, _SAVE_STATES, _SAVE_MOVEMENTS, _SAVE_BALANCES, _SAVE_CLOCK = (
    (_SQL / f"{name}.sql").read_bytes()
    for name in ("load_states", "save_states", "save_movements", "save_balances", "save_clock")
)

SEPARATOR = "\x1f"
"""Between the members of an array, as save_balances.sql takes them apart."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Facts, Book]).decode
_json = msgspec.json.Encoder().encode


class MrrStore:
    """The Store of the pipeline's SubjectProcessor."""

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, State]:
        rows = conn.execute(_LOAD, (list(subjects),)).fetchall()
        return {subject: decode_state(subject, workspace_id, state) for subject, workspace_id, state in rows}

    def save(self, tx: Tx, changes: Sequence[Change[State]]) -> None:
        states = {change.subject: change.effects.state for change in changes}
        workspaces = [state.workspace_id for state in states.values()]
        tx.conn.execute(_SAVE_STATES, (list(states), workspaces, [encode_state(state) for state in states.values()]))
        movements = [(row, change) for change in changes for row in change.effects.rows if isinstance(row, MrrMovement)]
        if movements:
            tx.conn.execute(_SAVE_MOVEMENTS, _columns(_movement_values(row, change) for row, change in movements))
        _save_balances(tx.conn, changes)
        tx.conn.execute(_SAVE_CLOCK, (tx.partition, tx.now))


def encode_state(state: State) -> bytes:
    """A customer's facts and book as they are stored."""
    return _encode((state.facts, state.book))


def decode_state(subject: str, workspace_id: str, stored: bytes) -> State:
    """What `encode_state` stored."""
    facts, book = _decode(stored)
    return State(subject, workspace_id, facts, book)


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _movement_values(movement: MrrMovement, change: Change[State]) -> tuple[object, ...]:
    """A row in the order of save_movements.sql: empty or -1 for what there is not.

    A correction's record is the one that made it necessary.
    """
    source = movement.source
    place: tuple[object, ...] = ("", -1, -1)
    if source is not None:
        place = source.topic, source.partition, source.offset
    elif isinstance(change.cause, Record):
        place = change.cause.topic, change.cause.partition, change.cause.offset
    return (
        movement.movement_id,
        movement.workspace_id,
        *split_subject(change.subject),
        movement.currency,
        movement.kind,
        movement.effective_at,
        movement.observed_at,
        movement.mrr_before,
        movement.mrr_after,
        movement.corrects or "",
        " ".join(movement.subscriptions),
        movement.basis,
        movement.reconstructed,
        movement.policy_version,
        _json(movement.detail).decode(),
        *place,
    )


def _save_balances(conn: Connection, changes: Sequence[Change[State]]) -> None:
    last = {
        (change.subject, row.currency): (change, row)
        for change in changes
        for row in change.effects.rows
        if isinstance(row, Balance)
    }
    if last:
        conn.execute(_SAVE_BALANCES, _columns(_balance_values(change, row) for change, row in last.values()))


def _balance_values(change: Change[State], row: Balance) -> tuple[object, ...]:
    connection, customer = split_subject(change.subject)
    times = (None if at is None else instant_of(at) for at in (row.first_at, row.since))
    workspace = change.effects.state.workspace_id
    held = (one.price for one in row.held), (str(one.quantity) for one in row.held), (str(one.mrr) for one in row.held)
    stands = row.mrr, row.basis, row.unvalued, *times, *map(SEPARATOR.join, held)
    return change.subject, row.currency, workspace, connection, customer, *stands
