"""How mrr goes by decisions: the zone of a workspace's days, and the end of a connection."""

from collections.abc import Collection, Sequence

from pipeline.decisions import Image
from pipeline.errors import BadRecord
from runtime.database import Connection
from schemas.events.control import Decision
from schemas.events.decisions import ConnectionEnded, WorkspaceSettings, read_detail
from schemas.subjects import split_subject
from services.mrr.core import microseconds
from services.mrr.in_force import Ended, InForce
from services.mrr.policy import Policy


class MrrGovernance:
    """One policy for everybody; a connection that was ended has no MRR from then on.

    The zone is not the core's: `analytics.mrr_daily` reads it from the image, so another zone shows every day anew.
    """

    kinds = ("workspace.settings", "connection.ended")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def policy(self, image: Image, subject: str) -> InForce:
        connection_id, _ = split_subject(subject)
        ends = (kept for kept, _ in image.each(ConnectionEnded) if kept.decision.connection_id == connection_id)
        first = next(ends, None)
        if first is None:
            return InForce(self._policy)
        decision = first.decision
        return InForce(self._policy, Ended(microseconds(decision.effective_at), decision.decision_id, first.offset))

    def check(self, conn: Connection, decision: Decision) -> None:
        """A zone must be one that PostgreSQL knows too: the days are cut there."""
        detail = read_detail(decision.kind, decision.detail)
        zone = detail.timezone if isinstance(detail, WorkspaceSettings) else None
        if zone and conn.execute("SELECT 1 FROM pg_timezone_names WHERE name = %s", (zone,)).fetchone() is None:
            raise BadRecord(f"PostgreSQL does not know the time zone {zone!r}")

    def concerned(self, conn: Connection, decision: Decision) -> Sequence[str]:
        """Every customer of a connection that was ended."""
        if decision.kind != "connection.ended" or not decision.connection_id:
            return ()
        rows = conn.execute(
            "SELECT subject FROM customers WHERE workspace_id = %s AND starts_with(subject, %s)",
            (decision.workspace_id, f"{decision.connection_id}/"),
        )
        return [subject for (subject,) in rows]

    def workspaces_of(self, conn: Connection, subjects: Collection[str]) -> dict[str, str]:
        rows = conn.execute("SELECT subject, workspace_id FROM customers WHERE subject = ANY(%s)", (list(subjects),))
        return dict(rows.fetchall())
