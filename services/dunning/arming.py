"""Arming: which database may send.

A copy of a database knows nothing of what the original mailed since. So arming notes which database this is
(PostgreSQL's system identifier and timeline, and the database's own number) and where `dunning.event.v1` ended. A
restored or cloned database differs in one of them, or finds an email in that topic that its ledger does not know:
either disarms, and nothing is sent until a person arms it again, which needs that topic to be read to its end.

A database that was never armed arms itself by the first sending, if it has read the topic to its end and found
nothing there that it does not know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from pipeline.records import Record
from runtime.database import Connection
from schemas.catalogue import DUNNING_EVENT
from schemas.events.dunning import DunningEvent

_LEARN = (
    "INSERT INTO dunning_io.mails AS m (episode_id, step, attempt, subject, workspace_id, message_id, state, origin)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, 'log')"
    " ON CONFLICT (episode_id, step, attempt) DO UPDATE SET origin = m.origin RETURNING m.origin"
)
_DISARM = (
    "INSERT INTO dunning_io.arming (system_identifier, timeline, database_oid, event_ends, armed_at, armed_by,"
    " disarmed_at, reason) SELECT %(system)s, %(timeline)s, %(oid)s, '{}', %(at)s, 'nobody', %(at)s, %(reason)s"
    " ON CONFLICT (only_one) DO UPDATE SET disarmed_at = excluded.disarmed_at, reason = excluded.reason"
    " WHERE dunning_io.arming.disarmed_at IS NULL"
)
_ARM = (
    "INSERT INTO dunning_io.arming AS a (system_identifier, timeline, database_oid, event_ends, armed_at, armed_by)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (only_one) DO UPDATE SET system_identifier = excluded.system_identifier,"
    " timeline = excluded.timeline, database_oid = excluded.database_oid, event_ends = excluded.event_ends,"
    " armed_at = excluded.armed_at, armed_by = excluded.armed_by, disarmed_at = NULL, reason = NULL"
)
BY_ITSELF = "the first sending"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database this is. `timeline` rises when a server is promoted or restored to a point in time."""

    system: int
    timeline: int
    oid: int


@dataclass(frozen=True, slots=True)
class Arming:
    """The note. `event_ends`: partition to the end of dunning.event.v1; times are machine time."""

    identity: Identity
    event_ends: Mapping[int, int]
    armed_at: datetime
    armed_by: str
    disarmed_at: datetime | None
    reason: str | None


def identity_of(conn: Connection) -> Identity:
    """This database."""
    row = conn.execute(
        "SELECT s.system_identifier, c.timeline_id, d.oid FROM pg_control_system() AS s, pg_control_checkpoint() AS c,"
        " pg_database AS d WHERE d.datname = current_database()"
    ).fetchone()
    if row is None:
        raise LookupError("PostgreSQL does not say which database this is")
    return Identity(system=int(row[0]), timeline=int(row[1]), oid=int(row[2]))


def load_arming(conn: Connection) -> Arming | None:
    """The note, None where nothing was ever armed or disarmed."""
    row = conn.execute(
        "SELECT system_identifier, timeline, database_oid, event_ends, armed_at, armed_by, disarmed_at, reason"
        " FROM dunning_io.arming"
    ).fetchone()
    if row is None:
        return None
    ends = {int(partition): int(end) for partition, end in row[3].items()}
    return Arming(Identity(*map(int, row[:3])), ends, *row[4:])


def why_disarmed(arming: Arming | None, here: Identity, ends: Mapping[int, int]) -> str | None:
    """Why this database may not send; None where it may. `ends` are those of dunning.event.v1 now."""
    if arming is None:
        return "it was never armed"
    if arming.disarmed_at is not None:
        return arming.reason or "it was disarmed"
    if arming.identity != here:
        return "this is not the database that was armed: it was restored, cloned or promoted"
    if any(ends.get(partition, 0) < end for partition, end in arming.event_ends.items()):
        return f"{DUNNING_EVENT.name} ends before the place where it ended when this database was armed"
    return None


def arm(conn: Connection, *, ends: Mapping[int, int], by: str, at: datetime) -> None:
    """Note this database and the ends of dunning.event.v1, which must have been read to there."""
    here = identity_of(conn)
    noted = Jsonb({str(partition): end for partition, end in ends.items()})
    conn.execute(_ARM, (here.system, here.timeline, here.oid, noted, at, by))


def disarm(conn: Connection, reason: str, at: datetime) -> None:
    """Send nothing until a person arms again. The first reason stays."""
    here = identity_of(conn)
    conn.execute(
        _DISARM, {"system": here.system, "timeline": here.timeline, "oid": here.oid, "at": at, "reason": reason}
    )


def check_known(conn: Connection, told: Sequence[tuple[Record, DunningEvent]], *, at: datetime) -> None:
    """Learn of emails in the log that the ledger does not know, and disarm: somebody else mails from this log."""
    unknown = [(record, event) for record, event in told if _learn(conn, record, event)]
    arming = load_arming(conn) if unknown else None
    fresh = [record for record, _ in unknown if arming is None or not _was_armed_over(arming, record)]
    if fresh:
        reason = (
            f"{len(fresh)} emails in {DUNNING_EVENT.name} are not in this database's ledger, the first at"
            f" {fresh[0].place}: it was restored or cloned, or another one mails from the same log"
        )
        disarm(conn, reason, at)


def _was_armed_over(arming: Arming, record: Record) -> bool:
    return record.offset < arming.event_ends.get(record.partition, 0)


def _learn(conn: Connection, record: Record, event: DunningEvent) -> bool:
    """Whether the ledger did not know the email, or knew it from the log alone."""
    state = event.kind.removeprefix("email_")
    values = (
        event.episode_id,
        event.step,
        str(event.detail.get("attempt") or ""),
        record.subject,
        event.workspace_id,
        event.message_id,
        "unknown" if state == "due" else state,
    )
    row = conn.execute(_LEARN, values).fetchone()
    return row is not None and row[0] == "log"


def read_to(conn: Connection, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """The next offset of every partition of these topics, as this database has applied them."""
    rows = conn.execute(
        "SELECT topic, partition, next_offset FROM offsets WHERE topic = ANY(%s)", (sorted(set(topics)),)
    )
    return {(topic, int(partition)): int(offset) for topic, partition, offset in rows}
