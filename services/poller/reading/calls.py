"""Requests to Stripe: paced, retried within bounds, metered and audited, whoever makes them."""

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from urllib.parse import parse_qsl

import httpx
import msgspec
import stripe

from runtime.clock import Clock
from runtime.logs import redact
from schemas.versions import pack_version
from services.poller.audit.asked import Asked
from services.poller.budget import Meter
from services.poller.errors import UnreadableAnswer
from services.poller.reading.limits import Limits, full_jitter
from services.poller.reading.network import CertificateRefused
from services.poller.reading.pages import looks_like
from services.poller.reading.transport import StripeAddress

API_VERSION = "2025-08-27.basil"
USER_AGENT = "DropFix/0.1"
ATTEMPTS = 4
LONGEST_ASKED = 30.0
"""Seconds that a request waits where an answer asks for a pause: who asks for a longer one is not asked again by it,
and the connection is left alone for so long."""
LONGEST_KEPT = 3600.0
NOT_TRUSTED = "certificate_not_trusted"
"""The code of a stripe.APIConnectionError where the certificate is why; any other has none."""
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
FORGOTTEN_HEADERS = frozenset({"user-agent", "x-stripe-client-user-agent", "x-stripe-client-telemetry"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade(Asked):
    """One request, for the audit: `stripe.api_call.v1` and the view `api_calls`."""

    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. An error's body has everything masked that looks like a key; `whole`: a body that is no error is
    JSON from its beginning to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    version: int
    closed: int
    observed_at: datetime
    whole: bool


class Versions:
    """Versions of one lease: its epoch, and a sequence drawn before each request is sent."""

    def __init__(self, epoch_ms: int) -> None:
        self._epoch_ms = epoch_ms
        self._next = 0

    def draw(self) -> int:
        drawn = self.upcoming
        self._next += 1
        return drawn

    @property
    def upcoming(self) -> int:
        """The version that would be drawn now."""
        return pack_version(epoch_ms=self._epoch_ms, sequence=self._next)


@dataclass
class Caller:
    """Sends the requests of one connection under one lease."""

    client: httpx.AsyncClient
    address: StripeAddress
    limits: Limits
    meter: Meter
    versions: Versions
    clock: Clock
    audit: Callable[[CallMade], None]
    clock_offset: timedelta = timedelta()
    """From our clock to the server's; what is observed is dated by the server's."""

    def __post_init__(self) -> None:
        self.echoed: str | None = None
        self._under_way = 0
        self._room = asyncio.Condition()

    @property
    def other_version(self) -> str | None:
        """The API version of the last answer, where it is not the one asked for."""
        return None if self.echoed == API_VERSION else self.echoed

    async def fetch(self, url: str, headers: Mapping[str, str], *, purpose: str) -> Answer:
        """The answer to a GET, whatever its status; passing faults are tried again a few times.

        Raises stripe.APIConnectionError where there is no answer, UnreadableAnswer for a redirect, Refused for what
        must not be sent.
        """
        attempt = 0
        while True:
            attempt += 1
            at_least = 0.0
            try:
                answer = await self._once(url, headers, purpose)
            except stripe.APIConnectionError:
                if attempt >= ATTEMPTS:
                    raise
            else:
                at_least = asked_to_wait(answer.headers)
                if attempt >= ATTEMPTS or not _passes(answer) or at_least > LONGEST_ASKED:
                    return answer
            await asyncio.sleep(max(at_least, full_jitter(attempt, draw=random.random)))

    async def _once(self, url: str, headers: Mapping[str, str], purpose: str) -> Answer:
        endpoint = self.address.endpoint(httpx.URL(url))
        await self._take_turn(endpoint)
        try:
            return await self._send(url, endpoint, headers, purpose)
        finally:
            async with self._room:
                self._under_way -= 1
                self._room.notify_all()

    async def _take_turn(self, endpoint: str) -> None:
        async with self._room:
            await self._room.wait_for(lambda: self._under_way < self.limits.concurrency)
            self._under_way += 1
        wait = self.limits.reserve(endpoint, monotonic()) - monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _send(self, url: str, endpoint: str, headers: Mapping[str, str], purpose: str) -> Answer:
        version, at, began = self.versions.draw(), self.clock.now(), monotonic()
        self.meter.count(purpose, at)
        status, error, request_id, body = None, None, None, b""
        objects: int | None = 0
        try:
            response = await self.client.get(url, headers=_own(headers))
            status, request_id = response.status_code, response.headers.get("request-id")
            self.echoed = response.headers.get("stripe-version", self.echoed)
            body = response.content if status < 400 else redact(response.text).encode()
            objects = _count(status, body)
            error = looks_like(body) if objects is None else _error_label(status, body)
        except httpx.HTTPError as failure:
            error = type(failure).__name__
            code = NOT_TRUSTED if isinstance(failure, CertificateRefused) else None
            raise stripe.APIConnectionError(_reason(failure), code=code, should_retry=True) from None
        finally:
            self.audit(
                CallMade(
                    version=version,
                    at=at,
                    endpoint=endpoint,
                    parameters=_parameters(url),
                    purpose=purpose,
                    status=status,
                    error=error,
                    request_id=request_id,
                    milliseconds=round((monotonic() - began) * 1000),
                    objects=objects or 0,
                    reads_used=self.meter.used,
                    reads_allowed=self.meter.allowed,
                )
            )
        if 300 <= status < 400:
            raise UnreadableAnswer(f"it redirects elsewhere (HTTP {status}), which is not followed")
        if status == 429:
            self.limits.limited(endpoint, response.headers.get("stripe-rate-limited-reason", ""), monotonic())
        closed, observed_at = self.versions.upcoming, at + self.clock_offset
        return Answer(status, body, response.headers, version, closed, observed_at, objects is not None)


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers to send: the pinned version and our own name, nothing about the machine."""
    kept = {name: value for name, value in headers.items() if name.lower() not in FORGOTTEN_HEADERS}
    return {**kept, "Stripe-Version": API_VERSION, "User-Agent": USER_AGENT}


def _passes(answer: Answer) -> bool:
    """Whether another attempt may succeed; where Stripe says so itself, that counts. A web page or half an answer in
    the place of a good one is a proxy's, or a server's that is being restarted."""
    if not answer.whole:
        return True
    said = answer.headers.get("stripe-should-retry")
    if said in {"true", "false"}:
        return said == "true" and answer.status >= 400
    return answer.status == 429 or answer.status >= 500


def asked_to_wait(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait, at most `LONGEST_KEPT`; 0 where it asks nothing that is understood.

    Stripe sends no Retry-After at present, other servers do.
    """
    text = headers.get("retry-after", "").strip()
    seconds = float(text) if SECONDS.fullmatch(text) else _seconds_until(text, headers.get("date", ""))
    return min(max(seconds, 0.0), LONGEST_KEPT)


def _seconds_until(text: str, date: str) -> float:
    """Seconds until an HTTP date by the answer's own, or by the machine's clock; 0 where it is none."""
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return (until - now).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _reason(failure: httpx.HTTPError) -> str:
    match failure:
        case CertificateRefused():
            return "its TLS certificate is not trusted, or is another's"
        case httpx.ConnectTimeout() | httpx.ConnectError():
            return "nothing answers there"
        case httpx.TimeoutException():
            return "it did not answer in time"
        case httpx.RemoteProtocolError() | httpx.ReadError():
            return "the answer ended in the middle"
        case httpx.ProxyError():
            return "the proxy does not let it through"
        case _:
            return type(failure).__name__


class _Counted(msgspec.Struct):
    data: list[msgspec.Raw] | None = None


class _ErrorBody(msgspec.Struct):
    type: str = "error"
    code: str | None = None


class _Error(msgspec.Struct):
    error: _ErrorBody


def _count(status: int, body: bytes) -> int | None:
    """How many objects an answer has; None where it ought to be JSON and is not."""
    if status >= 300:
        return 0
    try:
        found = msgspec.json.decode(body, type=_Counted)
    except msgspec.ValidationError:
        return 0
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return 1 if found.data is None else len(found.data)


def _error_label(status: int, body: bytes) -> str | None:
    if status < 400:
        return None
    try:
        found = msgspec.json.decode(body, type=_Error).error
    except msgspec.DecodeError:
        return looks_like(body)
    return f"{found.type}/{found.code}" if found.code else found.type


def _parameters(url: str) -> dict[str, str]:
    """The query, its expansions in one. Nothing in it is secret: ids, filters, times."""
    found: dict[str, str] = {}
    for written, value in parse_qsl(url.partition("?")[2]):
        name = "expand" if written.startswith("expand") else written
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
