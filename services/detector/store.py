"""The detector's tables: what is known of each subject, and the signals as they stand."""

from collections.abc import Sequence
from importlib.resources import files

import msgspec

from pipeline.processor import Tx
from pipeline.records import Record
from pipeline.subjects import Change
from runtime.database import Connection
from services.detector.core import SubjectState
from services.detector.messages import SignalRow

_SQL = files("services.detector.sql")
_LOAD = (_SQL / "load_states.sql").read_bytes()
_SAVE_STATES = (_SQL / "save_states.sql").read_bytes()
_SAVE_SIGNALS = (_SQL / "save_signals.sql").read_bytes()

encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(SubjectState).decode
_json = msgspec.json.Encoder().encode


class SignalStore:
    """The Store of the pipeline's SubjectProcessor."""

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, SubjectState]:
        rows = conn.execute(_LOAD, (list(subjects),)).fetchall()
        return {subject: decode_state(state) for subject, state in rows}

    def save(self, tx: Tx, changes: Sequence[Change[SubjectState]]) -> None:
        """States and rows of a batch, a statement for each table. Of a subject or row that changed twice the last
        counts."""
        states = {change.subject: change.effects.state for change in changes}
        tx.conn.execute(
            _SAVE_STATES,
            (
                list(states),
                [state.facts.workspace_id for state in states.values()],
                [encode_state(state) for state in states.values()],
            ),
        )
        last = {row.signal_id: (row, change) for change in changes for row in change.effects.rows}
        if last:
            columns = zip(*(_signal_values(row, change) for row, change in last.values()), strict=True)
            tx.conn.execute(_SAVE_SIGNALS, [list(column) for column in columns])


def _signal_values(row: SignalRow, change: Change[SubjectState]) -> tuple[object, ...]:
    """A row in the order of save_signals.sql; a timer's doing names no record."""
    cause = change.cause
    source = (cause.topic, cause.partition, cause.offset) if isinstance(cause, Record) else (None, None, None)
    return (
        row.signal_id,
        row.subject,
        row.workspace_id,
        row.connection_id,
        row.livemode,
        row.customer_id,
        row.user_id,
        row.code,
        row.state,
        row.severity,
        row.opened_at,
        row.resolved_at,
        row.resolution,
        row.sentence,
        _json(row.detail).decode(),
        _json(row.evidence).decode(),
        row.revision,
        *source,
    )
