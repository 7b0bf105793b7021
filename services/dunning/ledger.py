"""The ledger of emails: one row per episode, step and attempt, written before anything else is done about one.

    announced ──claim──► sending ──data_started──► sent | failed | unknown
        ▲                   │  ▲                     captured (kept instead of sent)
        └── taken back ─────┘  └── waiting (refused for now, or nothing was accepted)

The row is there once, whoever inserts it. A conversation is held by a claim; a takeover writes another, and the one
before can begin no DATA any more. Times are the machine's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from runtime.database import Connection
from services.dunning.core import Due
from services.dunning.protocol import Work

LedgerState = Literal["announced", "sending", "waiting", "sent", "captured", "failed", "unknown"]
RETRY = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
"""After how long a server that refused for now is asked again; the last for all that follow."""

_WORK = (
    "SELECT d.subject, d.episode_id, d.step, d.attempt, d.due_at, d.request_id, d.requested_at, m.state"
    " FROM due d LEFT JOIN dunning_io.mails m USING (episode_id, step, attempt)"
    " WHERE m.state IS NULL OR m.state IN ('announced', 'sending')"
    " OR (m.state = 'waiting' AND m.not_before <= %(now)s) OR (m.state = 'unknown' AND m.origin = 'log')"
    " ORDER BY d.due_at, d.episode_id LIMIT %(limit)s"
)
_ANNOUNCE = (
    "INSERT INTO dunning_io.mails (episode_id, step, attempt, subject, workspace_id, message_id, state, announced_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, 'announced', %s) ON CONFLICT DO NOTHING RETURNING 1"
)
_CLAIM = (
    "UPDATE dunning_io.mails SET state = 'sending', claim = %s, data_started_at = NULL, tries = tries + 1,"
    " message_id = %s, recipient = %s, subject_line = %s, body_text = %s, body_html = %s, changed_at = %s"
    " WHERE (episode_id, step, attempt) = (%s, %s, %s)"
    " AND (state IN ('announced', 'waiting') OR (state = 'sending' AND data_started_at IS NULL)) RETURNING 1"
)
_BEGIN_DATA = (
    "UPDATE dunning_io.mails SET data_started_at = %s, changed_at = %s WHERE (episode_id, step, attempt) = (%s, %s, %s)"
    " AND state = 'sending' AND claim = %s AND data_started_at IS NULL RETURNING 1"
)
_SETTLE = (
    "UPDATE dunning_io.mails SET state = %s, reply = %s, not_before = %s, changed_at = %s, claim = %s,"
    " data_started_at = CASE WHEN %s THEN NULL ELSE data_started_at END"
    " WHERE (episode_id, step, attempt) = (%s, %s, %s) AND claim = %s AND state IN ('sending', 'unknown') RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Item:
    """A due email as the sender finds it: whose, how far it has come, and what the ledger says of it."""

    subject: str
    work: Work
    state: LedgerState | None


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A conversation that somebody began and did not end."""

    subject: str
    due: Due
    claim: UUID
    data_started: bool
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes out, as the ledger keeps it."""

    message_id: str
    recipient: str
    subject_line: str
    text: str
    html: str


def work(conn: Connection, *, machine_now: datetime, limit: int) -> list[Item]:
    """The due emails that something can be done about now, the longest due first."""
    rows = conn.execute(_WORK, {"now": machine_now, "limit": limit}).fetchall()
    return [
        Item(subject, Work(Due(episode_id, step, attempt, due_at), request_id, requested_at, state is not None), state)
        for subject, episode_id, step, attempt, due_at, request_id, requested_at, state in rows
    ]


def note_request(conn: Connection, item: Item, *, request_id: str, at: datetime) -> None:
    """A fresh read was asked for."""
    due = item.work.due
    conn.execute(
        "UPDATE due SET request_id = %s, requested_at = %s, why = 'a fresh read was asked for'"
        " WHERE (subject, episode_id, step, attempt) = (%s, %s, %s, %s)",
        (request_id, at, item.subject, due.episode_id, due.step, due.attempt),
    )


def note_why(conn: Connection, item: Item, why: str) -> None:
    """What the email waits for, for people to see."""
    due = item.work.due
    conn.execute(
        "UPDATE due SET why = %s WHERE (subject, episode_id, step, attempt) = (%s, %s, %s, %s)"
        " AND why IS DISTINCT FROM %s",
        (why, item.subject, due.episode_id, due.step, due.attempt, why),
    )


def announce(conn: Connection, item: Item, *, workspace_id: str, message_id: str, at: datetime) -> bool:
    """Enter the email; False where it is there already."""
    due = item.work.due
    values = (due.episode_id, due.step, due.attempt, item.subject, workspace_id, message_id, at)
    return conn.execute(_ANNOUNCE, values).fetchone() is not None


def claim(conn: Connection, due: Due, contents: Contents, *, at: datetime) -> UUID | None:
    """Take the conversation over from whoever had it; None where the email is settled, or may be on its way."""
    token = uuid4()
    told = (contents.message_id, contents.recipient, contents.subject_line, contents.text, contents.html, at)
    row = conn.execute(_CLAIM, (token, *told, due.episode_id, due.step, due.attempt)).fetchone()
    return token if row is not None else None


def begin_data(conn: Connection, due: Due, token: UUID, *, at: datetime) -> bool:
    """Commit that DATA begins; False where the claim is another's by now."""
    values = (at, at, due.episode_id, due.step, due.attempt, token)
    return conn.execute(_BEGIN_DATA, values).fetchone() is not None


def settle(
    conn: Connection,
    due: Due,
    token: UUID,
    state: LedgerState,
    *,
    reply: str,
    at: datetime,
    not_before: datetime | None = None,
) -> bool:
    """Write down how the conversation ended; False where the claim is another's by now."""
    nothing_accepted = state in {"waiting", "announced"}
    kept = None if nothing_accepted else token
    row = conn.execute(
        _SETTLE,
        (state, reply, not_before, at, kept, nothing_accepted, due.episode_id, due.step, due.attempt, token),
    ).fetchone()
    return row is not None


def take_over(conn: Connection, due: Due) -> None:
    """An email that was learned of from the log is ours to look after from here on."""
    conn.execute(
        "UPDATE dunning_io.mails SET origin = 'here' WHERE (episode_id, step, attempt) = (%s, %s, %s)",
        (due.episode_id, due.step, due.attempt),
    )


def tries_of(conn: Connection, due: Due) -> int:
    """How many conversations were begun."""
    row = conn.execute(
        "SELECT tries FROM dunning_io.mails WHERE (episode_id, step, attempt) = (%s, %s, %s)",
        (due.episode_id, due.step, due.attempt),
    ).fetchone()
    return int(row[0]) if row else 0


def interrupted(conn: Connection) -> list[Interrupted]:
    """Every conversation that is not ended; its holder may still be at it."""
    rows = conn.execute(
        "SELECT subject, episode_id, step, attempt, announced_at, claim, data_started_at IS NOT NULL, message_id"
        " FROM dunning_io.mails WHERE state = 'sending'"
    )
    return [
        Interrupted(subject, Due(episode_id, step, attempt, at), token, started, message_id)
        for subject, episode_id, step, attempt, at, token, started, message_id in rows
    ]


def retry_after(tries: int) -> timedelta:
    """How long to wait after so many conversations (at least one)."""
    return RETRY[min(tries, len(RETRY)) - 1]
