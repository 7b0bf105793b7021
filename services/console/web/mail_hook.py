"""Bounces and complaints: a mail server, or whoever reads its reports, tells whom not to email again.

`POST /hooks/mail/<token>` with one report or a list of them: `{"email": "ada@example.com", "event": "bounced"}`, or
`"complained"`. Each becomes a decision, once. The token is signed for one workspace and is worth nothing else.
"""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from runtime.signed import MAIL_EVENTS, TokenError, read_signed, sign
from services.console.errors import Refused
from services.console.web.context import Console, ConsoleHere, allow

router = APIRouter(prefix="/hooks/mail")
MAIL_SERVER = "mail server"
AT_ONCE = 500


class Report(BaseModel):
    """An address to which an email could not be delivered for good, or whose owner complained about one."""

    email: str = Field(pattern=r"^\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*$", max_length=254)
    event: Literal["bounced", "complained"]


@router.post("/{token}")
def take(
    console: ConsoleHere,
    token: str,
    reports: Annotated[Report | Annotated[list[Report], Field(max_length=AT_ONCE)], Body()],
) -> dict[str, int]:
    """200 with how many addresses are suppressed by it; those that were already are left alone. 404 for a token that
    is not ours; 422 where a report makes no sense, then none of them counts."""
    workspace_id = _workspace(console, token)
    told = reports if isinstance(reports, list) else [reports]
    wanted = {report.email.strip().lower(): report.event for report in told}
    known = console.decisions.suppressed(workspace_id, wanted)
    for email, event in wanted.items():
        if email not in known:
            detail = {"email": email, "reason": event}
            console.decisions.decide(
                workspace_id, "dunning.suppress", detail, decided_by=MAIL_SERVER, why="reported by the mail server"
            )
    return {"suppressed": len(wanted.keys() - known)}


def hook_address(console: Console, workspace_id: str) -> str | None:
    """Where a workspace's mail server reports to; None where no key signs tokens."""
    key = console.settings.unsubscribe_key
    return f"{console.address}/hooks/mail/{sign(key, MAIL_EVENTS, (workspace_id,))}" if key else None


def _workspace(console: Console, token: str) -> str:
    key = console.settings.unsubscribe_key
    refused = Refused("no_hook", "This address is not valid, or not complete.", "", HTTPStatus.NOT_FOUND)
    if key is None:
        raise refused
    try:
        (workspace_id,) = read_signed(key, MAIL_EVENTS, token)
    except TokenError:
        raise refused from None
    allow(console.limits.messages, workspace_id)
    return workspace_id
