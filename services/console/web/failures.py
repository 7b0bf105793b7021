"""What is answered when something goes wrong: a page to people, JSON to programs, never a stack trace or a secret."""

from collections.abc import Awaitable, Callable
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

Handler = Callable[[Request, Exception], Awaitable[Response]]
PROGRAMS = ("/api/", "/v1/", "/hooks/", "/live")

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
    for kind, handler in _HANDLERS:
        app.add_exception_handler(kind, handler)


async def _refused(request: Request, error: Exception) -> Response:
    return answer(request, error if isinstance(error, Refused) else _INTERNAL)


async def _not_signed_in(request: Request, _: Exception) -> Response:
    if request.url.path.startswith(PROGRAMS):
        return answer(request, _NO_SESSION)
    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)


async def _malformed(request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    names = ", ".join(sorted({str(fault["loc"][-1]) for fault in faults if "[" not in str(fault["loc"][-1])}))
    return answer(
        request, Refused("malformed", f"The request is malformed: {names}.", "", HTTPStatus.UNPROCESSABLE_ENTITY)
    )


async def _by_status(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else _INTERNAL.status
    if status is HTTPStatus.NOT_FOUND:
        return answer(request, _NOTHING_HERE)
    return answer(request, Refused(status.name.lower(), f"{status.phrase}.", "", status))


async def _impossible_value(request: Request, error: Exception) -> Response:
    log.warning("a request held what no column can hold", path=request.url.path, reason=type(error).__name__)
    return answer(request, _NOTHING_HERE)


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("a request met no database", path=request.url.path, reason=type(error).__name__)
    return answer(request, Unavailable("The database does not answer."))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("a request failed", path=request.url.path, exc_info=error)
    return answer(request, _INTERNAL)


_NO_SESSION = Refused("not_signed_in", "There is no session.", "Sign in.", HTTPStatus.UNAUTHORIZED)
_NOTHING_HERE = Refused("not_found", "There is nothing at this address.", "", HTTPStatus.NOT_FOUND)
_INTERNAL = Refused(
    "internal",
    "Something went wrong on our side.",
    "It has been written to the log. Try again, and tell whoever runs DropFix if it stays.",
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
_HANDLERS: tuple[tuple[type[Exception], Handler], ...] = (
    (Refused, _refused),
    (NotSignedIn, _not_signed_in),
    (RequestValidationError, _malformed),
    (HTTPException, _by_status),
    (psycopg.DataError, _impossible_value),
    (psycopg.OperationalError, _database_away),
    (PoolTimeout, _database_away),
    (Exception, _unexpected),
)
