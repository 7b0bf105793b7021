"""Dunning's tables: what is known of each subject, what is due, and episodes and emails as they stand."""

from collections.abc import Collection, Iterable, Sequence
from importlib.resources import files

import msgspec
from psycopg.types.json import Jsonb

from pipeline.processor import Tx
from pipeline.records import Record
from pipeline.subjects import Change
from runtime.database import Connection
from schemas.events.dunning import DunningEvent
from services.dunning.core import SubjectState
from services.dunning.episode import OPEN, Episode
from services.dunning.facts import MAIL_ORDER

_SQL = files("services.dunning.sql")
_SAVE_EPISODES = (_SQL / "save_episodes.sql").read_bytes()
_SAVE_EMAIL = (_SQL / "save_email.sql").read_bytes()
_SAVE_DUE = (_SQL / "save_due.sql").read_bytes()
_SAVE_STATES = (
    "INSERT INTO subjects (subject, workspace_id, is_open, state)"
    " SELECT * FROM unnest(%b::text[], %b::text[], %b::boolean[], %b::bytea[])"
    " ON CONFLICT (subject) DO UPDATE SET is_open = excluded.is_open, state = excluded.state"
)
_STALE_DUE = (
    "DELETE FROM due WHERE subject = ANY(%s)"
    " AND (subject, episode_id, step, attempt) NOT IN"
    " (SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::text[]))"
)
_SAVE_AMOUNTS = (
    "INSERT INTO amounts (episode_id, workspace_id, currency, at_stake, remaining, recovered)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SubjectState).decode
_json = msgspec.json.Encoder().encode


class DunningStore:
    """The Store of the pipeline's SubjectProcessor."""

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, SubjectState]:
        rows = conn.execute("SELECT subject, state FROM subjects WHERE subject = ANY(%b)", (list(subjects),))
        return {subject: _decode(state) for subject, state in rows}

    def save(self, tx: Tx, changes: Sequence[Change[SubjectState]]) -> None:
        """States and rows of a batch, a statement for each table. Of a subject or row that changed twice the last
        counts."""
        states = {change.subject: change.effects.state for change in changes}
        tx.conn.execute(
            _SAVE_STATES,
            (
                list(states),
                [state.facts.workspace_id for state in states.values()],
                [any(one.episode.state in OPEN for one in state.published.values()) for state in states.values()],
                [_encode(state) for state in states.values()],
            ),
        )
        _save_due(tx.conn, list(states.values()))
        _save_episodes(tx.conn, changes)

    def workspaces_of(self, conn: Connection, subjects: Collection[str]) -> dict[str, str]:
        """Subject to workspace: of those that are known, and of those that a decision named first."""
        wanted = list(subjects)
        rows = conn.execute(
            "SELECT subject, workspace_id FROM decisions WHERE subject = ANY(%s)"
            " UNION SELECT subject, workspace_id FROM subjects WHERE subject = ANY(%s)",
            (wanted, wanted),
        )
        return dict(rows.fetchall())


def _save_due(conn: Connection, states: Sequence[SubjectState]) -> None:
    """What is due now, keeping how far the sender has come with what was due already."""
    due = [
        (state.subject, one.episode_id, one.step, one.attempt, one.due_at, state.facts.workspace_id)
        for state in states
        for one in state.due
    ]
    columns = [list(column) for column in zip(*due, strict=True)] if due else [[], [], [], [], [], []]
    conn.execute(_STALE_DUE, ([state.subject for state in states], *columns[:4]))
    if due:
        conn.execute(_SAVE_DUE, columns)


def _save_episodes(conn: Connection, changes: Sequence[Change[SubjectState]]) -> None:
    last: dict[str, tuple[Episode, Change[SubjectState]]] = {
        episode.id: (episode, change) for change in changes for episode in change.effects.rows
    }
    if not last:
        return
    rows = [_episode_values(episode, change) for episode, change in last.values()]
    conn.execute(_SAVE_EPISODES, [list(column) for column in zip(*rows, strict=True)])
    conn.execute("DELETE FROM amounts WHERE episode_id = ANY(%s)", (list(last),))
    amounts = [row for episode, change in last.values() for row in _amounts(episode, change)]
    if amounts:
        conn.execute(_SAVE_AMOUNTS, [list(column) for column in zip(*amounts, strict=True)])


def _episode_values(episode: Episode, change: Change[SubjectState]) -> tuple[object, ...]:
    """A row in the order of save_episodes.sql; a timer's doing names no record."""
    cause, facts = change.cause, change.effects.state.facts
    source = (cause.topic, cause.partition, cause.offset) if isinstance(cause, Record) else (None, None, None)
    return (
        episode.id,
        change.subject,
        facts.workspace_id,
        facts.connection_id,
        facts.customer_id,
        facts.user_id,
        episode.livemode,
        episode.state,
        episode.reason,
        episode.opened_at,
        episode.ended_at,
        episode.step,
        episode.policy.steps,
        episode.due_at,
        episode.mailed,
        episode.mailed_at,
        _decline_reason(episode),
        _json(episode.cases).decode(),
        _json(episode.policy).decode(),
        *source,
    )


def _decline_reason(episode: Episode) -> str | None:
    """Of the latest failure that has one."""
    reasons = [case.reason for case in sorted(episode.cases, key=lambda case: case.failed_at) if case.reason]
    return reasons[-1] if reasons else None


def _amounts(episode: Episode, change: Change[SubjectState]) -> Iterable[tuple[str, str, str, int, int, int]]:
    workspace_id = change.effects.state.facts.workspace_id
    totals: dict[str, tuple[int, int, int]] = {}
    for case in episode.cases:
        stake, remaining, recovered = totals.get(case.currency, (0, 0, 0))
        still = case.remaining if case.end is None else 0
        totals[case.currency] = (stake + case.stake, remaining + still, recovered + case.recovered)
    return [(episode.id, workspace_id, currency, *amounts) for currency, amounts in sorted(totals.items())]


def save_emails(conn: Connection, told: Iterable[tuple[Record, DunningEvent]]) -> None:
    """The emails that events tell of; one about an earlier stage than is known changes nothing."""
    with conn.cursor() as cursor:
        cursor.executemany(_SAVE_EMAIL, [_email_values(record, event) for record, event in told])


def _email_values(record: Record, event: DunningEvent) -> tuple[object, ...]:
    """A row in the order of save_email.sql."""
    state = event.kind.removeprefix("email_")
    detail = dict(event.detail)
    return (
        event.episode_id,
        event.step,
        str(detail.pop("attempt", "") or ""),
        event.workspace_id,
        event.connection_id,
        event.customer_id,
        event.user_id,
        state,
        [str(each) for each in MAIL_ORDER].index(state),
        event.at,
        event.message_id,
        detail.get("to"),
        detail.get("subject"),
        event.reason,
        Jsonb(detail),
        record.topic,
        record.partition,
        record.offset,
    )
