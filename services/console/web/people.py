"""Users of the product: who they are, and whose customer each is."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.figures import Place
from services.console.overview import overview_of
from services.console.web.context import ConsoleHere, MemberHere
from services.console.web.render import render

router = APIRouter()
_Text = Annotated[str, Query(max_length=200)]


@router.get("/users")
def users_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    *,
    q: _Text = "",
    show: Annotated[str, Query(pattern="^(alone|all)$")] = "alone",
    after: _Text = "",
    id: _Text = "",
) -> Response:
    scope = console.scope(member.workspace_id)
    place = Place(after, id) if after and id else None
    return render(
        request,
        "users.html",
        member=member,
        overview=overview_of(scope, console.figures.figures(member.workspace_id, scope, console.clock.now())),
        page=console.people.users(member.workspace_id, scope, alone=show == "alone", search=q.strip(), after=place),
        count_of_users=console.people.count(member.workspace_id),
        q=q.strip(),
        show=show,
        first=not after,
    )
