"""What a person decided. Decisions are facts like any other and are kept for ever."""

from typing import Any

from pydantic import Field

from schemas.events.base import Event, Instant


class Decision(Event):
    """One decision of a person. Its `kind` names what was decided, `detail` how; never a key or a secret."""

    decision_id: str
    workspace_id: str
    connection_id: str | None = None
    kind: str = Field(description="What was decided: one of the kinds of schemas.events.decisions.")
    detail: dict[str, Any] = Field(default_factory=dict, description="How, by the kind's own fields.")
    decided_by: str = Field(description="Member id, or `operator` for the local command line.")
    why: str | None = None
    decided_at: Instant
    effective_at: Instant
