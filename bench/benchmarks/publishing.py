"""CPU of a hundred objects, from the bytes of a page to records ready for the producer; beside it the producer's own.

A page of a first sync: every object is decoded once, fingerprinted, told apart from what is known, and given its id,
key and headers. The median of many runs, in one thread.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from uuid import uuid4

import httpx

from bench.accounts import account
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from runtime.kafka import Acknowledgement, Broker, Producer, create_topics
from schemas.catalogue import RAW_TOPICS
from services.poller.first_sync.first_minute import tasks
from services.poller.kinds import KINDS
from services.poller.publishing.changes import Reading, Seen, fold
from services.poller.publishing.records import Origin, Ready, ready
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.pages import read_page
from services.poller.reading.queries import Query, encode
from simulator.app import Simulator, simulate

CUSTOMERS = 300
RUNS = 40
GOAL_MS = 5.0
LISTS = ("customers", "running", "invoices", "charges", "payment_intents")
_ORIGIN = Origin("con_bench", "ws_bench", "acct_1", livemode=True)
_CONNECTED_AT = 2_000_000_000
_READING = Reading(version=1 << 20, closed=2 << 20, observed_at=datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class _Page:
    query: Query
    body: bytes


def run(servers: Servers, tell: Tell) -> Measurement:
    pages = asyncio.run(_pages(simulate(account(CUSTOMERS))))
    found: dict[str, float] = {}
    batches: list[list[Ready]] = []
    for name, page in pages.items():
        records = _records(page)
        found[page.query.kind] = round(_median_ms(partial(_records, page)) * 100 / len(records), 2)
        batches.append(records)
        tell(f"{name}: {len(page.body):,} bytes, {len(records)} records, {found[page.query.kind]} ms a hundred")
    produced = _producing_ms(servers, batches)
    tell(f"kafka-python takes {produced} ms for a hundred of them")
    return Measurement(
        name="publishing",
        value=found,
        unit="ms of CPU for 100 objects",
        goal=dict.fromkeys(found, GOAL_MS),
        compared_with={"the producer's own": produced},
        lower_is_better=True,
    )


async def _pages(simulator: Simulator) -> dict[str, _Page]:
    """One full page of each list of the first sync, as Stripe would send it."""
    everything = Capabilities(dict.fromkeys(KINDS[:5], "granted"))
    now = simulator.company.world.now
    queries = {task.name: task.query for task in tasks(everything, as_of=now) if task.name in LISTS}
    headers = {"Authorization": f"Bearer {simulator.keys.named('live').secret}"}
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        return {
            name: _Page(query, (await client.get(f"{query.path}?{encode(query.parameters())}")).content)
            for name, query in queries.items()
        }


def _records(page: _Page) -> list[Ready]:
    """All that happens between the bytes and the producer."""
    read = read_page(page.body, page.query.kind, page.query.expand_in_list)
    seen = [Seen(one, _READING) for one in read.objects]
    return ready(fold({}, seen, connection_id="con_bench", connected_at=_CONNECTED_AT).records, _ORIGIN)


def _median_ms(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(RUNS):
        began = time.thread_time()
        work()
        spent.append(time.thread_time() - began)
    return median(spent) * 1000


def _producing_ms(servers: Servers, batches: list[list[Ready]]) -> float:
    """CPU of the client, its own thread included, until everything is acknowledged; for a hundred records."""
    broker = Broker(servers.kafka, prefix=f"bench-{uuid4().hex[:8]}.")
    create_topics(broker, tuple(RAW_TOPICS.values()))
    producer = Producer(broker, client_id="bench")
    producer.find(RAW_TOPICS.values())
    began = time.process_time()
    for _ in range(RUNS):
        producer.settle([_sent(producer, one) for batch in batches for one in batch])
    spent = time.process_time() - began
    producer.close()
    return round(spent * 1000 * 100 / (RUNS * sum(map(len, batches))), 2)


def _sent(producer: Producer, one: Ready) -> Acknowledgement:
    return producer.send(one.topic, subject=one.subject, key=one.key, value=one.value, headers=one.headers)
