"""Answers that are not what Stripe meant to send."""

from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from simulator.api.faults import Fault

HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
GARBAGE = b'{"object": "list", "data": [{"id": "cus_'


def spoilt(fault: Fault) -> Response | None:
    """The whole answer that a fault is, if it is one."""
    match fault.kind:
        case "html":
            return Response(HTML, 200, media_type="text/html; charset=utf-8")
        case "empty":
            return Response(b"", 200, media_type="application/json")
        case "garbage":
            return Response(GARBAGE, 200, media_type="application/json")
        case "redirect":
            return RedirectResponse(fault.location, 302)
    return None


class HalfResponse(Response):
    """Promises a whole answer, sends half of it and hangs up."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
