"""httpx's requests over aiohttp's connections.

httpx's own pool parses answers in Python and looks at every idle connection at every request: of what a page of a list
costs, that was more than reading its objects. Answers are read whole, since nobody wants them in parts.
"""

import ssl

import aiohttp
import httpx
from yarl import URL

CONNECTIONS = 64
IDLE_SECONDS = 30.0


class CertificateRefused(httpx.ConnectError):
    """Somebody answers there, with a certificate that this machine does not trust, or that is another's."""


class Network(httpx.AsyncBaseTransport):
    """Sends a GET, whatever it is given: `transport.GetOnly` stands above it and says why nothing else is sent.

    An answer is whole within the request's read timeout, however evenly it drips. Certificates are verified by
    `context`; `proxy` is the address of one, None to go straight. A connection that the server closed while nobody used
    it is replaced without a word.
    """

    def __init__(self, *, context: ssl.SSLContext, proxy: str | None) -> None:
        self.context = context
        self.proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._get(request)
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            raise httpx.ProxyError(str(error)) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise CertificateRefused(str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise httpx.ConnectError(str(error)) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _get(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        async with self._opened().get(
            URL(str(request.url), encoded=True),
            headers=request.headers.multi_items(),
            timeout=aiohttp.ClientTimeout(total=limits.get("read"), sock_connect=limits.get("connect")),
            allow_redirects=False,
            proxy=self.proxy,
        ) as answer:
            return httpx.Response(answer.status, headers=answer.raw_headers, content=await answer.read())

    def _opened(self) -> aiohttp.ClientSession:
        """The session, opened when the first request is made: it belongs to the loop that runs then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.context, limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session
