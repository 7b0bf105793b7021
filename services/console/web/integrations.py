"""Settings → Integrations: the Stripe card, the guide beside it, connect and disconnect."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from schemas.stripe.keys import create_key_url
from services.console.card import PERMISSIONS, Card, card_of
from services.console.errors import Refused
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, allow, text_of
from services.console.web.render import render

router = APIRouter(prefix="/settings")
_PAGE = "/settings/integrations"
_KEY_PAGES = {
    "live": create_key_url(test=False),
    "test": create_key_url(test=True),
    "disputes": create_key_url(test=False, disputes=True),
}


@router.get("")
def settings_page(member: MemberHere) -> Response:
    return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)


@router.get("/integrations")
def integrations_page(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    return _page(request, console, member, None)


@router.post("/integrations/stripe")
def connect(request: Request, console: ConsoleHere, member: MemberHere, form: FormHere) -> Response:
    """Seal the key and watch its account; the page says what is wrong with a key that is refused."""
    try:
        allow(console.limits.connect, member.workspace_id)
        console.connections.submit(member.workspace_id, text_of(form, "key"), decided_by=member.member_id)
    except Refused as refusal:
        return _page(request, console, member, refusal)
    return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)


@router.get("/integrations/stripe")
def guide_page(request: Request, member: MemberHere) -> Response:
    return render(request, "guide.html", member=member, key_pages=_KEY_PAGES, permissions=PERMISSIONS)


@router.get("/integrations/stripe/{connection_id}/disconnect")
def disconnect_page(request: Request, console: ConsoleHere, member: MemberHere, connection_id: str) -> Response:
    """Asks before the key is deleted."""
    card = _card(console, member, connection_id)
    return render(request, "disconnect.html", member=member, card=card)


@router.post("/integrations/stripe/{connection_id}/disconnect")
def disconnect(console: ConsoleHere, member: MemberHere, form: FormHere, connection_id: str) -> Response:
    """Delete the key; 404 where there is no such connection."""
    if not console.connections.end(member.workspace_id, connection_id, decided_by=member.member_id):
        raise _no_connection()
    return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)


def _page(request: Request, console: Console, member: MemberHere, refusal: Refused | None) -> Response:
    now, machine_now = console.clock.now(), console.clock.machine_now()
    watched = console.connections.watched(member.workspace_id)
    return render(
        request,
        "integrations.html",
        member=member,
        status=refusal.status if refusal else HTTPStatus.OK,
        cards=[card_of(each, machine_now=machine_now, now=now) for each in watched],
        refusal=refusal,
        key_pages=_KEY_PAGES,
        permissions=PERMISSIONS,
    )


def _card(console: Console, member: MemberHere, connection_id: str) -> Card:
    watched = console.connections.watched_one(member.workspace_id, connection_id)
    if watched is None or watched.connection.state != "submitted":
        raise _no_connection()
    return card_of(watched, machine_now=console.clock.machine_now(), now=console.clock.now())


def _no_connection() -> Refused:
    return Refused(
        "no_connection",
        "There is no such connection, or it was disconnected already.",
        "Look under Settings → Integrations.",
        HTTPStatus.NOT_FOUND,
    )
