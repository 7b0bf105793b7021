"""`/v1/identify`, `/v1/track` and the rest, as Segment's libraries call them."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from starlette.responses import Response

from services.console.errors import Refused
from services.console.intake import MAX_BATCH_BYTES, Accepted, Kind, decode_body, read_batch, read_single
from services.console.web.context import Console, ConsoleHere, address_of, allow
from services.console.web.failures import error_body

REFUSED = Counter("dropfix_intake_refused_total", "Requests and messages of the intake that were refused.", ["code"])
READ_BYTES = 4 * 1024 * 1024
"""Read, and thrown away above a batch's size, so that the answer reaches a sender that sends too much."""
router = APIRouter(prefix="/v1", max_body_size=READ_BYTES)
_ROUTES: Mapping[str, Kind] = {
    "identify": "identify",
    "i": "identify",
    "track": "track",
    "t": "track",
    "page": "page",
    "p": "page",
    "screen": "screen",
    "s": "screen",
    "group": "group",
    "g": "group",
    "alias": "alias",
    "a": "alias",
}
"""Kinds by the last part of the address; browsers' libraries use the first letter."""
_BATCHES = frozenset({"batch", "b", "import"})
_WORKERS = CapacityLimiter(8)
"""Threads that wait for Kafka: apart from those of the pages, so that a slow broker does not hold those up."""
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "86400",
}


@router.options("/{name}")
async def preflight(name: str) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_CORS)


@router.post("/{name}")
async def take(request: Request, console: ConsoleHere, name: str) -> Response:
    """Acknowledged only when Kafka has every message that is said to be taken."""
    if name not in _ROUTES and name not in _BATCHES:
        raise Refused("not_found", f"There is no /v1/{name[:40]}.", "", HTTPStatus.NOT_FOUND)
    try:
        raw = await _body(request)
        accepted = await run_sync(_take, console, request, name, raw, limiter=_WORKERS)
    except Refused as refusal:
        REFUSED.labels(refusal.code).inc()
        raise
    for rejected in accepted.rejected:
        REFUSED.labels(rejected.refusal.code).inc()
    return JSONResponse(_answer(accepted), headers=_CORS)


def _take(console: Console, request: Request, name: str, raw: bytes) -> Accepted:
    body = decode_body(raw)
    workspace_id = _authenticate(console, request, body)
    now = console.clock.now()
    if name in _BATCHES:
        accepted = read_batch(body, workspace_id=workspace_id, now=now, new_id=_new_id)
    else:
        accepted = read_single(_ROUTES[name], body, size=len(raw), workspace_id=workspace_id, now=now, new_id=_new_id)
    _allow_messages(console, workspace_id, len(accepted.records))
    console.publisher.publish(accepted.records)
    return accepted


def _authenticate(console: Console, request: Request, body: Mapping[str, Any]) -> str:
    """The workspace of the write key: the user of Basic authentication, else `writeKey` of the body."""
    key = _basic_user(request.headers.get("authorization", "")) or body.get("writeKey")
    found = console.write_keys.workspace_of(key, console.clock.machine_now()) if isinstance(key, str) and key else None
    if found is None:
        allow(console.limits.unknown_write_keys, address_of(request))
        raise Refused(
            "wrong_write_key",
            "The write key is missing, unknown or revoked.",
            "Send it as the user of Basic authentication, or as writeKey. Settings → Tracking makes new ones.",
            HTTPStatus.UNAUTHORIZED,
        )
    return found


def _basic_user(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


async def _body(request: Request) -> bytes:
    """The body, unpacked where it is gzip; raises Refused where it is larger than a batch may be."""
    raw, received = bytearray(), 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= MAX_BATCH_BYTES:
            raw += chunk
    if received > MAX_BATCH_BYTES:
        raise _too_large()
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return bytes(raw)
    try:
        unpacker = zlib.decompressobj(wbits=31)
        plain = unpacker.decompress(bytes(raw), MAX_BATCH_BYTES + 1)
    except zlib.error:
        raise Refused("bad_gzip", "The body is said to be gzip and is not.", "Send it as it is, or as gzip.") from None
    if len(plain) > MAX_BATCH_BYTES:
        raise _too_large()
    return plain


def _allow_messages(console: Console, workspace_id: str, messages: int) -> None:
    wait = console.limits.messages.take(workspace_id, messages)
    if wait > 0:
        seconds = int(wait) + 1
        raise Refused(
            "too_many_messages",
            "This workspace sends more messages than are taken.",
            f"Send them again in {seconds} s.",
            HTTPStatus.TOO_MANY_REQUESTS,
            retry_after_s=seconds,
        )


def _answer(accepted: Accepted) -> dict[str, Any]:
    if not accepted.rejected:
        return {"success": True}
    return {
        "success": True,
        "accepted": len(accepted.records),
        "rejected": [{"index": each.index, **error_body(each.refusal)} for each in accepted.rejected],
    }


def _new_id() -> str:
    return str(uuid4())


def _too_large() -> Refused:
    return Refused(
        "too_large",
        f"The request is larger than {MAX_BATCH_BYTES // 1024} KB.",
        "Send smaller batches.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
