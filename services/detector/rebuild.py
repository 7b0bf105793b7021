"""How the detector is rebuilt: what of its tables any replay gives again, and what was published already."""

from collections.abc import Sequence

import msgspec
from psycopg import sql

from pipeline.rebuild.plan import Compared, Plan
from runtime.database import Connection
from services.detector.processor import detector
from services.detector.schema import MIGRATIONS
from services.detector.store import decode_state, encode_state

_DIFFERING = sql.SQL(
    "SELECT subject, l.state, s.state FROM {live}.subjects l JOIN {shadow}.subjects s USING (subject)"
    " WHERE l.state <> s.state"
)
_KEEP = sql.SQL("UPDATE {shadow}.subjects SET state = %s WHERE subject = %s")
_NEVER_PUBLISHED = sql.SQL(
    "DELETE FROM {shadow}.signals s WHERE NOT EXISTS (SELECT FROM {live}.signals l WHERE l.signal_id = s.signal_id)"
)
_PUBLISHED = sql.SQL(
    "INSERT INTO {shadow}.signals SELECT * FROM {live}.signals l"
    " WHERE NOT EXISTS (SELECT FROM {shadow}.signals s WHERE s.signal_id = l.signal_id)"
)
_REVISIONS = sql.SQL(
    "UPDATE {shadow}.signals s SET revision = l.revision FROM {live}.signals l"
    " WHERE l.signal_id = s.signal_id AND l.revision <> s.revision"
)


_DIFFERENTLY_MATCHED = sql.SQL(
    "WITH was AS (SELECT {pair} FROM {live}.matches WHERE state = 'matched'),"
    " now AS (SELECT {pair} FROM {shadow}.matches WHERE state = 'matched')"
    " SELECT DISTINCT connection_id || '/' || customer_id FROM"
    " ((TABLE was EXCEPT TABLE now) UNION (TABLE now EXCEPT TABLE was)) AS d"
)
_PAIR = sql.SQL("connection_id, customer_id, user_id, matched_by, effective_at")
_MATCHES = (
    sql.SQL("DELETE FROM {shadow}.matches"),
    sql.SQL("INSERT INTO {shadow}.matches SELECT * FROM {live}.matches"),
)


def carry(conn: Connection, live: str, shadow: str) -> Sequence[str]:
    """The signals and matches as they were published, with their revisions, over the facts as they were read again.

    A revision numbers what was published of a signal: one that is used twice would look like a repeat.
    """
    names = {"live": sql.Identifier(live), "shadow": sql.Identifier(shadow)}
    differing = conn.execute(_DIFFERING.format(**names)).fetchall()
    with conn.cursor() as cursor:
        cursor.executemany(_KEEP.format(**names), [(_carried(was, now), subject) for subject, was, now in differing])
    rematched = conn.execute(_DIFFERENTLY_MATCHED.format(**names, pair=_PAIR)).fetchall()
    for statement in (_NEVER_PUBLISHED, _PUBLISHED, _REVISIONS, *_MATCHES):
        conn.execute(statement.format(**names))
    return sorted({*(subject for subject, _, _ in differing), *(owner for (owner,) in rematched)})


def _carried(was: bytes, now: bytes) -> bytes:
    return encode_state(msgspec.structs.replace(decode_state(now), signals=decode_state(was).signals))


PLAN = Plan(
    schema=MIGRATIONS,
    processor=detector,
    tables=(
        Compared(
            "signals",
            key=("signal_id",),
            columns=(
                *("signal_id", "subject", "workspace_id", "connection_id", "livemode", "customer_id", "user_id"),
                *("code", "state", "severity", "opened_at", "resolved_at", "resolution", "sentence", "detail"),
            ),
            where="state <> 'withdrawn'",
        ),
        Compared("subjects", key=("subject",), columns=("subject", "workspace_id")),
        Compared(
            "persons",
            key=("owner",),
            columns=(
                "owner",
                "workspace_id",
                "connection_id",
                "customer_id",
                "user_id",
                "livemode",
                "deleted",
                "state",
            ),
        ),
        Compared(
            "matches",
            key=("connection_id", "customer_id", "user_id"),
            columns=(
                *("workspace_id", "connection_id", "customer_id", "user_id"),
                *("livemode", "matched_by", "effective_at"),
            ),
            where="state = 'matched'",
        ),
        Compared(
            "decisions",
            key=("decision_id",),
            columns=("decision_id", "workspace_id", "connection_id", "kind", "detail", "decided_at", "effective_at"),
        ),
    ),
    carry=carry,
)
