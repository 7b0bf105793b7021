"""Settings → Workspace: how the company presents itself, its zone and thresholds; every change is a decision."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from services.console.decisions import Decided
from services.console.errors import Refused
from services.console.model import Member
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, text_of
from services.console.web.render import render
from services.console.web.settings_form import changed, decide, texts

router = APIRouter(prefix="/settings/workspace")
_PAGE = "/settings/workspace"
_GENERAL = ("name", "timezone", "locale", "color", "logo_url", "address")


@router.get("")
def workspace_page(
    request: Request, console: ConsoleHere, member: MemberHere, after: str = "", id: str = ""
) -> Response:
    return _page(request, console, member, after=(after, id) if after and id else None)


@router.post("/{section}")
def change(request: Request, console: ConsoleHere, member: MemberHere, form: FormHere, section: str) -> Response:
    """One decision, of what the form changes; nothing where it changes nothing."""
    refusal = decide(console, member, form, section, _asked)
    if refusal is not None:
        return _page(request, console, member, refusal=refusal, section=section, given=texts(form))
    return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)


def _asked(section: str, form: FormData, decided: Decided) -> tuple[str, dict[str, Any]]:
    if section == "general":
        return "workspace.settings", changed(form, decided.settings.model_dump(), _GENERAL)
    if section == "signals":
        given = text_of(form, "history_days").strip()
        days = int(given) if given.isdecimal() and len(given) < 6 else given
        return "signals.thresholds", {} if days in {"", decided.history_days} else {"history_days": days}
    raise Refused("not_found", "There is no such setting.", "", HTTPStatus.NOT_FOUND)


def _page(
    request: Request,
    console: Console,
    member: Member,
    *,
    refusal: Refused | None = None,
    section: str = "",
    given: Mapping[str, str] | None = None,
    after: tuple[str, str] | None = None,
) -> Response:
    return render(
        request,
        "workspace.html",
        member=member,
        status=refusal.status if refusal else HTTPStatus.OK,
        decided=console.decisions.decided(member.workspace_id),
        history=console.decisions.history(member.workspace_id, after),
        zones=sorted(available_timezones()),
        refusal=refusal,
        section=section,
        given=given or {},
    )
