"""The image of decisions in dunning's own tables, and how a decision reaches those it concerns."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from pipeline.processor import Tx
from pipeline.records import Record
from runtime.database import Connection
from schemas.catalogue import DATA_PARTITIONS
from schemas.events.decisions import DunningTestSend, DunningText, read_detail
from schemas.partition import partition_of
from services.dunning.decisions import Image, Ruling

_SAVE = (
    "INSERT INTO decisions (decision_id, workspace_id, connection_id, subject, kind, detail, decided_by, why,"
    " effective_at, source_topic, source_partition, source_offset)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (decision_id) DO NOTHING"
)
_LOAD = (
    "SELECT workspace_id, subject, decision_id, effective_at, connection_id, decided_by, why, kind, detail"
    " FROM decisions WHERE (subject IS NULL AND workspace_id = ANY(%s)) OR subject = ANY(%s)"
)
_WAKE = (
    "INSERT INTO timers (partition, subject, rule, due_at)"
    " SELECT * FROM unnest(%s::integer[], %s::text[], %s::text[], %s::timestamptz[])"
    " ON CONFLICT (subject, rule) DO UPDATE SET due_at = excluded.due_at"
)


_NAMED = (
    "(hashtext('dropfix.dunning.workspace'), hashtext(w)) FROM (SELECT w FROM unnest(%s::text[]) u (w) ORDER BY 1) o"
)
_LOCK_ALONE = f"SELECT pg_advisory_xact_lock{_NAMED}"
_LOCK_SHARED = f"SELECT pg_advisory_xact_lock_shared{_NAMED}"


def save_rulings(conn: Connection, rulings: Sequence[tuple[Record, str, Ruling]]) -> None:
    """Add decisions, each with its record and workspace, to the image; one that is there already stays."""
    rows = []
    for record, workspace_id, ruling in rulings:
        rows.append(
            (
                ruling.id,
                workspace_id,
                ruling.connection_id,
                ruling.subject,
                ruling.kind,
                Jsonb(ruling.detail.model_dump(mode="json", exclude_unset=True)),
                ruling.decided_by,
                ruling.why,
                ruling.at,
                record.topic,
                record.partition,
                record.offset,
            )
        )
    with conn.cursor() as cursor:
        cursor.executemany(_SAVE, rows)


def load_images(conn: Connection, whom: Mapping[str, str]) -> dict[str, Image]:
    """By subject, what was decided of its workspace and of itself. `whom` is subject to workspace."""
    if not whom:
        return {}
    shared: dict[str, list[Ruling]] = {}
    own: dict[str, list[Ruling]] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_LOAD, (sorted(set(whom.values())), sorted(whom))):
            ruling = _ruling(row)
            if ruling.subject is None:
                shared.setdefault(row["workspace_id"], []).append(ruling)
            else:
                own.setdefault(ruling.subject, []).append(ruling)
    return {
        subject: Image.of([*shared.get(workspace_id, ()), *own.get(subject, ())])
        for subject, workspace_id in whom.items()
    }


def load_workspace_image(conn: Connection, workspace_id: str) -> Image:
    """What was decided of a workspace as a whole."""
    return load_images(conn, {"": workspace_id})[""]


def _ruling(row: Mapping[str, Any]) -> Ruling:
    return Ruling(
        id=row["decision_id"],
        kind=row["kind"],
        at=row["effective_at"],
        subject=row["subject"],
        connection_id=row["connection_id"],
        decided_by=row["decided_by"],
        why=row["why"],
        detail=read_detail(row["kind"], row["detail"]),
    )


def lock_workspaces(conn: Connection, workspaces: Iterable[str], *, alone: bool) -> None:
    """Until the end of the transaction, keep decisions (`alone`) and those who go by them apart: so that whoever is
    decided without a decision is open, or not, before the decision looks for whom it concerns."""
    conn.execute(_LOCK_ALONE if alone else _LOCK_SHARED, (sorted(set(workspaces)),))


def wake(tx: Tx, rulings: Iterable[tuple[str, Ruling]]) -> None:
    """Have everybody whom a decision concerns decided again at its `effective_at`: its own subject, or every subject
    of the workspace that has an open episode. A test email and the words of one change nothing of them."""
    wanted: dict[tuple[str, str], datetime] = {}
    for workspace_id, ruling in rulings:
        if isinstance(ruling.detail, DunningTestSend | DunningText):
            continue
        subjects = [ruling.subject] if ruling.subject else _open_subjects(tx.conn, workspace_id)
        wanted |= {(subject, f"decision:{ruling.id}"): ruling.at for subject in subjects}
    if not wanted:
        return
    tx.lock("subject", {subject for subject, _ in wanted})
    rows = [(partition_of(s, DATA_PARTITIONS), s, rule, at) for (s, rule), at in sorted(wanted.items())]
    tx.conn.execute(_WAKE, [list(column) for column in zip(*rows, strict=True)])


def _open_subjects(conn: Connection, workspace_id: str) -> list[str]:
    rows = conn.execute("SELECT subject FROM subjects WHERE workspace_id = %s AND is_open", (workspace_id,))
    return [subject for (subject,) in rows]
