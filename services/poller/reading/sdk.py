"""Stripe's official SDK, over the one transport: connecting, probing, single objects, and every error.

Pages of lists go past its object construction, which costs a hundred times what reading the bytes costs, but their
errors come from it too, so that its exception classes are the poller's.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import stripe

from services.poller.errors import UnreadableAnswer
from services.poller.reading.calls import API_VERSION, Answer, Caller
from services.poller.reading.pages import looks_like

stripe.enable_telemetry = False


class OverOneTransport(stripe.HTTPClient):
    """The SDK's HTTP client: hands every request to the caller, which sends nothing but GET."""

    name = "dropfix"

    def __init__(self, caller: Caller, purpose: str) -> None:
        super().__init__()
        self._caller = caller
        self._purpose = purpose
        self.answer: Answer | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if method.upper() != "GET":
            # The transport refuses it by its method; let it see the request as it is.
            await self._caller.client.request(method, url)
        answer = await self._caller.fetch(url, headers, purpose=self._purpose)
        require_json(answer)
        self.answer = answer
        return answer.body, answer.status, answer.headers

    async def close_async(self) -> None:
        """The client belongs to the process."""


class _Recorded(stripe.HTTPClient):
    """Gives an answer that was received already."""

    name = "recorded"

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        return self._answer.body.decode(errors="replace"), self._answer.status, self._answer.headers


async def read(key: str, caller: Caller, path: str, parameters: Mapping[str, object], *, purpose: str) -> Answer:
    """One GET through the SDK: pinned version, no retries of its own (ours are metered), no telemetry.

    Raises the SDK's exceptions for an answer that is an error, and what the caller raises.
    """
    over = OverOneTransport(caller, purpose)
    client = stripe.StripeClient(
        key,
        stripe_version=API_VERSION,
        base_addresses={"api": caller.address.base},
        max_network_retries=0,
        http_client=over,
    )
    await client.raw_request_async("get", path, **parameters)
    if over.answer is None:
        raise UnreadableAnswer("the SDK made no request")
    return over.answer


def raise_for(answer: Answer) -> None:
    """Raise the SDK's exception for an answer that is an error; nothing for any other."""
    if answer.status < 400:
        return
    require_json(answer)
    recorded = stripe.StripeClient("recorded", http_client=_Recorded(answer), max_network_retries=0)
    recorded.raw_request("get", "/v1/recorded")


def require_json(answer: Answer) -> None:
    """Raise UnreadableAnswer where an answer cannot be Stripe's: its kind of body is all that is told of it."""
    try:
        msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableAnswer(f"{looks_like(answer.body)} (HTTP {answer.status})") from None
