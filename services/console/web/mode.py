"""Which figures a browser is shown where there are both: those of live mode, or apart from them those of test mode."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.console.web.context import MODE_COOKIE, ConsoleHere, FormHere, MemberHere, set_cookie, text_of

router = APIRouter()


@router.post("/mode")
def show_mode(console: ConsoleHere, _: MemberHere, form: FormHere) -> Response:
    """Show the figures of test mode until the browser is closed, or again those of live mode."""
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    set_cookie(response, console, MODE_COOKIE, "test" if text_of(form, "mode") == "test" else "live", lasts=None)
    return response
