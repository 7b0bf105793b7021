"""Dunning: what is being won back, every episode with its emails, and the link that ends emails to a customer."""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from runtime.signed import UNSUBSCRIBE, TokenError, read_signed
from schemas.subjects import split_subject
from services.console.errors import Refused
from services.console.figures import Place
from services.console.model import Member
from services.console.recovery import GROUPS, Episode
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, address_of, allow, text_of
from services.console.web.render import render

router = APIRouter()
CUSTOMER = "customer"
_Text = Annotated[str, Query(max_length=200)]
_NO_LINK = Refused(
    "no_link",
    "This link is not valid, or not complete.",
    "Open the whole link from the email, or reply to it instead.",
    HTTPStatus.NOT_FOUND,
)


@router.get("/dunning")
def dunning_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    *,
    show: Annotated[str, Query(pattern=f"^({'|'.join(GROUPS)})$")] = "open",
    after: _Text = "",
    id: _Text = "",
) -> Response:
    """What was recovered and is at stake, and the episodes of one group."""
    scope = console.scope_for(member)
    place = Place(after, id) if after and id else None
    return render(
        request,
        "dunning.html",
        member=member,
        mode=scope.mode,
        both=scope.both,
        catching_up=scope.catching_up,
        recovery=console.episodes.recovery(member.workspace_id, scope, console.clock.now()),
        after_steps=console.episodes.after_steps(member.workspace_id, scope),
        page=console.episodes.episodes(member.workspace_id, scope, GROUPS[show][1], place),
        decided=console.decisions.decided(member.workspace_id),
        groups=GROUPS,
        show=show,
        first=not after,
    )


@router.get("/dunning/{episode_id}")
def episode_page(request: Request, console: ConsoleHere, member: MemberHere, episode_id: str) -> Response:
    """One episode with its invoices and emails; 404 where the workspace has no such episode."""
    scope = console.scope_for(member)
    return render(
        request,
        "episode.html",
        member=member,
        episode=_episode(console, member, episode_id),
        emails=console.episodes.emails(member.workspace_id, scope, episode_id),
    )


@router.post("/dunning/{episode_id}")
def decide(console: ConsoleHere, member: MemberHere, form: FormHere, episode_id: str) -> Response:
    """Start, skip, hold, release or stop an episode; resend an email of unknown fate, or leave it."""
    episode, act, step = _episode(console, member, episode_id), text_of(form, "act"), text_of(form, "step")
    detail: dict[str, Any] = (
        {"customer_id": episode.customer_id} if episode.customer_id else {"user_id": episode.user_id}
    )
    emails = console.episodes.emails(member.workspace_id, console.scope_for(member), episode_id)
    if step and any(str(email.step) == step and act in email.acts for email in emails):
        detail |= {"episode_id": episode_id, "step": int(step)}
    elif step or act not in episode.acts:
        raise Refused(
            "no_such_act",
            "That cannot be done with this episode any more.",
            "Reload its page to see where it stands.",
            HTTPStatus.CONFLICT,
        )
    console.decisions.decide(
        member.workspace_id,
        f"dunning.{act}",
        detail,
        decided_by=member.member_id,
        connection_id=episode.connection_id if episode.customer_id else None,
    )
    return RedirectResponse(f"/dunning/{quote(episode_id, safe='')}", HTTPStatus.SEE_OTHER)


@router.get("/unsubscribe/{token}")
def unsubscribe_page(request: Request, console: ConsoleHere, token: str) -> Response:
    """Asks, and changes nothing: programs that check links open them too."""
    workspace_id, _ = _whom(request, console, token)
    return render(request, "unsubscribe.html", company=_company(console, workspace_id), done=False)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, console: ConsoleHere, token: str) -> Response:
    """No more dunning emails to whom the link is for (RFC 8058: no cookie, no redirect, any number of times)."""
    workspace_id, subject = _whom(request, console, token)
    scope, owner = split_subject(subject)
    by_hand = scope == workspace_id
    whom, connection_id = {"user_id" if by_hand else "customer_id": owner}, None if by_hand else scope
    if not console.decisions.is_suppressed(workspace_id, whom, connection_id=connection_id):
        console.decisions.decide(
            workspace_id,
            "dunning.suppress",
            {**whom, "reason": "unsubscribed"},
            decided_by=CUSTOMER,
            connection_id=connection_id,
            why="the link in an email",
        )
    return render(request, "unsubscribe.html", company=_company(console, workspace_id), done=True)


def _episode(console: Console, member: Member, episode_id: str) -> Episode:
    found = console.episodes.episode(member.workspace_id, console.scope_for(member), episode_id)
    if found is None:
        raise Refused("no_episode", "There is no such episode here.", "See the list.", HTTPStatus.NOT_FOUND)
    return found


def _whom(request: Request, console: Console, token: str) -> tuple[str, str]:
    """(workspace, subject) that a link was made for; raises Refused."""
    allow(console.limits.links, address_of(request))
    key = console.settings.unsubscribe_key
    if key is None:
        raise _NO_LINK
    try:
        workspace_id, subject = read_signed(key, UNSUBSCRIBE, token)
    except TokenError:
        raise _NO_LINK from None
    return workspace_id, subject


def _company(console: Console, workspace_id: str) -> str:
    names = dict(console.store.workspaces())
    return console.decisions.decided(workspace_id).settings.name or names.get(workspace_id, "this company")
