"""Decisions as records, as the console's outbox puts them on `control.decision.v1`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION
from schemas.envelope import Envelope
from schemas.events.control import Decision
from schemas.partition import partition_of
from schemas.subjects import kept_key


def decision_record(
    kind: str,
    detail: Mapping[str, Any] | None = None,
    *,
    at: datetime,
    workspace: str,
    connection: str | None = None,
    name: str = "",
    offset: int = 0,
    why: str | None = None,
) -> Record:
    """The record of a decision that counts from `at` on."""
    decision_id = name or f"dec_{kind}_{workspace}_{connection}_{at.timestamp():.0f}"
    decision = Decision(
        decision_id=decision_id,
        workspace_id=workspace,
        connection_id=connection,
        kind=kind,
        detail=dict(detail or {}),
        decided_by="mem_1",
        why=why,
        decided_at=at,
        effective_at=at,
    )
    envelope = Envelope(
        id=decision_id,
        source="dropfix/console",
        type=CONTROL_DECISION.name,
        time=at,
        subject=workspace,
        workspace_id=workspace,
        object_id=decision_id,
        connection_id=connection,
    )
    return Record(
        topic=CONTROL_DECISION.name,
        partition=partition_of(workspace, CONTROL_DECISION.partitions),
        offset=offset,
        key=kept_key(workspace, decision_id, 1).encode(),
        value=decision.encode(),
        headers=envelope.headers(),
        timestamp_ms=0,
    )
