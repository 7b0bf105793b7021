"""The three pages of every process, on the console's own port."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from runtime.health_server import answer_to
from services.console.web.context import ConsoleHere

router = APIRouter()


@router.get("/healthz")
@router.get("/readyz")
@router.get("/metrics")
def health(request: Request, console: ConsoleHere) -> Response:
    """For whoever runs DropFix: what came through a proxy, from outside, is not answered."""
    answer = answer_to(request.url.path, console.health)
    if answer is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        raise HTTPException(404)
    status, kind, body = answer
    return Response(body, status, media_type=kind)
