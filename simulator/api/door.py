"""The way a request takes: faults, method, key, limits, permission, then the answer."""

import asyncio
import base64
import binascii
import itertools
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.api.acts import Acts
from simulator.api.answers import Answers, Asked, unknown_address
from simulator.api.faults import HANG_SECONDS, Fault, Faults, error_of
from simulator.api.keys import Key, KeyRing, forbidden
from simulator.api.limits import Limits
from simulator.api.routes import Route, route
from simulator.api.spoilt import HalfResponse, spoilt
from simulator.api.stats import Stats
from simulator.api.versions import shape_of
from simulator.clock import Clock
from simulator.company.chance import Chance
from simulator.errors import ApiError
from simulator.founding import Company
from simulator.render.all import RENDERERS
from simulator.render.view import Json, View

logger = logging.getLogger(__name__)


class Door:
    """An ASGI application that is `/v1`."""

    def __init__(
        self,
        company: Company,
        *,
        clock: Clock,
        keys: KeyRing,
        limits: Limits,
        faults: Faults,
        stats: Stats,
        search_lag: int,
        version: str,
        business: str,
        pretty: bool,
        prepared: bool = False,
    ) -> None:
        self._company = company
        self._clock = clock
        self._keys = keys
        self._limits = limits
        self._faults = faults
        self._stats = stats
        self._version = version
        self._business = business
        self._pretty = pretty
        self._acts = Acts(company)
        self._answers = Answers(company, faults, search_lag=search_lag, prepared=prepared)
        self._tokens = Chance(clock.now(), 0x70CE)
        self._requests = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request, "/v1/" + scope["path_params"]["path"])
        await response(scope, receive, send)

    async def _respond(self, request: Request, path: str) -> Response:
        request_id = f"req_{Chance(next(self._requests), 1).bits():014x}"[:18]
        version = request.headers.get("stripe-version", self._version)
        headers = {"Request-Id": request_id, "Stripe-Version": version}
        await self._faults.delay()
        fault: Fault | None = None
        try:
            if request.method not in {"GET", "HEAD"}:
                raise self._refused(request.method, path)
            found = route(path.removeprefix("/v1/").strip("/"))
            self._stats.read("unknown" if found is None else found.operation)
            key = self._keys.authenticate(_secret(request.headers))
            fault = self._faults.next(path, "" if found is None else found.operation)
            if fault is not None:
                spoilt = await self._befall(fault, found, request, key)
                if spoilt is not None:
                    spoilt.headers.update(headers)
                    return spoilt
            body = self._answer(found, path, request, key, version)
        except ApiError as error:
            self._stats.answered(error.status)
            return self._response(error.body(request_id), error.status, {**headers, **error.headers})
        self._stats.answered(200)
        answer = self._response(body, 200, headers)
        return HalfResponse(answer) if fault is not None and fault.kind == "half" else answer

    async def _befall(self, fault: Fault, found: Route | None, request: Request, key: Key) -> Response | None:
        """What a fault does before the answer, or the answer that it is; raises the error that it is."""
        permission = "" if found is None else found.permission
        error = error_of(fault, key, permission=permission, account=self._company.ids.account)
        if error is not None:
            raise error
        if fault.kind in {"hang", "slow"}:
            await asyncio.sleep(HANG_SECONDS if fault.seconds is None else fault.seconds)
        cursor = request.query_params.get("starting_after", "")
        if fault.kind == "act":
            self._act(fault.act)
        elif fault.kind == "delete_cursor" and cursor.startswith("cus_"):
            self._act({"do": "delete_customer", "customer": cursor})
        return spoilt(fault)

    def _act(self, wanted: Mapping[str, Any]) -> None:
        self._company.world.advance(self._clock.now())
        self._acts.perform(wanted)

    def _refused(self, method: str, path: str) -> ApiError:
        """This server only reads; who tries to write has a bug worth counting."""
        self._stats.refused(method)
        return ApiError(405, f"Unsupported request method ({method}: {path}). This account can only be read.")

    def _answer(self, found: Route | None, path: str, request: Request, key: Key, version: str) -> Json:
        if found is None:
            raise unknown_address("GET", path)
        self._limits.admit(found.operation, live=key.live, search=found.action == "search")
        if not key.may(found.permission):
            raise forbidden(key, found.permission, self._company.ids.account)
        self._company.world.advance(self._clock.now())
        answer, objects = self._answers.answer(
            Asked(found, request.url.query, key, self._view(key, version)),
        )
        self._stats.objects += objects
        return answer

    def _view(self, key: Key, version: str) -> View:
        token = f"{self._tokens.bits():016x}"
        return View(self._company.ids, shape_of(version), key.live, token, self._business, RENDERERS)

    def _response(self, body: Json, status: int, headers: Mapping[str, str]) -> Response:
        content = msgspec.json.encode(body)
        if self._pretty:
            content = msgspec.json.format(content, indent=2)
        return Response(content, status, dict(headers), "application/json")


def _secret(headers: Mapping[str, str]) -> str:
    """The API key of a request, as bearer or as the user of basic authentication."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
