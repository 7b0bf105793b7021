"""What is answered when something goes wrong: a page to people, JSON to programs, never a stack trace or a secret."""

from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from runtime.logs import get_logger
from services.console.errors import NotSignedIn, Refused, Unavailable
from services.console.web.render import render

PROGRAMS = ("/api/", "/v1/", "/live")

log = get_logger(__name__)


def error_body(refusal: Refused) -> dict[str, dict[str, str]]:
    """The JSON of an error."""
    return {"error": {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}}


def answer(request: Request, refusal: Refused) -> Response:
    """The refusal for whoever asked."""
    if request.url.path.startswith(PROGRAMS):
        response: Response = JSONResponse(error_body(refusal), refusal.status)
    else:
        response = render(request, "error.html", status=refusal.status, refusal=refusal)
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    if request.url.path.startswith("/v1/"):
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def add_failures(app: FastAPI) -> None:
    """Register how each kind of failure is answered."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return answer(request, error)

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, _: NotSignedIn) -> Response:
        if request.url.path.startswith(PROGRAMS):
            return answer(
                request, Refused("not_signed_in", "There is no session.", "Sign in.", HTTPStatus.UNAUTHORIZED)
            )
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        names = sorted({str(fault["loc"][-1]) for fault in error.errors()})
        message = f"The request is malformed: {', '.join(names)}."
        return answer(request, Refused("malformed", message, "", HTTPStatus.UNPROCESSABLE_ENTITY))

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        if status is HTTPStatus.NOT_FOUND:
            return answer(request, Refused("not_found", "There is nothing at this address.", "", status))
        return answer(request, Refused(status.name.lower(), f"{status.phrase}.", "", status))

    @app.exception_handler(psycopg.DataError)
    async def impossible_value(request: Request, error: psycopg.DataError) -> Response:
        log.warning("a request held what no column can hold", path=request.url.path, reason=type(error).__name__)
        return answer(request, Refused("not_found", "There is nothing at this address.", "", HTTPStatus.NOT_FOUND))

    @app.exception_handler(psycopg.OperationalError)
    @app.exception_handler(PoolTimeout)
    async def database_away(request: Request, error: Exception) -> Response:
        log.warning("a request met no database", path=request.url.path, reason=type(error).__name__)
        return answer(request, Unavailable("The database does not answer."))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("a request failed", path=request.url.path, exc_info=error)
        refusal = Refused(
            "internal",
            "Something went wrong on our side.",
            "It has been written to the log. Try again, and tell whoever runs DropFix if it stays.",
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        return answer(request, refusal)
