"""What the local command line asks for, with the operator's token."""

import os
import secrets
from dataclasses import asdict
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from services.console.card import card_of
from services.console.errors import Refused
from services.console.identifiers import mint_token, same
from services.console.model import Watched
from services.console.overview import overview_of, scope_of
from services.console.store import NewMember
from services.console.web.context import Console, ConsoleHere, address_of, allow

OPERATOR = "operator"


def operator(request: Request, console: ConsoleHere) -> str:
    """Who decides where no member does; raises Refused without the token."""
    path = console.settings.operator_token_file
    if path is None:
        raise Refused(
            "no_operator",
            "This console has no operator’s token.",
            "Start it with DROPFIX_OPERATOR_TOKEN_FILE.",
            HTTPStatus.FORBIDDEN,
        )
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not same(given.strip(), path.read_text().strip()):
        allow(console.limits.operator, address_of(request))
        raise Refused(
            "wrong_token",
            "The operator’s token is missing or wrong.",
            f"Send the content of {path.name} as “Authorization: Bearer …”.",
            HTTPStatus.UNAUTHORIZED,
        )
    return OPERATOR


def prepare_token(path: Path) -> None:
    """Make the file, readable by its owner alone, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(mint_token("op_"))


router = APIRouter(prefix="/api", dependencies=[Depends(operator)])
Operator = Annotated[str, Depends(operator)]


class ConnectRequest(BaseModel):
    key: SecretStr
    workspace: str | None = None


class DisconnectRequest(BaseModel):
    connection_id: str
    workspace: str | None = None


class DecisionRequest(BaseModel):
    kind: str
    detail: dict[str, Any] = {}
    connection_id: str | None = None
    workspace: str | None = None
    why: str | None = None


class SetupRequest(BaseModel):
    workspace: str
    email: str
    password: SecretStr | None = None


class SignInLinkRequest(BaseModel):
    email: str


@router.post("/setup")
def set_up(console: ConsoleHere, wanted: SetupRequest) -> Response:
    """A workspace with its first member and a write key; the password is in the answer only if it was made here."""
    made = None if wanted.password else secrets.token_urlsafe(12)
    password = wanted.password.get_secret_value() if wanted.password else made or ""
    at = console.clock.machine_now()
    _, workspace_id = console.store.set_up(NewMember(wanted.workspace, wanted.email, password), at)
    if console.settings.first_run_link_file is not None:
        console.settings.first_run_link_file.unlink(missing_ok=True)
    answer = {
        "workspace_id": workspace_id,
        "email": wanted.email.strip().lower(),
        "password": made,
        "write_key": console.store.add_write_key(workspace_id, at),
    }
    return JSONResponse(answer, HTTPStatus.CREATED)


@router.post("/sign_in_link")
def sign_in_link(console: ConsoleHere, wanted: SignInLinkRequest) -> dict[str, str]:
    """An address that signs the member in once, within a quarter of an hour."""
    token = console.store.offer_sign_in(wanted.email, console.clock.machine_now())
    if token is None:
        raise Refused("no_member", "There is no member with this e-mail address.", "", HTTPStatus.NOT_FOUND)
    return {"url": f"{console.address}/sign-in/link?token={token}"}


@router.get("/workspaces")
def workspaces(console: ConsoleHere) -> dict[str, list[dict[str, str]]]:
    """Ids and names of all workspaces."""
    return {"workspaces": [{"workspace_id": key, "name": name} for key, name in console.store.workspaces()]}


@router.post("/stripe/connect")
def connect(console: ConsoleHere, decided_by: Operator, wanted: ConnectRequest) -> Response:
    """202 with the connection; whether Stripe takes the key is the poller’s to say: see its status."""
    workspace_id = workspace_of(console, wanted.workspace)
    submitted = console.connections.submit(workspace_id, wanted.key.get_secret_value(), decided_by=decided_by)
    answer = {
        "connection_id": submitted.connection_id,
        "workspace_id": workspace_id,
        "key_hint": submitted.key.hint,
        "key_kind": submitted.key.kind,
        "livemode": submitted.key.livemode,
        "warning": submitted.key.warning,
    }
    return JSONResponse(answer, HTTPStatus.ACCEPTED)


@router.get("/stripe/status")
def stripe_status(console: ConsoleHere, workspace: str | None = None, connection_id: str | None = None) -> Any:
    """Every connection of the workspace; or one, followed to the connection that its key was handed to."""
    workspace_id = workspace_of(console, workspace)
    if connection_id is None:
        found = console.connections.watched(workspace_id)
    else:
        found = [_followed(console, workspace_id, connection_id)]
    return {"workspace_id": workspace_id, "connections": [_described(console, each) for each in found]}


@router.post("/stripe/disconnect")
def disconnect(console: ConsoleHere, decided_by: Operator, wanted: DisconnectRequest) -> dict[str, str]:
    """Delete the key; 404 where there is no such connection."""
    workspace_id = workspace_of(console, wanted.workspace)
    if not console.connections.end(workspace_id, wanted.connection_id, decided_by=decided_by):
        raise _no_connection()
    return {"connection_id": wanted.connection_id, "state": "ended"}


@router.post("/decisions")
def decide(console: ConsoleHere, decided_by: Operator, wanted: DecisionRequest) -> Response:
    """201 with the decision and when it counts from; 422 with what is wrong with it."""
    decision = console.decisions.decide(
        workspace_of(console, wanted.workspace),
        wanted.kind,
        wanted.detail,
        decided_by=decided_by,
        connection_id=wanted.connection_id,
        why=wanted.why,
    )
    return JSONResponse(decision.model_dump(mode="json"), HTTPStatus.CREATED)


@router.get("/decisions")
def decisions(console: ConsoleHere, workspace: str | None = None) -> Any:
    """What the workspace has set, and its latest decisions, the last first."""
    workspace_id = workspace_of(console, workspace)
    decided = console.decisions.decided(workspace_id)
    return {
        "workspace_id": workspace_id,
        "settings": decided.settings.model_dump(),
        "history_days": decided.history_days,
        "sender": decided.sender.model_dump() if decided.sender else None,
        "sender_tests": [asdict(test) for test in console.episodes.sender_tests(workspace_id)],
        "sending": decided.mode,
        "policy": decided.policy.model_dump(mode="json"),
        "allowed": decided.allowed,
        "history": [
            {**entry.decision.model_dump(mode="json"), "by": entry.by}
            for entry in console.decisions.history(workspace_id)
        ],
    }


@router.get("/overview")
def overview(console: ConsoleHere, workspace: str | None = None) -> Any:
    """The dashboard's numbers. MRR in minor units a month by currency; null where a view is not there yet."""
    workspace_id = workspace_of(console, workspace)
    watched = console.connections.watched(workspace_id)
    scope = scope_of(watched)
    found = overview_of(scope, console.figures.figures(workspace_id, scope, console.clock.now()))
    signals = None if found.signals is None else {code: asdict(count) for code, _, count in found.signal_rows}
    return {
        "workspace_id": workspace_id,
        "mode": found.mode,
        "catching_up": found.catching_up,
        "tracked_users": found.tracked_users,
        "customers_read": found.customers_read,
        "users_alone": found.users_alone,
        "mrr": found.mrr,
        "signals": signals,
        "connections": [_described(console, each) for each in watched],
    }


