"""The stream that tells an open page to fetch itself anew (server-sent events)."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from services.console.web.context import Console, ConsoleHere, MemberHere, session_token

router = APIRouter()
HEARTBEAT_S = 15.0
CHECK_EVERY_BEATS = 4


@router.get("/live")
async def live(request: Request, console: ConsoleHere, member: MemberHere) -> Response:
    stream = _events(console, member.workspace_id, session_token(request, console) or "")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _events(console: Console, workspace_id: str, token: str) -> AsyncIterator[bytes]:
    """`changed` whenever the workspace's figures did; ends with the session, which is looked at again now and then."""
    quiet = 0
    with console.live.page(workspace_id) as page:
        yield b"retry: 2000\n\n"
        async for changed in page.changes(every_s=HEARTBEAT_S):
            if console.live.stopped:
                return
            quiet = 0 if changed else quiet + 1
            if quiet % CHECK_EVERY_BEATS == CHECK_EVERY_BEATS - 1 and not await _still_in(console, token):
                return
            yield b"event: changed\ndata: {}\n\n" if changed else b": nothing new\n\n"


async def _still_in(console: Console, token: str) -> bool:
    return await run_in_threadpool(console.store.session, token, console.clock.machine_now()) is not None
