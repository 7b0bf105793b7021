"""Everything that the console answers, in one place."""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.console.web import (
    calls,
    dashboard,
    dunning,
    email_texts,
    health,
    intake_api,
    integrations,
    mail_hook,
    mode,
    mrr,
    operator_api,
    people,
    recovery_settings,
    sign_in,
    stream,
    tracking,
    workspace,
)
from services.console.web.failures import add_failures
from services.console.web.render import STATIC


class VersionedFiles(StaticFiles):
    """Files whose address changes with their content: a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v="):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def add_to(app: FastAPI) -> None:
    """Routes, files and failures."""
    for part in (sign_in, dashboard, people, dunning, integrations, workspace, recovery_settings, tracking, stream):
        app.include_router(part.router)
    for part in (email_texts, calls, mode, operator_api, mrr, intake_api, mail_hook, health):
        app.include_router(part.router)
    app.mount("/static", VersionedFiles(directory=STATIC), name="static")
    add_failures(app)
