"""A simulated account that is polled in process, and what its server has, to compare."""

import asyncio
from datetime import UTC, datetime

import httpx

from bench.polled import PolledAccount
from services.poller.kinds import OBJECTS, Kind
from simulator.api.limits import Rates
from simulator.app import ServerSettings, Simulator, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


def company(*, customers: int = 20) -> Simulator:
    """A company two months old, on a clock that stands at noon."""
    grown = found(seed=3, now=NOON, growth=Growth(customers=customers, days=60))
    return simulate(grown, clock=ManualClock(NOON), settings=ServerSettings(rates=Rates(enforced=False)))


def held(account: PolledAccount, kind: Kind) -> int:
    """Objects of a kind that the poller knows."""
    return int(account.rows("SELECT count(*) FROM poller.objects WHERE kind = %s", kind)[0][0])


def listed(simulator: Simulator, kind: Kind) -> int:
    """Objects of a kind that the server lists, once everything is in order again."""
    simulator.faults.faults = []
    return asyncio.run(_count(simulator, OBJECTS[kind].path))


async def _count(simulator: Simulator, path: str) -> int:
    headers = {"Authorization": f"Bearer {simulator.keys.named('disputes').secret}"}
    transport, count, after = httpx.ASGITransport(simulator.app), 0, None
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9", headers=headers) as client:
        while True:
            answer = await client.get(path, params={"limit": 100} | ({"starting_after": after} if after else {}))
            page = answer.raise_for_status().json()
            count += len(page["data"])
            if not page["has_more"]:
                return count
            after = page["data"][-1]["id"]


def turns(account: PolledAccount, count: int = 1) -> None:
    """So many turns, five minutes apart, whatever pause the turn before asked for."""
    for _ in range(count):
        account.move_to(account.now + 300)
        account.forget_pauses()
        account.poll()
