"""MRR of a day, as it is known now or as it was known at an instant: for scripts, with the operator's token."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from services.console.web.context import ConsoleHere
from services.console.web.operator_api import operator, workspace_of

router = APIRouter(prefix="/api", dependencies=[Depends(operator)])


@router.get("/mrr")
def mrr(
    console: ConsoleHere,
    day: Annotated[date | None, Query(description="In the workspace's time zone; today without it.")] = None,
    at: Annotated[datetime | None, Query(description="As it was known then; UTC where no offset is said.")] = None,
    workspace: str | None = None,
) -> Any:
    """By connection and currency, in minor units a month. Empty where nothing is known, as of a day ahead; null without
    a ledger."""
    workspace_id = workspace_of(console, workspace)
    known_at = at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
    found = console.figures.mrr_of_day(workspace_id, console.scope(workspace_id), day=day, known_at=known_at)
    return {
        "workspace_id": workspace_id,
        "day": found.day.isoformat() if found.day else None,
        "known_at": known_at.isoformat() if known_at else None,
        "mrr": found.rows,
    }
