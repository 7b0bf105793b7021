"""Settings → Recovery: the sender and its test, whether and when emails go, whom test mode may mail.

Every change is a decision. A sender counts once a test email from it went and a person said that it arrived.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from services.console import policy_form
from services.console.decisions import Decided
from services.console.errors import Refused
from services.console.model import Member
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, text_of
from services.console.web.mail_hook import hook_address
from services.console.web.render import render
from services.console.web.settings_form import decide, texts

router = APIRouter(prefix="/settings/recovery")
_PAGE = "/settings/recovery"


@router.get("")
def recovery_settings_page(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    return _page(request, console, member)


@router.post("/{section}")
def change(request: Request, console: ConsoleHere, member: MemberHere, form: FormHere, section: str) -> Response:
    """One decision, of what the form changes; nothing where it changes nothing."""
    refusal = decide(console, member, form, section, _asked)
    if refusal is not None:
        return _page(request, console, member, refusal=refusal, section=section, given=texts(form))
    return RedirectResponse(f"{_PAGE}#{section}", HTTPStatus.SEE_OTHER)


def _asked(section: str, form: FormData, decided: Decided) -> tuple[str, dict[str, Any]]:
    match section:
        case "sender":
            return "dunning.sender", _sender(form, decided)
        case "test":
            return "dunning.test_send", {"to": text_of(form, "to").strip()}
        case "passed":
            return "dunning.sender", _passed(text_of(form, "address"), decided)
        case "sending":
            mode = text_of(form, "mode")
            return "dunning.sending", {} if mode == decided.mode else {"mode": mode}
        case "policy":
            return "dunning.policy", policy_form.changes(texts(form), decided.policy)
        case "allowed":
            entries = text_of(form, "entries").replace(",", " ").split()
            return "dunning.allow_list", {} if tuple(entries) == decided.allowed else {"entries": entries}
    raise Refused("not_found", "There is no such setting.", "", HTTPStatus.NOT_FOUND)


def _sender(form: FormData, decided: Decided) -> dict[str, Any]:
    """The sender as a whole. Another address has to pass its test again; another name of the same address has not."""
    address, name = text_of(form, "address").strip(), text_of(form, "name").strip()
    known = decided.sender
    same = known is not None and known.address == address
    reply_to = text_of(form, "reply_to").strip() or None
    if known is not None and same and (known.name, known.reply_to) == (name, reply_to):
        return {}
    wanted: dict[str, Any] = {"address": address, "name": name, "passed": bool(known and same and known.passed)}
    return wanted if reply_to is None else {**wanted, "reply_to": reply_to}


def _passed(address: str, decided: Decided) -> dict[str, Any]:
    """The sender as it is set, and that its test arrived; nothing where it is another by now."""
    known = decided.sender
    if known is None or known.address != address:
        raise Refused("another_sender", "The sender was changed meanwhile.", "Test the new one.", HTTPStatus.CONFLICT)
    return {} if known.passed else {**known.model_dump(exclude_none=True), "passed": True}


def _page(
    request: Request,
    console: Console,
    member: Member,
    *,
    refusal: Refused | None = None,
    section: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    decided = console.decisions.decided(member.workspace_id)
    tests = console.episodes.sender_tests(member.workspace_id)
    return render(
        request,
        "recovery_settings.html",
        member=member,
        status=refusal.status if refusal else HTTPStatus.OK,
        decided=decided,
        policy=policy_form.shown(decided.policy),
        hook=hook_address(console, member.workspace_id),
        tests=[test for test in tests if _is_of(test.sender, decided)],
        refusal=refusal,
        section=section,
        given=given or {},
    )


def _is_of(sender: str | None, decided: Decided) -> bool:
    """Whether a test was of the sender that is set; one that was not tried yet will be."""
    return sender is None or (decided.sender is not None and decided.sender.address == sender)
