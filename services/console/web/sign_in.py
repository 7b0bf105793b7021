"""Getting in: the first run, signing in and out."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.console.errors import Refused
from services.console.passwords import password_matches
from services.console.store import NewMember
from services.console.web.context import (
    SESSION_COOKIE,
    ConsoleHere,
    FormHere,
    address_of,
    allow,
    begin_session,
    cookie_name,
    session_token,
    text_of,
)
from services.console.web.render import render

router = APIRouter()
_SEE_OTHER = HTTPStatus.SEE_OTHER
_USED = Refused(
    "link_expired",
    "This link was used already, or it expired.",
    "Restart the console for a new one: it is in its log, and “dropfix run” prints it.",
    HTTPStatus.GONE,
)


@router.get("/first-run")
def first_run_page(request: Request, console: ConsoleHere, token: str = "") -> Response:
    allow(console.limits.links, address_of(request))
    if console.store.link(token, "first_run", console.clock.machine_now()) is None:
        raise _USED
    return render(request, "first_run.html", token=token, refusal=None, workspace="", email="")


@router.post("/first-run")
def first_run(request: Request, console: ConsoleHere, form: FormHere) -> Response:
    """The first workspace with its first member, who is signed in; the form again, saying what is wrong with it. 410
    where the link was used, or is too old."""
    allow(console.limits.links, address_of(request))
    token, new = text_of(form, "token"), _new_member(form)
    try:
        session = console.store.complete_first_run(token, new, console.clock.machine_now())
    except Refused as refusal:
        if refusal.status is HTTPStatus.GONE:
            raise
        return render(
            request,
            "first_run.html",
            status=refusal.status,
            token=token,
            refusal=refusal,
            workspace=new.workspace_name,
            email=new.email,
        )
    if console.settings.first_run_link_file is not None:
        console.settings.first_run_link_file.unlink(missing_ok=True)
    response = RedirectResponse("/settings/integrations", _SEE_OTHER)
    begin_session(response, console, session)
    return response


@router.get("/sign-in")
def sign_in_page(request: Request, console: ConsoleHere) -> Response:
    return render(request, "sign_in.html", refusal=None, email="", first_run=not console.store.has_members())


@router.post("/sign-in")
def sign_in(request: Request, console: ConsoleHere, form: FormHere) -> Response:
    """A session; the form again where the password is not the member's, or after too many tries (by address, and by
    member), with `Retry-After`."""
    email = text_of(form, "email").strip().lower()
    try:
        allow(console.limits.sign_in, f"address {address_of(request)}", f"member {email[:254]}")
        session = _authenticate(console, email, text_of(form, "password"))
    except Refused as refusal:
        response: Response = render(
            request, "sign_in.html", status=refusal.status, refusal=refusal, email=email, first_run=False
        )
        if refusal.retry_after_s is not None:
            response.headers["Retry-After"] = str(refusal.retry_after_s)
        return response
    response = RedirectResponse("/", _SEE_OTHER)
    begin_session(response, console, session)
    return response


@router.get("/sign-in/link")
def sign_in_link_page(request: Request, console: ConsoleHere, token: str = "") -> Response:
    """A link works once: opening it asks, so that a preview of the address does not use it up."""
    allow(console.limits.links, address_of(request))
    found = console.store.link(token, "sign_in", console.clock.machine_now())
    if found is None:
        raise _USED
    return render(request, "sign_in_link.html", token=token, email=found[1])


@router.post("/sign-in/link")
def sign_in_by_link(request: Request, console: ConsoleHere, form: FormHere) -> Response:
    allow(console.limits.links, address_of(request))
    session = console.store.sign_in_by_link(text_of(form, "token"), console.clock.machine_now())
    if session is None:
        raise _USED
    response = RedirectResponse("/", _SEE_OTHER)
    begin_session(response, console, session)
    return response


@router.post("/sign-out")
def sign_out(request: Request, console: ConsoleHere, form: FormHere) -> Response:
    if token := session_token(request, console):
        console.store.end_session(token)
    response = RedirectResponse("/sign-in", _SEE_OTHER)
    response.delete_cookie(
        cookie_name(console, SESSION_COOKIE), path="/", secure=console.settings.secure_cookies, httponly=True
    )
    return response


def _authenticate(console: ConsoleHere, email: str, password: str) -> str:
    found = console.store.credentials(email)
    if not password_matches(found[1] if found else None, password) or found is None:
        raise Refused(
            "wrong_password",
            "The e-mail address or the password is wrong.",
            "Check both, then try again.",
            HTTPStatus.UNAUTHORIZED,
        )
    return console.store.start_session(found[0], console.clock.machine_now())


def _new_member(form: FormHere) -> NewMember:
    return NewMember(text_of(form, "workspace"), text_of(form, "email"), text_of(form, "password"))
