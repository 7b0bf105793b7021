"""Settings → Tracking: write keys for identify() and track()."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.console.model import Member
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, allow
from services.console.web.render import render

router = APIRouter(prefix="/settings/tracking")


@router.get("")
def tracking_page(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    return _page(request, console, member, None)


@router.post("/keys")
def create_key(request: Request, console: ConsoleHere, member: MemberHere, form: FormHere) -> Response:
    """Shows the new key in the answer itself: it is kept nowhere, so there is no page to come back to."""
    allow(console.limits.connect, member.workspace_id)
    return _page(request, console, member, console.store.add_write_key(member.workspace_id, _now(console)))


@router.post("/keys/{write_key_id}/revoke")
def revoke_key(console: ConsoleHere, member: MemberHere, form: FormHere, write_key_id: str) -> Response:
    console.store.revoke_write_key(member.workspace_id, write_key_id, _now(console))
    console.write_keys.forget()
    return RedirectResponse("/settings/tracking", HTTPStatus.SEE_OTHER)


def _page(request: Request, console: Console, member: Member, new_key: str | None) -> Response:
    return render(
        request,
        "tracking.html",
        member=member,
        keys=console.store.write_keys(member.workspace_id),
        new_key=new_key,
        host=console.address,
        machine_now=_now(console),
    )


def _now(console: Console) -> datetime:
    return console.clock.machine_now()
