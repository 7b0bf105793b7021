"""The one way out: HTTP that cannot send anything but GET, and to no host but the configured one.

The guard sits below everything, where httpx hands a finished request to the network: whoever builds a request, it is
looked at here. Redirects are not followed; certificates are verified; a proxy and a CA bundle are taken from the
environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE), as everywhere.
"""

import ipaddress
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from services.poller.errors import Refused
from services.poller.reading.network import Network

TIMEOUT_SECONDS = 25.0
CONNECT_SECONDS = 10.0
LIVE_MARKS = ("_live_",)


@dataclass(frozen=True, slots=True)
class StripeAddress:
    """Where Stripe is: scheme, host, port and a path that everything is below; `parse` raises ValueError."""

    scheme: str
    host: str
    port: int
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "StripeAddress":
        parts = urlsplit(text.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http:// or https:// and a host, optionally with a path")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must be an address alone: no user, password, query or fragment")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/"))

    @property
    def base(self) -> str:
        """The address as it is shown and built upon, without a slash at its end."""
        usual = {"https": 443, "http": 80}[self.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == usual else f':{self.port}'}{self.prefix}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def covers(self, url: httpx.URL) -> bool:
        """Whether a request's address is below this one."""
        port = url.port or (443 if url.scheme == "https" else 80)
        same = (url.scheme, url.host.lower(), port) == (self.scheme, self.host, self.port)
        path = url.path
        return same and path.startswith(f"{self.prefix}/") and ".." not in path.split("/")

    def endpoint(self, url: httpx.URL) -> str:
        """The path below the base, ids replaced: what Stripe counts as one endpoint."""
        parts = url.path[len(self.prefix) :].strip("/").split("/")
        return "/" + "/".join(part if index < 2 or part == "search" else "{id}" for index, part in enumerate(parts))


class GetOnly(httpx.AsyncBaseTransport):
    """A transport that refuses what a reader of Stripe has no reason to send."""

    def __init__(self, address: StripeAddress, inner: httpx.AsyncBaseTransport) -> None:
        self._address = address
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._check(request)
        return await self._inner.handle_async_request(request)

    def _check(self, request: httpx.Request) -> None:
        if request.method != "GET":
            raise Refused(f"{request.method} was not sent: DropFix only ever reads from Stripe")
        if not self._address.covers(request.url):
            raise Refused(f"a request to {request.url.host} was not sent: Stripe is at {self._address.base}")
        in_the_clear = self._address.scheme == "http" and not self._address.is_loopback
        authorization = request.headers.get("authorization", "")
        if in_the_clear and any(mark in authorization for mark in LIVE_MARKS):
            raise Refused(f"a live key was not sent to {self._address.base}: it is not encrypted, use https://")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._inner.aclose()


def open_client(
    address: StripeAddress, *, timeout: float = TIMEOUT_SECONDS, inner: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """An HTTP client that can do nothing but read below `address`.

    `timeout` in seconds; `inner` replaces the network in tests.
    """
    network = inner or Network(context=httpx.create_ssl_context(), proxy=_proxy_for(address))
    return httpx.AsyncClient(
        transport=GetOnly(address, network),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
    )


def _proxy_for(address: StripeAddress) -> str | None:
    if address.is_loopback or proxy_bypass(address.host):
        return None
    return getproxies().get(address.scheme)
