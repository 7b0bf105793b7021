"""The director's chair: truth, clock, keys, faults and counts. None of it exists at Stripe."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.api.acts import Acts
from simulator.api.faults import Faults
from simulator.api.keys import FIVE_READS, Key, KeyRing
from simulator.api.limits import Limits
from simulator.api.stats import Stats
from simulator.clock import Clock, ManualClock, instant
from simulator.errors import SetupError, SimulatorError
from simulator.founding import Company
from simulator.truth.report import mrr_by_customer, mrr_daily, report


class Admin:
    """Routes beside `/v1`; all answer JSON, a bad request with 400 and `{"error": ...}`."""

    def __init__(
        self, company: Company, *, clock: Clock, keys: KeyRing, limits: Limits, faults: Faults, stats: Stats
    ) -> None:
        self._company = company
        self._clock = clock
        self._keys = keys
        self._limits = limits
        self._faults = faults
        self._stats = stats
        self._acts = Acts(company)

    def routes(self) -> list[Route]:
        """The addresses of the director's chair."""
        return [
            Route("/_truth", self.truth),
            Route("/_clock", self.clock, methods=["GET", "POST"]),
            Route("/_keys", self.keys, methods=["GET", "POST"]),
            Route("/_faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_act", self.act, methods=["POST"]),
            Route("/_stats", self.stats, methods=["GET", "DELETE"]),
        ]

    def _tick(self) -> None:
        self._company.world.advance(self._clock.now())

    async def truth(self, request: Request) -> Response:
        """`?at=` an instant (Unix seconds or RFC 3339), `?days=` the window, `?brief=1` without the long tables."""
        self._tick()
        world, record, ids = self._company.world, self._company.record, self._company.ids
        try:
            at = _instant(request.query_params.get("at"))
            days = int(request.query_params.get("days", "30"))
        except ValueError as error:
            return _bad(str(error))
        found = report(world, record, ids, at=at, days=days)
        if request.query_params.get("brief") is None:
            found["mrr_by_customer"] = mrr_by_customer(record, ids, found["at"])
            found["mrr_daily"] = mrr_daily(world, record)
        return _json(found)

    async def clock(self, request: Request) -> Response:
        """GET tells the time; POST `{"advance": seconds}` or `{"to": instant}` moves it."""
        if request.method == "POST":
            if not isinstance(self._clock, ManualClock):
                return _bad("This clock runs by itself; start the simulator with --clock manual to move it.", 409)
            try:
                wanted = await _body(request)
                to = self._clock.now() + int(wanted.get("advance", 0)) if "to" not in wanted else _instant(wanted["to"])
            except (ValueError, TypeError, SetupError) as error:
                return _bad(str(error))
            self._clock.set(to if to is not None else self._clock.now())
        self._tick()
        world = self._company.world
        return _json(
            {
                "now": world.now,
                "opened_at": world.opened_at,
                "next_event_at": world.next_event_at(),
                **self._clock.describe(),
            }
        )

    async def keys(self, request: Request) -> Response:
        """POST `{"mint": name, "permissions": [...] | null, "live": bool, "prefix": "rk"}`, `{"revoke": name or key}`,
        `{"expire": ...}` or `{"restore": ...}`.
        """
        if request.method == "POST":
            try:
                wanted = await _body(request)
                return _json(_described(self._change_key(wanted)))
            except (SetupError, ValueError) as error:
                return _bad(str(error))
        return _json({"keys": [_described(key) for key in self._keys.all()]})

    def _change_key(self, wanted: dict[str, Any]) -> Key:
        if "mint" in wanted:
            permissions = wanted.get("permissions", sorted(FIVE_READS))
            return self._keys.mint(
                str(wanted["mint"]),
                prefix=str(wanted.get("prefix", "rk")),
                live=bool(wanted.get("live", False)),
                permissions=permissions,
            )
        for verb, state in (("revoke", "revoked"), ("expire", "expired"), ("restore", "valid")):
            if verb in wanted:
                key = next((k for k in self._keys.all() if wanted[verb] in (k.secret, k.name)), None)
                if key is None:
                    raise SetupError("No such key.")
                key.state = "revoked" if state == "revoked" else "expired" if state == "expired" else "valid"
                return key
        raise SetupError("Say mint, revoke, expire or restore.")

    async def faults(self, request: Request) -> Response:
        """POST replaces what is wrong, DELETE puts everything in order."""
        try:
            if request.method == "POST":
                self._faults.replace(await _body(request))
            elif request.method == "DELETE":
                self._faults.replace({})
        except (SetupError, ValueError, TypeError, AttributeError) as error:
            return _bad(str(error))
        return _json(self._faults.describe())

    async def act(self, request: Request) -> Response:
        """POST `{"do": verb, ...}`: see `acts`."""
        self._tick()
        try:
            return _json(self._acts.perform(await _body(request)))
        except (SimulatorError, ValueError, TypeError, KeyError) as error:
            return _bad(str(error))

    async def stats(self, request: Request) -> Response:
        """What was asked since the start or the last DELETE."""
        found = self._stats.describe(self._limits.violations)
        if request.method == "DELETE":
            self._stats.reset()
            self._limits.violations.clear()
        return _json(found)


def _described(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "secret": key.secret,
        "live": key.live,
        "state": key.state,
        "permissions": None if key.permissions is None else sorted(key.permissions),
    }


def _instant(text: Any) -> int | None:
    if text is None:
        return None
    return int(text) if str(text).lstrip("-").isdigit() else int(instant(str(text)))


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError as error:
        raise SetupError(f"The body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise SetupError("The body is not a JSON object.")
    return found


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.format(msgspec.json.encode(content), indent=2), status, media_type="application/json")


def _bad(message: str, status: int = 400) -> Response:
    return _json({"error": message}, status)
