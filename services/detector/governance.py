"""How the detector goes by decisions: thresholds of signals, and the end of a connection."""

from collections.abc import Collection, Sequence

from pipeline.decisions import Image
from runtime.database import Connection
from schemas.events.control import Decision
from schemas.events.decisions import ConnectionEnded, SignalThresholds
from schemas.subjects import split_subject
from services.detector.in_force import MICROSECONDS, InForce

_WITH_SIGNALS = (
    "SELECT DISTINCT subject FROM signals WHERE workspace_id = %s AND connection_id = %s AND state <> 'withdrawn'"
    " AND (state = 'open' OR resolved_at > %s OR opened_at > %s)"
)
_DECIDED_SINCE = (
    "SELECT s.subject FROM subjects s JOIN locks l ON l.kind = 'subject' AND l.id = s.subject"
    " WHERE s.workspace_id = %s AND l.reached >= %s"
)


class DetectorGovernance:
    """Thresholds as they are in force; billing signals end with their connection."""

    kinds = ("signals.thresholds", "connection.ended")

    def policy(self, image: Image, subject: str) -> InForce:
        """The thresholds in force by time, and when the connection was ended."""
        connection_id, _ = split_subject(subject)
        ends = [
            int(kept.decision.effective_at.timestamp())
            for kept, _ in image.each(ConnectionEnded)
            if kept.decision.connection_id == connection_id
        ]
        histories = tuple(
            (round(kept.decision.effective_at.timestamp() * MICROSECONDS), detail.history_days)
            for kept, detail in image.each(SignalThresholds)
            if detail.history_days is not None
        )
        return InForce(histories=histories, ended_at=min(ends, default=None))

    def check(self, conn: Connection, decision: Decision) -> None:
        """Whatever the contract takes can be gone by."""

    def concerned(self, conn: Connection, decision: Decision) -> Sequence[str]:
        """Of a connection's end, who has a signal that it ends; of a threshold, who was decided without it."""
        workspace_id, at = decision.workspace_id, decision.effective_at
        if decision.kind == "connection.ended":
            rows = conn.execute(_WITH_SIGNALS, (workspace_id, decision.connection_id, at, at))
        else:
            rows = conn.execute(_DECIDED_SINCE, (workspace_id, at))
        return [subject for (subject,) in rows]

    def workspaces_of(self, conn: Connection, subjects: Collection[str]) -> dict[str, str]:
        rows = conn.execute("SELECT subject, workspace_id FROM subjects WHERE subject = ANY(%s)", (list(subjects),))
        return dict(rows.fetchall())
