"""The requests that DropFix made to Stripe, as Stripe's own log shows them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.errors import Refused
from services.console.figures import Place
from services.console.web.context import ConsoleHere, MemberHere
from services.console.web.render import render

router = APIRouter()
_Text = Annotated[str, Query(max_length=200)]


@router.get("/settings/integrations/stripe/{connection_id}/requests")
def calls_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    connection_id: str,
    *,
    q: _Text = "",
    failed: bool = False,
    after: _Text = "",
    id: _Text = "",
) -> Response:
    """One connection's requests, the newest first; with `failed` those alone that were refused or got no answer."""
    mine = {one.connection.connection_id: one for one in console.connections.watched(member.workspace_id)}
    watched = mine.get(connection_id)
    if watched is None:
        raise Refused("no_connection", "There is no such connection here.", "", HTTPStatus.NOT_FOUND)
    q, place = q.strip(), Place(after, id) if after and id else None
    return render(
        request,
        "calls.html",
        member=member,
        watched=watched,
        page=console.calls.calls(member.workspace_id, connection_id, search=q, failed=failed, after=place),
        q=q,
        failed=failed,
        first=place is None,
    )
