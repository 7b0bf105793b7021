"""What the pages are given: the parts of the console, and who is asking."""

import secrets
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from runtime.clock import Clock
from runtime.health import Health
from services.console.calls import CallStore
from services.console.connections import Connections
from services.console.decisions import Decisions
from services.console.episodes import EpisodeStore
from services.console.errors import NotSignedIn, Refused
from services.console.figures import FigureStore
from services.console.identifiers import form_token, same
from services.console.live import LiveUpdates
from services.console.model import Member
from services.console.overview import Scope, scope_of
from services.console.people import PeopleStore
from services.console.publisher import Publisher
from services.console.settings import ConsoleSettings
from services.console.store import SESSION_LASTS, Store
from services.console.throttle import Rate, Throttle
from services.console.write_keys import WriteKeys


@dataclass(frozen=True)
class Limits:
    """How often things may be tried. Per process; keys are addresses, e-mail addresses or workspaces."""

    sign_in: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=1 / 30, burst=10)))
    links: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=1 / 10, burst=20)))
    connect: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=1 / 6, burst=10)))
    operator: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=1, burst=20)))
    unknown_write_keys: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=1, burst=30)))
    messages: Throttle = field(default_factory=lambda: Throttle(Rate(per_second=2_000, burst=20_000)))


@dataclass(frozen=True)
class Console:
    """The parts, as `app.py` put them together. `faults` is what ended a part that works in a thread of its own."""

    settings: ConsoleSettings
    address: str
    clock: Clock
    health: Health
    store: Store
    connections: Connections
    decisions: Decisions
    figures: FigureStore
    people: PeopleStore
    calls: CallStore
    episodes: EpisodeStore
    write_keys: WriteKeys
    publisher: Publisher
    live: LiveUpdates
    faults: list[BaseException]
    limits: Limits = field(default_factory=Limits)

    def scope(self, workspace_id: str) -> Scope:
        """The connections whose figures count for this workspace."""
        return scope_of(self.connections.watched(workspace_id))

    def scope_for(self, member: Member) -> Scope:
        """The connections whose figures this member is shown."""
        return scope_of(self.connections.watched(member.workspace_id), shows_test=member.shows_test)


def console_of(request: Request) -> Console:
    """The console that answers the request."""
    console: Console = request.app.state.console
    return console


ConsoleHere = Annotated[Console, Depends(console_of)]

SESSION_COOKIE, FORM_COOKIE, MODE_COOKIE = "dropfix_session", "dropfix_form", "dropfix_mode"


def cookie_name(console: Console, name: str) -> str:
    """Over https the browser itself makes sure that no other host and no plain connection sets the cookie."""
    return f"__Host-{name}" if console.settings.secure_cookies else name


def set_cookie(response: Response, console: Console, name: str, value: str, *, lasts: float | None) -> None:
    """A cookie that scripts cannot read; it lasts so many seconds, with None as long as the browser is open."""
    response.set_cookie(
        cookie_name(console, name),
        value,
        max_age=None if lasts is None else int(lasts),
        path="/",
        secure=console.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def begin_session(response: Response, console: Console, token: str) -> None:
    """Hand the session to the browser."""
    set_cookie(response, console, SESSION_COOKIE, token, lasts=SESSION_LASTS.total_seconds())


def session_token(request: Request, console: Console) -> str | None:
    """The token of the browser’s session, None without one."""
    return request.cookies.get(cookie_name(console, SESSION_COOKIE))


def signed_in(request: Request, console: ConsoleHere) -> Member:
    """Who is asking; raises NotSignedIn."""
    token = session_token(request, console)
    member = console.store.session(token, console.clock.machine_now()) if token else None
    if member is None:
        raise NotSignedIn
    return replace(member, shows_test=request.cookies.get(cookie_name(console, MODE_COOKIE)) == "test")


MemberHere = Annotated[Member, Depends(signed_in)]


def form_cookie(request: Request, console: Console) -> str | None:
    """The cookie that forms of this browser are bound to: the session's, before there is one a passing one."""
    return session_token(request, console) or request.cookies.get(cookie_name(console, FORM_COOKIE))


def new_form_cookie() -> str:
    """A cookie for forms of a browser that has no session."""
    return secrets.token_urlsafe(24)


async def checked_form(request: Request, console: ConsoleHere) -> FormData:
    """The form of a page of ours, sent by the browser that the page was given to; raises Refused."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise _foreign_form()
    form = await request.form()
    cookie, token = form_cookie(request, console), form.get("form_token")
    if not cookie or not isinstance(token, str) or not same(token, form_token(cookie)):
        raise _foreign_form()
    return form


FormHere = Annotated[FormData, Depends(checked_form)]


def text_of(form: FormData, name: str) -> str:
    """A field's text, empty where it is missing or a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def address_of(request: Request) -> str:
    """The address a request comes from, by the connection or by a proxy that is trusted."""
    return request.client.host if request.client else "unknown"


def allow(throttle: Throttle, *keys: str) -> None:
    """Count one try for each key; raises Refused where there were too many."""
    wait = max(throttle.take(key) for key in keys)
    if wait > 0:
        seconds = int(wait) + 1
        raise Refused(
            "too_many_tries",
            "That was tried too often.",
            f"Wait {seconds} seconds, then try again.",
            HTTPStatus.TOO_MANY_REQUESTS,
            retry_after_s=seconds,
        )


def _foreign_form() -> Refused:
    return Refused(
        "stale_form",
        "This form is no longer valid, or it was not sent from this page.",
        "Go back, reload the page and try again.",
        HTTPStatus.FORBIDDEN,
    )
