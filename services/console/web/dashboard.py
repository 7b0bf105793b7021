"""The dashboard and the lists behind its numbers."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.card import card_of
from services.console.chart import chart_of
from services.console.errors import Refused
from services.console.figures import Place, SignalFilter
from services.console.model import Member, Signal
from services.console.overview import SIGNAL_NAMES, Overview, Scope, overview_of, scope_of
from services.console.web.context import Console, ConsoleHere, MemberHere
from services.console.web.render import render

router = APIRouter()
LATEST_SHOWN = 4
_Text = Annotated[str, Query(max_length=200)]


@router.get("/")
def overview_page(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    """The numbers of the shown connections, the latest signals, the days of MRR, and what is being won back."""
    watched = console.connections.watched(member.workspace_id)
    scope = scope_of(watched, shows_test=member.shows_test)
    now, machine_now = console.clock.now(), console.clock.machine_now()
    overview = overview_of(scope, console.figures.figures(member.workspace_id, scope, now))
    return render(
        request,
        "overview.html",
        member=member,
        overview=overview,
        cards=[card_of(each, machine_now=machine_now, now=now) for each in watched],
        latest=_latest(console, member, scope, overview),
        chart=chart_of(console.figures.mrr_history(member.workspace_id, scope, now), overview.paying),
        recovery=console.episodes.recovery(member.workspace_id, scope, now),
    )


def _latest(console: Console, member: Member, scope: Scope, overview: Overview) -> dict[str, list[Signal]]:
    """The latest open signals of each code that has any."""
    open_codes = [code for code, _, count in overview.signal_rows if count.open]
    pages = {code: console.figures.signals(member.workspace_id, scope, SignalFilter(code=code)) for code in open_codes}
    return {code: list(page.rows or ())[:LATEST_SHOWN] for code, page in pages.items()}


@router.get("/customers")
def customers_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    *,
    q: _Text = "",
    currency: Annotated[str | None, Query(pattern="^[a-z]{3}$")] = None,
    after: _Text = "",
    id: _Text = "",
) -> Response:
    """Customers, by search or by the currency they pay in."""
    scope = console.scope_for(member)
    figures = console.figures.figures(member.workspace_id, scope, console.clock.now())
    page = console.figures.customers(
        member.workspace_id, scope, search=q.strip(), currency=currency, after=_place(after, id)
    )
    return render(
        request,
        "customers.html",
        member=member,
        overview=overview_of(scope, figures),
        page=page,
        q=q.strip(),
        currency=currency,
        first=not after,
    )


@router.get("/customers/{customer_id}")
def customer_page(request: Request, console: ConsoleHere, member: MemberHere, customer_id: str) -> Response:
    """One customer with its subscriptions, users and signals; 404 where the workspace has no such customer."""
    scope = console.scope_for(member)
    customer = console.figures.customer(member.workspace_id, scope, customer_id)
    if customer is None:
        raise Refused(
            "no_customer",
            "There is no such customer here.",
            "It may belong to an account that is not connected.",
            HTTPStatus.NOT_FOUND,
        )
    everything = SignalFilter(customer_id=customer_id, only_open=False)
    return render(
        request,
        "customer.html",
        member=member,
        customer=customer,
        subscriptions=console.figures.subscriptions(member.workspace_id, scope, customer_id),
        users=console.people.users_of(member.workspace_id, scope, customer_id),
        page=console.figures.signals(member.workspace_id, scope, everything),
        names=SIGNAL_NAMES,
    )


@router.get("/signals")
def signals_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    *,
    code: _Text = "",
    show: Annotated[str, Query(pattern="^(open|recent)$")] = "open",
    after: _Text = "",
    id: _Text = "",
) -> Response:
    """Signals that are open, or those of the last days, of all kinds or one."""
    scope, now = console.scope_for(member), console.clock.now()
    known = code if code in SIGNAL_NAMES else None
    wanted = SignalFilter(
        code=known, only_open=show == "open", since=scope.recent_since(now) if show == "recent" else None
    )
    return render(
        request,
        "signals.html",
        member=member,
        overview=overview_of(scope, console.figures.figures(member.workspace_id, scope, now)),
        page=console.figures.signals(member.workspace_id, scope, wanted, _place(after, id)),
        code=known,
        show=show,
        names=SIGNAL_NAMES,
        first=not after,
    )


def _place(after: str, id: str) -> Place | None:
    return Place(after, id) if after and id else None
