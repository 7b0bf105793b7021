"""Things that go wrong on request."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from simulator.api.keys import Key, forbidden
from simulator.api.limits import limited
from simulator.company.chance import Chance
from simulator.errors import ApiError, SetupError

FaultKind = Literal[
    "html", "half", "hang", "slow", "empty", "garbage", "redirect",
    "400", "401", "403", "404", "409", "429", "lock", "ip", "500", "502", "503", "504",
    "act", "delete_cursor",
]  # fmt: skip
"""What befalls a request.

html       200 and a page that is not Stripe's          half      half of the answer, then the connection ends
empty      200 and nothing                              hang      no answer for ten minutes, or `seconds`
garbage    200 and JSON that does not end               slow      the answer, `seconds` later
redirect   302 to `location`
401 403 ip as a revoked key, a missing `permission` (the operation's own), a wrong address get it
429 lock   too many requests, for `reason`; an object that another request holds. With `seconds`, when to come back, as
           servers like Stripe's say it in Retry-After
400 404 409 500 502 503 504                             as Stripe answers them
act        the director's order `act` is carried out before the answer, as if somebody did it that instant
delete_cursor   the customer that the request's `starting_after` names is deleted before the answer
"""
SearchMode = Literal["on", "forbidden", "missing"]

HANG_SECONDS = 600.0

_REASONS = frozenset(
    {"global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency", "resource-specific"}
)


@dataclass(slots=True, kw_only=True)
class Fault:
    """Befalls requests whose path contains `path` and whose operation (`customers.list`) is `operation`, if given.

    The first `skip` of them pass; then each is hit with `probability`, `times` times in all (None: until cleared).
    """

    kind: FaultKind
    path: str = ""
    operation: str = ""
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    reason: str = "global-rate"
    permission: str = ""
    seconds: float | None = None
    location: str = "https://example.com/"
    act: Mapping[str, Any] = field(default_factory=dict)

    def hits(self, path: str, operation: str, chance: Chance) -> bool:
        """Whether it befalls this request, which is then used up."""
        if self.path not in path or self.operation not in {"", operation} or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1 and not chance.happens(self.probability):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True)
class Faults:
    """What is wrong at the moment.

    `refuse_expand` lists paths that answer 400, as on a server that lacks them; `lose_expand` those that are left out
    without a word. `search_lag` (simulated seconds) stands for the server's own; an index never goes back.
    """

    faults: list[Fault] = field(default_factory=list)
    latency_ms: float = 0
    search: SearchMode = "on"
    search_lag: int | None = None
    refuse_expand: frozenset[str] = frozenset()
    lose_expand: frozenset[str] = frozenset()
    chance: Chance = field(default_factory=lambda: Chance(1, 0xFA17))

    def next(self, path: str, operation: str = "") -> Fault | None:
        """The fault that befalls a request to `path`, used up once."""
        return next((fault for fault in self.faults if fault.hits(path, operation, self.chance)), None)

    async def delay(self) -> None:
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)

    def replace(self, wanted: dict[str, Any]) -> None:
        """Set everything from JSON; what is not named is in order again. Raises SetupError for what is not a fault."""
        faults = [_fault(each) for each in wanted.get("faults", [])]
        search = wanted.get("search", "on")
        if search not in get_args(SearchMode):
            raise SetupError(f"search is one of {', '.join(get_args(SearchMode))}, not {search!r}.")
        lag = wanted.get("search_lag")
        self.search_lag = None if lag is None else int(lag)
        self.faults = faults
        self.latency_ms = float(wanted.get("latency_ms", 0))
        self.search = search
        self.refuse_expand = frozenset(wanted.get("refuse_expand", ()))
        self.lose_expand = frozenset(wanted.get("lose_expand", ()))
        self.chance = Chance(int(wanted.get("seed", 1)), 0xFA17)

    def describe(self) -> dict[str, Any]:
        """What `replace` would be told to set it again."""
        return {
            "faults": [asdict(each) for each in self.faults],
            "latency_ms": self.latency_ms,
            "search": self.search,
            "search_lag": self.search_lag,
            "refuse_expand": sorted(self.refuse_expand),
            "lose_expand": sorted(self.lose_expand),
        }


def _fault(each: dict[str, Any]) -> Fault:
    given = dict(each)
    kind = given.pop("kind", None)
    times = given.pop("times", None)
    if unknown := given.keys() - Fault.__dataclass_fields__.keys():
        raise SetupError(f"A fault has no {', '.join(sorted(unknown))}.")
    if given.get("reason", "global-rate") not in _REASONS:
        raise SetupError(f"A reason is one of {', '.join(sorted(_REASONS))}.")
    for known in get_args(FaultKind):
        if str(kind) == known:
            return Fault(kind=known, times=None if times is None else int(times), **given)
    raise SetupError(f"A fault is one of {', '.join(get_args(FaultKind))}, not {kind!r}.")


_MESSAGES: Mapping[FaultKind, tuple[int, str, str | None]] = {
    "ip": (401, "The API key provided does not allow requests from your IP address (203.0.113.7).", None),
    "400": (400, "This request was refused on request.", None),
    "404": (404, "There is nothing here, on request.", "resource_missing"),
    "409": (409, "Another request holds this, on request.", "idempotency_key_in_use"),
}
_BROKEN = "An unknown error occurred. Please contact us at https://support.stripe.com/ if the problem persists."


def error_of(fault: Fault, key: Key, *, permission: str, account: str) -> ApiError | None:
    """The error answer of a fault that is one; `permission` is what the operation needs."""
    if fault.kind in {"429", "lock"}:
        refusal = limited("lock" if fault.kind == "lock" else fault.reason)
        refusal.headers |= {} if fault.seconds is None else {"Retry-After": str(int(fault.seconds))}
        return refusal
    if fault.kind == "401":
        return ApiError(401, f"Invalid API Key provided: {key.masked()}")
    if fault.kind == "403":
        return forbidden(key, fault.permission or permission, account)
    if fault.kind in {"500", "502", "503", "504"}:
        return ApiError(int(fault.kind), _BROKEN, kind="api_error")
    if fault.kind in _MESSAGES:
        status, message, code = _MESSAGES[fault.kind]
        return ApiError(status, message, code=code)
    return None
