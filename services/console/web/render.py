"""Pages from templates. Everything in them is escaped; what a page is given is named in one place."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.money import format_amount
from services.console.identifiers import form_token
from services.console.model import Member
from services.console.overview import format_each
from services.console.web.context import FORM_COOKIE, console_of, form_cookie, new_form_cookie, set_cookie

STATIC = Path(str(files("services.console") / "static"))


def render(
    request: Request,
    template: str,
    *,
    member: Member | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> HTMLResponse:
    """A page. Its forms carry the token of this browser, which is given a cookie for it where it has none."""
    console = console_of(request)
    cookie = form_cookie(request, console)
    bound_to = cookie or new_form_cookie()
    html = _environment.get_template(template).render(
        member=member,
        form_token=form_token(bound_to),
        path=request.url.path,
        now=console.clock.now(),
        **values,
    )
    response = HTMLResponse(html, status)
    if cookie is None:
        set_cookie(response, console, FORM_COOKIE, bound_to, lasts=None)
    return response


def count(number: int | None) -> str:
    """`12,345`; a dash where it is not known."""
    return "–" if number is None else f"{number:,}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, or in how long, in the largest unit that says it: `3 days ago`, `in 2 hours`."""
    seconds = (now - then).total_seconds()
    size = abs(seconds)
    for unit, length, least in _UNITS:
        if size >= least:
            number = int(size // length)
            span = f"{number} {unit}{'s' if number != 1 else ''}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now" if seconds >= 0 else "in a moment"


_UNITS = (
    ("year", 31_557_600, 31_557_600),
    ("month", 2_629_800, 2 * 2_629_800),
    ("day", 86_400, 86_400),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
)
"""(unit, its seconds, from how many seconds on it is used)."""


def day(then: datetime | date) -> str:
    """`24 Nov 2026`."""
    return f"{then.astimezone(UTC) if isinstance(then, datetime) else then:%-d %b %Y}"


def instant(then: datetime) -> str:
    """`24 Nov 2026, 09:30 UTC`."""
    return f"{then.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def moment(text: str) -> datetime:
    """A time as JSON has it."""
    return datetime.fromisoformat(text)


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 customer`, `12,345 customers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _versions() -> Mapping[str, str]:
    """Files by the address that changes with their content, so that a browser may keep them for ever."""
    return {
        path.name: f"/static/{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in STATIC.iterdir()
        if path.is_file()
    }


_environment = Environment(
    loader=PackageLoader("services.console", "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    count=count,
    ago=ago,
    day=day,
    instant=instant,
    money=format_amount,
    amounts=format_each,
    plural=plural,
    moment=moment,
)
_environment.globals["static"] = _versions()
