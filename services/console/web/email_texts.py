"""Settings → Recovery → Emails: the words of each, a preview, and a test of it. Every change is a decision."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from schemas.events.dunning_texts import PLACEHOLDERS, USUAL_TEXTS, EmailText, Tone, Variant
from services.console.decisions import Decided
from services.console.email_texts import EmailWords, preview_of, read_text, words_of
from services.console.errors import Refused
from services.console.model import Member
from services.console.web.context import ConsoleHere, FormHere, MemberHere, text_of
from services.console.web.render import render
from services.console.web.settings_form import decide, texts

router = APIRouter(prefix="/settings/recovery/emails")
_PAGE = "/settings/recovery/emails"
_RECOVERY = "/settings/recovery"


@router.get("")
def email_texts_page(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    """Every email there is, with its subject."""
    own = console.decisions.decided(member.workspace_id).texts
    emails = [words_of(own, variant, tone) for variant, tone in USUAL_TEXTS]
    return render(request, "email_texts.html", member=member, emails=emails)


@router.get("/{variant}/{tone}")
def email_text_page(
    request: Request, console: ConsoleHere, member: MemberHere, variant: Variant, tone: Tone
) -> Response:
    """The words of one email, and how they read."""
    decided = console.decisions.decided(member.workspace_id)
    return _page(request, member, decided, words_of(decided.texts, variant, tone))


@router.post("/{variant}/{tone}")
def change(
    request: Request, console: ConsoleHere, member: MemberHere, form: FormHere, *, variant: Variant, tone: Tone
) -> Response:
    """Show what was typed, keep it, go back to the usual words, or have the email sent to who asks."""
    act = text_of(form, "act")
    decided = console.decisions.decided(member.workspace_id)
    email = words_of(decided.texts, variant, tone)
    if act == "preview":
        return _preview(request, member, decided, email, texts(form))
    refusal = decide(console, member, form, act, lambda *asked: _asked(*asked, email=email, to=member.email))
    if refusal is not None:
        return _page(request, member, decided, email, refusal=refusal, given=texts(form))
    page = f"{_RECOVERY}#test" if act == "test" else f"{_PAGE}/{variant}/{tone}"
    return RedirectResponse(page, HTTPStatus.SEE_OTHER)


def _asked(act: str, form: FormData, _: Decided, *, email: EmailWords, to: str) -> tuple[str, dict[str, Any]]:
    """The decision of a button; nothing where the words stay as they are."""
    which = {"variant": email.variant, "tone": email.tone}
    match act:
        case "test":
            return "dunning.test_send", {"to": to, **which}
        case "usual":
            return "dunning.text", which if email.own else {}
        case "save":
            text = read_text(texts(form))
            if text == email.text:
                return "dunning.text", {}
            usual = text == USUAL_TEXTS[email.variant, email.tone]
            return "dunning.text", which if usual else {**which, "text": text.model_dump()}
    raise Refused("not_found", "There is no such button.", "", HTTPStatus.NOT_FOUND)


def _preview(
    request: Request, member: Member, decided: Decided, email: EmailWords, given: Mapping[str, str]
) -> Response:
    try:
        text = read_text(given)
    except Refused as refusal:
        return _page(request, member, decided, email, refusal=refusal, given=given)
    return _page(request, member, decided, email, given=given, shown=text)


def _page(
    request: Request,
    member: Member,
    decided: Decided,
    email: EmailWords,
    *,
    refusal: Refused | None = None,
    given: Mapping[str, str] | None = None,
    shown: EmailText | None = None,
) -> Response:
    company = decided.settings.name or member.workspace_name
    return render(
        request,
        "email_text.html",
        member=member,
        status=refusal.status if refusal else HTTPStatus.OK,
        email=email,
        fields={**email.text.model_dump(), **(given or {})},
        preview=preview_of(shown or email.text, email.variant, company=company),
        unsaved=shown is not None and shown != email.text,
        placeholders=PLACEHOLDERS,
        sender=decided.sender,
        company=company,
        color=decided.settings.color,
        refusal=refusal,
    )
