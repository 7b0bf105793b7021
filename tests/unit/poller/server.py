"""A server in memory in Stripe's place: answers by a function, and remembers what reached it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from runtime.clock import RealClock
from services.poller.budget import Meter
from services.poller.kinds import KINDS
from services.poller.reading.calls import Caller, CallMade, Versions
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.limits import Limits
from services.poller.reading.reader import Reader
from services.poller.reading.transport import StripeAddress, open_client

KEY = "rk_test_51secretPartOfTheKey4f2a"
Answering = Callable[[httpx.Request], httpx.Response]


@dataclass
class Server:
    """What was asked, and what was written down about it."""

    answering: Answering
    base: str = "http://127.0.0.1:9/prefix"
    asked: list[httpx.Request] = field(default_factory=list)
    made: list[CallMade] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answering(request)

    def client(self) -> httpx.AsyncClient:
        return open_client(StripeAddress.parse(self.base), inner=httpx.MockTransport(self.answer))

    def caller(self) -> Caller:
        return Caller(
            client=self.client(),
            address=StripeAddress.parse(self.base),
            limits=Limits(livemode=False),
            meter=Meter(),
            versions=Versions(1_700_000_000_000),
            clock=RealClock(),
            audit=self.made.append,
        )

    def reader(self, key: str = KEY) -> Reader:
        return Reader(key, self.caller(), Capabilities(dict.fromkeys(KINDS, "granted")))


def says(status: int, body: object, **headers: str) -> Answering:
    """Always the same answer."""
    return lambda _: httpx.Response(status, json=body, headers=headers)
