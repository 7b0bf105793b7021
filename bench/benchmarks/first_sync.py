"""From a key to 22,000 published objects: seconds and GETs at 100 ms a request, and the CPU of one object.

Compared with what Stripe's limits alone allow, and with the fewest GETs that show every object once. The server answers
from memory, on the same cores as Kafka, PostgreSQL and the poller.
"""

import time
from dataclasses import dataclass

from bench.connected import ConnectedPoller, connected_poller
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from bench.stripe_server import HISTORY_DAYS, StripeServer, stripe_server

CUSTOMERS, DAYS, MOST = 2_000, 130, 6_000
LATENCY_MS = 100.0
PER_ENDPOINT = 25
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Synced:
    """One first sync: `published_s` until every object's record was acknowledged, `live_s` until the card says so."""

    published_s: float
    live_s: float
    gets: int
    violations: int
    cpu_s: float
    objects: int


def run(servers: Servers, tell: Tell) -> Measurement:
    with stripe_server(customers=CUSTOMERS, days=DAYS, most=MOST) as server:
        objects = sum(server.objects.values())
        tell(f"{objects:,} objects on {server.pages} pages: {server.objects}")
        slow = _sync(servers, server, LATENCY_MS)
        tell(f"at {LATENCY_MS:.0f} ms a request: {slow}")
        fast = _sync(servers, server, 0.0)
        tell(f"without latency: {fast}")
    return Measurement(
        name="first_sync",
        value={
            "seconds until all is published": round(slow.published_s, 2),
            "GETs": slow.gets,
            "violations of limits": slow.violations + fast.violations,
        },
        unit="22,000 objects",
        goal={
            "seconds until all is published": 4.5,
            "GETs": int(1.3 * server.pages),
            "violations of limits": 0,
        },
        compared_with={
            "seconds by the limits alone": MOST / 100 / PER_ENDPOINT,
            "GETs at least": server.pages,
            "seconds until the card says so": round(slow.live_s, 2),
            "seconds without latency": round(fast.published_s, 2),
            "microseconds of the poller's CPU an object": round(fast.cpu_s / fast.objects * 1e6),
        },
        lower_is_better=True,
    )


def _sync(servers: Servers, server: StripeServer, latency_ms: float) -> Synced:
    server.be_slow(latency_ms)
    with connected_poller(servers, server.address, DROPFIX_HISTORY_DAYS=str(HISTORY_DAYS)) as poller:
        server.stats(forget=True)
        return _connected(server, poller)


def _connected(server: StripeServer, poller: ConnectedPoller) -> Synced:
    wanted, cpu, began = sum(server.objects.values()), poller.cpu_seconds(), time.perf_counter()
    connection_id = poller.connect(server.key)
    published = None
    while (elapsed := time.perf_counter() - began) < PATIENCE_SECONDS:
        time.sleep(0.02)
        if published is None and poller.objects() >= wanted:
            published = elapsed
        if poller.status(connection_id).get("state") == "live":
            live, spent = time.perf_counter() - began, poller.cpu_seconds() - cpu
            stats, objects = server.stats(), poller.objects()
            violations = sum(stats["rate_limit_violations"].values())
            return Synced(published or live, live, stats["reads"], violations, spent, objects)
    raise RuntimeError(f"not synced in {PATIENCE_SECONDS:.0f} s: {poller.status(connection_id)}")
