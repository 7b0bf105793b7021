"""Users of the product: who they are, whose customer each is, and saying so by hand."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.console.errors import Refused
from services.console.figures import Place
from services.console.model import Customer, Member
from services.console.overview import overview_of
from services.console.people import User
from services.console.web.context import Console, ConsoleHere, FormHere, MemberHere, allow, text_of
from services.console.web.render import render

router = APIRouter()
_Text = Annotated[str, Query(max_length=200)]
_Id = Annotated[str, Query(max_length=320)]


@router.get("/users")
def users_page(
    request: Request,
    console: ConsoleHere,
    member: MemberHere,
    *,
    q: _Text = "",
    show: Annotated[str, Query(pattern="^(alone|all|customers)$")] = "alone",
    after: _Text = "",
    id: _Text = "",
) -> Response:
    """Users without a customer, all users, or customers of whom no user is known."""
    scope, q = console.scope_for(member), q.strip()
    place = Place(after, id) if after and id else None
    users = customers = None
    if show == "customers":
        customers = console.people.customers_alone(member.workspace_id, scope, search=q, after=place)
    else:
        users = console.people.users(member.workspace_id, scope, alone=show == "alone", search=q, after=place)
    return render(
        request,
        "users.html",
        member=member,
        overview=overview_of(scope, console.figures.figures(member.workspace_id, scope, console.clock.now())),
        page=users or customers,
        count_of_users=console.people.count(member.workspace_id),
        q=q,
        show=show,
        first=not after,
    )


@router.get("/match")
def match_page(
    request: Request, console: ConsoleHere, member: MemberHere, *, user: _Id = "", customer: _Id = "", q: _Text = ""
) -> Response:
    """Of a user, the customers that it may be; of a customer, the users. Without a search, those with its address."""
    scope, q = console.scope_for(member), q.strip()
    known_user = _user(console, member, user) if user else None
    known_customer = _customer(console, member, customer) if customer and not user else None
    one = known_user or known_customer
    if one is None:
        raise _nobody()
    search = q or one.email or one.name or ""
    if known_user is not None:
        found = console.figures.customers(member.workspace_id, scope, search=search, currency=None).rows
        candidates = [(each.customer_id, each.called, each.email, known_user.user_id) for each in found or ()]
    else:
        users = console.people.users(member.workspace_id, scope, alone=False, search=search).rows
        candidates = [(customer, each.called, each.email, each.user_id) for each in users or ()]
    return render(
        request,
        "match.html",
        member=member,
        user=known_user,
        customer=known_customer,
        called=one.called,
        candidates=candidates,
        q=q,
        search=search,
    )


@router.post("/match")
def match(console: ConsoleHere, member: MemberHere, form: FormHere) -> Response:
    """Decide that a customer and a user are one person, or that they are not."""
    allow(console.limits.connect, member.workspace_id)
    customer = _customer(console, member, text_of(form, "customer"))
    user = _user(console, member, text_of(form, "user"))
    detail = {"customer_id": customer.customer_id, "user_id": user.user_id, "matched": text_of(form, "is") != "no"}
    console.decisions.decide(
        member.workspace_id,
        "identity.match",
        detail,
        decided_by=member.member_id,
        connection_id=customer.connection_id,
    )
    return RedirectResponse(f"/customers/{quote(customer.customer_id, safe='')}", HTTPStatus.SEE_OTHER)


def _customer(console: Console, member: Member, customer_id: str) -> Customer:
    found = console.figures.customer(member.workspace_id, console.scope_for(member), customer_id)
    if found is None:
        raise _nobody()
    return found


def _user(console: Console, member: Member, user_id: str) -> User:
    found = console.people.user(member.workspace_id, user_id)
    if found is None:
        raise _nobody()
    return found


def _nobody() -> Refused:
    return Refused("nobody", "There is no such customer or user here.", "", HTTPStatus.NOT_FOUND)
