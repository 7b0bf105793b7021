"""Decisions as a consumer goes by them: the image in its own tables, and how a decision reaches whom it concerns.

A decision is on the partition of its workspace, those it concerns are on others. So it is written to an image that
every transaction of the service reads, and whom it concerns is woken by a timer on the partition of its own, at the
decision's `effective_at`: there it counts after everything that was said before, and a late decision is a late fact.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from pipeline.errors import BadRecord
from pipeline.records import Record
from runtime.database import Connection
from schemas.catalogue import CONTROL_DECISION, DATA_PARTITIONS
from schemas.errors import InvalidDecision
from schemas.events.control import Decision
from schemas.events.decisions import KINDS, Detail, read_detail
from schemas.faults import faults_of
from schemas.partition import partition_of

READ_FIRST = frozenset({CONTROL_DECISION.name})
"""Topics that a consumer which has them among its inputs reads to their end before anything else, at every start."""

D = TypeVar("D", bound=Detail)

_SAVE = (
    "INSERT INTO decisions (decision_id, workspace_id, connection_id, kind, detail, decided_by, why, decided_at,"
    " effective_at, source_topic, source_partition, source_offset)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (decision_id) DO NOTHING"
)
_LOAD = (
    "SELECT decision_id, workspace_id, connection_id, kind, detail, decided_by, why, decided_at, effective_at,"
    " source_partition, source_offset FROM decisions WHERE workspace_id = ANY(%s)"
)
_WAKE = (
    "INSERT INTO timers (partition, subject, rule, due_at)"
    " SELECT * FROM unnest(%b::integer[], %b::text[], %b::text[], %b::timestamptz[])"
    " ON CONFLICT (subject, rule) DO UPDATE SET due_at = excluded.due_at"
)
_LOCK = (
    "SELECT {function}(hashtext(current_schema() || '.decisions'), h)"
    " FROM (SELECT DISTINCT hashtext(w) AS h FROM unnest(%s::text[]) AS w ORDER BY 1) AS hashes"
)
_LOCK_ALONE = _LOCK.format(function="pg_advisory_xact_lock").encode()
_LOCK_SHARED = _LOCK.format(function="pg_advisory_xact_lock_shared").encode()


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision in the image, how it was decided, and where in `control.decision.v1` it lies."""

    decision: Decision
    detail: Detail
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Image:
    """What was decided of one workspace, in the order in which it counts: by `effective_at`, then by id."""

    kept: tuple[Kept, ...] = ()

    @classmethod
    def of(cls, kept: Iterable[Kept]) -> "Image":
        ordered = sorted(kept, key=lambda one: (one.decision.effective_at, one.decision.decision_id))
        return cls(tuple(ordered))

    def each(self, detail: type[D]) -> Iterator[tuple[Kept, D]]:
        """The decisions whose detail is of that type, in order, whenever they count from."""
        for kept in self.kept:
            if isinstance(kept.detail, detail):
                yield kept, kept.detail

    def in_force(self, detail: type[D], at: datetime) -> list[D]:
        """Those that count at an instant; where two say different things the later one stands."""
        return [read for kept, read in self.each(detail) if kept.decision.effective_at <= at]


def decode_decision(record: Record) -> Decision:
    """The decision in a record; raises BadRecord where it is none. A kind that is not known yet is no fault."""
    try:
        decision = Decision.model_validate_json(record.value or b"")
        if decision.kind in KINDS:
            read_detail(decision.kind, decision.detail)
    except ValidationError as error:
        raise BadRecord(f"it is no decision: {faults_of(error)}") from error
    except InvalidDecision as error:
        raise BadRecord(str(error)) from error
    return decision


def save_decisions(conn: Connection, decided: Iterable[tuple[Record, Decision]]) -> None:
    """Add decisions to the image; one that is there already stays as it is."""
    with conn.cursor() as cursor:
        cursor.executemany(_SAVE, [_values(record, decision) for record, decision in decided])


def load_images(conn: Connection, workspaces: Collection[str]) -> dict[str, Image]:
    """By workspace, what was decided of it; empty where nothing was."""
    found: dict[str, list[Kept]] = {workspace: [] for workspace in workspaces}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_LOAD, (list(found),)):
            decision = Decision(**row)
            detail = read_detail(decision.kind, decision.detail)
            found[decision.workspace_id].append(Kept(decision, detail, row["source_partition"], row["source_offset"]))
    return {workspace: Image.of(kept) for workspace, kept in found.items()}


def lock_workspaces(conn: Connection, workspaces: Iterable[str], *, alone: bool) -> None:
    """Until the end of the transaction, keep decisions (`alone`) and those who go by them apart.

    So whoever is decided without a decision is there, or not, before the decision looks for whom it concerns. Comes
    before every other lock.
    """
    conn.execute(_LOCK_ALONE if alone else _LOCK_SHARED, (sorted(set(workspaces)),))


def wake(conn: Connection, decision: Decision, subjects: Sequence[str]) -> None:
    """Have these subjects decided again at the decision's `effective_at`."""
    if not subjects:
        return
    partitions = [partition_of(subject, DATA_PARTITIONS) for subject in subjects]
    rules, instants = f"decision:{decision.decision_id}", decision.effective_at
    conn.execute(_WAKE, (partitions, list(subjects), [rules] * len(subjects), [instants] * len(subjects)))


def _values(record: Record, decision: Decision) -> tuple[object, ...]:
    return (
        decision.decision_id,
        decision.workspace_id,
        decision.connection_id,
        decision.kind,
        Jsonb(dict(decision.detail)),
        decision.decided_by,
        decision.why,
        decision.decided_at,
        decision.effective_at,
        record.topic,
        record.partition,
        record.offset,
    )