@router.get("/mrr/explain")
def explain_mrr(console: ConsoleHere, customer: str, at: date | None = None, workspace: str | None = None) -> Any:
    """Why a customer's (or a user's) MRR is what it is: items with their steps, movements, and the record behind each.

    `at` is a day of the workspace's zone: as of its end. Items are those of the last movement (`items_as_of`);
    `pays_for` is what is paid for now, which a swap of plans at one price may have changed since.
    """
    workspace_id = workspace_of(console, workspace)
    found = console.figures.explanation(workspace_id, customer, at)
    if not found:
        raise Refused(
            "no_mrr",
            f"No MRR of {customer} was ever counted here{'' if at is None else f' until {at}'}.",
            "See the status for how far the account has been read.",
            HTTPStatus.NOT_FOUND,
        )
    return {"workspace_id": workspace_id, "customer_id": customer, "at": at, "mrr": found}


def workspace_of(console: Console, named: str | None) -> str:
    """The id of the workspace that is named by its id or name; without a name the only one there is."""
    known = console.store.workspaces()
    if not known:
        raise Refused("not_set_up", "There is no workspace yet.", "Open the first-run link first.", HTTPStatus.CONFLICT)
    if named is None and len(known) == 1:
        return known[0][0]
    matches = [key for key, name in known if named in {key, name}]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(f"{name} ({key})" for key, name in known)
    raise Refused("which_workspace", "It is not clear which workspace is meant.", f"Name one of: {listed}.")


def _followed(console: Console, workspace_id: str, connection_id: str) -> Watched:
    found = console.connections.watched_one(workspace_id, connection_id)
    if found is not None and found.connection.adopted_by is not None:
        found = console.connections.watched_one(workspace_id, found.connection.adopted_by)
    if found is None:
        raise _no_connection()
    return found


def _described(console: Console, watched: Watched) -> dict[str, Any]:
    card = card_of(watched, machine_now=console.clock.machine_now(), now=console.clock.now())
    said: dict[str, Any] = jsonable_encoder(card.status) if card.status else {}
    return {
        **said,
        "connection_id": card.connection_id,
        "state": watched.connection.state if watched.connection.state != "submitted" else card.phase,
        "headline": card.headline,
        "reason": card.note,
        "remedy": card.remedy,
        "warnings": list(card.warnings),
        "safer_key_url": card.safer_key_url,
        "missing": [{"resource": each.resource, "without": each.without} for each in card.missing],
        "key_hint": card.key_hint,
        "livemode": card.livemode,
        "steps": [{**asdict(step), "complete": step.complete} for step in card.steps],
        "percent": card.percent,
    }


def _no_connection() -> Refused:
    return Refused("no_connection", "There is no such connection here.", "See the status.", HTTPStatus.NOT_FOUND)
