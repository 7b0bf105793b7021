"""What a founder sees of an account with 100,000 customers in the first minute, and the memory that reading it takes.

The history is read beside it, as always. The simulator renders every answer on the same cores, so the seconds hold its
work as well; its own share is shown.
"""

import time
from collections.abc import Callable
from typing import Any

import psutil

from bench.connected import ConnectedPoller, connected_poller
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from bench.stripe_server import StripeServer, stripe_server

CUSTOMERS, DAYS = 100_000, 90
LATENCY_MS = 100.0
WATCHED_SECONDS = 150.0
MIB = 2**20

Seen = Callable[[dict[str, Any]], bool]
VISIBLE: dict[str, Seen] = {
    "customers counted": lambda status: status.get("customers_counted") is not None,
    "failed payments": lambda status: _is_known(status, "failed_payments"),
    "lapsed subscriptions": lambda status: _is_known(status, "lapsed"),
}
GOAL_SECONDS, GOAL_MIB = 60.0, 250.0


def _is_known(status: dict[str, Any], name: str) -> bool:
    """Everything of it was read: its total is known."""
    progress: dict[str, Any] = status.get("progress") or {}
    return bool(progress.get(name)) and progress[name]["total"] is not None


def run(servers: Servers, tell: Tell) -> Measurement:
    tell(f"founding a company of {CUSTOMERS:,} customers")
    with stripe_server(customers=CUSTOMERS, days=DAYS) as server:
        tell(f"it has {server.objects}")
        server.be_slow(LATENCY_MS)
        with connected_poller(servers, server.address) as poller:
            server.stats(forget=True)
            seconds, memory, status = _watch(server, poller, tell)
            stats, objects = server.stats(), poller.objects()
            violations = sum(stats["rate_limit_violations"].values())
    tell(f"{objects:,} objects published, {stats['reads']:,} GETs, {status.get('customers_counted'):,} customers")
    values = {f"{name} (s)": round(at, 1) for name, at in seconds.items() if name != "MRR"}
    return Measurement(
        name="first_minute",
        value={**values, "memory of the poller (MiB)": round(memory), "violations of limits": violations},
        unit="100,000 customers",
        goal={**dict.fromkeys(values, GOAL_SECONDS), "memory of the poller (MiB)": GOAL_MIB, "violations of limits": 0},
        compared_with={"everything that carries MRR (s)": round(seconds["MRR"], 1), "objects until then": objects},
        lower_is_better=True,
    )


def _watch(server: StripeServer, poller: ConnectedPoller, tell: Tell) -> tuple[dict[str, float], float, dict[str, Any]]:
    """(seconds until each is visible, the most memory in MiB, the card), until all that carries MRR is there too."""
    seconds: dict[str, float] = {}
    memory, began = 0.0, time.perf_counter()
    connection_id = poller.connect(server.key)
    while True:
        time.sleep(0.1)
        elapsed, status = time.perf_counter() - began, poller.status(connection_id)
        memory = max(memory, _mib(poller.process))
        for name, is_visible in VISIBLE.items():
            if name not in seconds and is_visible(status):
                seconds[name] = elapsed
                tell(f"{name} after {elapsed:.1f} s")
        over = status.get("first_minute_at") is not None or elapsed > WATCHED_SECONDS
        if over:
            return {**dict.fromkeys(VISIBLE, elapsed), **seconds, "MRR": elapsed}, memory, status


def _mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MIB
