"""Things that go wrong on request."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from simulator.api.keys import Key
from simulator.api.limits import limited
from simulator.errors import ApiError, SetupError

FaultKind = Literal["html", "half", "hang", "500", "503", "429", "lock", "401"]
SearchMode = Literal["on", "forbidden", "missing"]

HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """Befalls requests whose path contains `path`, `times` times (None: until it is cleared)."""

    kind: FaultKind
    path: str = ""
    times: int | None = None


@dataclass(slots=True)
class Faults:
    """What is wrong at the moment. `refuse_expand` lists paths that answer 400, as on a server that lacks them."""

    faults: list[Fault] = field(default_factory=list)
    latency_ms: float = 0
    search: SearchMode = "on"
    refuse_expand: frozenset[str] = frozenset()

    def next(self, path: str) -> FaultKind | None:
        """The fault that befalls a request to `path`, used up once."""
        for fault in self.faults:
            if fault.path in path and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault.kind
        return None

    async def delay(self) -> None:
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)

    def replace(self, wanted: dict[str, Any]) -> None:
        """Set everything from JSON; what is not named is in order again. Raises SetupError for what is not a fault."""
        faults = [_fault(each) for each in wanted.get("faults", [])]
        search = wanted.get("search", "on")
        if search not in get_args(SearchMode):
            raise SetupError(f"search is one of {', '.join(get_args(SearchMode))}, not {search!r}.")
        self.faults = faults
        self.latency_ms = float(wanted.get("latency_ms", 0))
        self.search = search
        self.refuse_expand = frozenset(wanted.get("refuse_expand", ()))

    def describe(self) -> dict[str, Any]:
        return {
            "faults": [{"kind": each.kind, "path": each.path, "times": each.times} for each in self.faults],
            "latency_ms": self.latency_ms,
            "search": self.search,
            "refuse_expand": sorted(self.refuse_expand),
        }


def _fault(each: dict[str, Any]) -> Fault:
    kind = str(each.get("kind"))
    for known in get_args(FaultKind):
        if kind == known:
            times = each.get("times")
            return Fault(known, str(each.get("path", "")), None if times is None else int(times))
    raise SetupError(f"A fault is one of {', '.join(get_args(FaultKind))}, not {kind!r}.")


def error_of(kind: FaultKind, key: Key) -> ApiError:
    """The error answer of a fault that is one."""
    if kind == "429":
        return limited("global-rate")
    if kind == "lock":
        return limited("lock")
    if kind == "401":
        return ApiError(401, f"Invalid API Key provided: {key.masked()}")
    message = "An unknown error occurred. Please contact us at https://support.stripe.com/ if the problem persists."
    return ApiError(500 if kind == "500" else 503, message, kind="api_error")
