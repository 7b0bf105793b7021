"""A Stripe account of a stated size, served by a process of its own.

What is measured is who reads, not the simulator: of an account that is cut to a size, every page that a first sync
asks for has been rendered once before the server says that it is ready. A large one is rendered as it is asked for. The
server counts violations of Stripe's limits and answers all the same.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE, Popen
from typing import Any

import httpx
import msgspec

from services.poller.first_sync.first_minute import tasks
from services.poller.kinds import KINDS
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.queries import Query, encode
from simulator.api.limits import Rates
from simulator.app import ServerSettings, Simulator, simulate
from simulator.company.life import Growth
from simulator.company.shelf import Shelf
from simulator.company.world import World
from simulator.founding import found
from simulator.server import address_of, listen, server_of

ANCHOR = 1_767_225_600  # 2026-01-01
HISTORY_DAYS = 365
READY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class StripeServer:
    """A server that runs: its address, a key in live mode, how many objects it has by kind."""

    address: str
    key: str
    objects: dict[str, int]

    @property
    def pages(self) -> int:
        """The fewest GETs that show every object."""
        return sum(-(-count // 100) for count in self.objects.values())

    def be_slow(self, milliseconds: float) -> None:
        httpx.post(f"{self.address}/_faults", json={"latency_ms": milliseconds}).raise_for_status()

    def stats(self, *, forget: bool = False) -> dict[str, Any]:
        """What was asked since it was last forgotten."""
        answer = httpx.request("DELETE" if forget else "GET", f"{self.address}/_stats")
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def stripe_server(*, customers: int, days: int, most: int | None = None) -> Iterator[StripeServer]:
    """The account of a company of that age; with `most`, of each other list so many of the newest objects, prepared."""
    command = [sys.executable, "-m", "bench.stripe_server", str(customers), str(days), str(most or 0)]
    process = Popen(command, stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the Stripe server ended with code {process.wait()}")
        yield StripeServer(**json.loads(line))
    finally:
        process.terminate()
        process.wait(30)


def build(*, customers: int, days: int, most: int) -> Simulator:
    """The account; with `most`, cut to that size and every page rendered."""
    company = found(seed=1, now=ANCHOR, growth=Growth(customers=customers, days=days))
    settings = ServerSettings(prepared=most > 0, rates=Rates(enforced=False))
    if not most:
        return simulate(company, settings=settings)
    _cut(company.world, customers, most)
    simulator = simulate(company, settings=settings)
    asyncio.run(_render(simulator))
    return simulator


def _cut(world: World, subscriptions: int, most: int) -> None:
    """Keep the newest objects of each list that can be cut; the customers stay."""
    world.subscriptions = _newest(world.subscriptions, subscriptions)
    world.invoices = _newest(world.invoices, most)
    world.charges = _newest(world.charges, most)
    world.intents = _newest(world.intents, most)


def _newest(shelf: Shelf[Any], count: int) -> Shelf[Any]:
    kept: Shelf[Any] = Shelf()
    for place in range(max(0, len(shelf) - count), len(shelf)):
        kept.add(thing := shelf[place], getattr(thing, "status", None))
    return kept


async def _render(simulator: Simulator) -> None:
    everything = Capabilities(dict.fromkeys(KINDS[:5], "granted"), searchable=("customer", "subscription", "charge"))
    headers = {"Authorization": f"Bearer {simulator.keys.named('live').secret}"}
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        for task in tasks(everything, as_of=ANCHOR, history_days=HISTORY_DAYS):
            if task.query.search is None:
                await _walk(client, task.query)
    simulator.stats.reset()
    simulator.limits.violations.clear()


async def _walk(client: httpx.AsyncClient, query: Query) -> None:
    after: str | None = None
    while True:
        answer = await client.get(f"{query.path}?{encode(query.parameters(after=after))}")
        page = msgspec.json.decode(answer.content)
        if not page["has_more"]:
            return
        after = page["data"][-1]["id"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("customers", "days", "most"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    simulator = build(customers=options.customers, days=options.days, most=options.most)
    sock, world = listen("127.0.0.1", 0), simulator.company.world
    there: dict[str, Shelf[Any]] = {
        "customers": world.customers,
        "subscriptions": world.subscriptions,
        "invoices": world.invoices,
        "charges": world.charges,
        "payment_intents": world.intents,
    }
    ready = StripeServer(
        address_of(sock, ""), simulator.keys.named("live").secret, {name: len(shelf) for name, shelf in there.items()}
    )
    sys.stdout.write(json.dumps({"address": ready.address, "key": ready.key, "objects": ready.objects}) + "\n")
    sys.stdout.flush()
    server_of(simulator).run(sockets=[sock])


if __name__ == "__main__":
    main()
