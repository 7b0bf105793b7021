"""Records a second that a rebuild of mrr replays from the topics into a shadow, to where the live tables are.

100,000 records by default, a million with --full: a first sync, in which nearly each record bears on a
ledger, the dearest there is. Compared with what the same bulk reader reads without doing anything with it.
"""

import os
import time
from uuid import uuid4

from bench.accounts import account, raw_records
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from pipeline.log import LogReader
from pipeline.rebuild.hands import Work, cores, replay_by_hands
from pipeline.records import LogPartition
from pipeline.replay import Target
from pipeline.sources.bulk import read_bulk
from runtime.clock import RealClock
from runtime.database import Database
from runtime.kafka import Broker, Producer, create_topics
from runtime.migrations import migrate
from schemas.catalogue import MRR_MOVEMENT, dead_letter_topic, retry_topic
from services.mrr.processor import GROUP, INPUTS, mrr
from services.mrr.schema import MIGRATIONS

CUSTOMERS = {"default": 22_000, "full": 225_000}
"""About 4.5 records each."""

GOAL = 8_000.0
BEHIND = 20_000
"""Records that may be on their way to the broker at once."""


def run(servers: Servers, tell: Tell) -> Measurement:
    """Publish, read plainly, replay."""
    broker = Broker(servers.kafka, prefix=f"bench-{uuid4().hex[:8]}.")
    create_topics(broker, (*INPUTS, MRR_MOVEMENT, dead_letter_topic(GROUP), retry_topic(GROUP)))
    count = _publish(broker, CUSTOMERS["full" if os.environ.get("DROPFIX_BENCH_FULL") else "default"])
    tell(f"published {count:,} raw records")
    plain = _plain_rate(broker, count)
    with servers.fresh_database() as database:
        migrate(database, [MIGRATIONS])
        shadow = Database(url=database, schema=MIGRATIONS.schema, application="bench")
        work = Work(mrr, shadow, broker, RealClock().now)
        told = replay_by_hands(work, Target(_ends(broker), {}), hands=cores(), progressed=lambda _: None)
    if told.records != count:
        raise RuntimeError(f"{told.records:,} of {count:,} records were replayed")
    return Measurement(
        name="rebuild",
        value=round(told.records / told.seconds),
        unit="records/s",
        goal=GOAL,
        compared_with={"the bulk reader alone": round(plain)},
    )


def _publish(broker: Broker, customers: int) -> int:
    producer = Producer(broker, client_id="bench")
    sent, count = [], 0
    for one in raw_records(account(customers)):
        sent.append(producer.send(one.topic, subject=one.subject, key=one.key, value=one.value, headers=one.headers))
        count += 1
        if len(sent) >= BEHIND:
            producer.settle(sent, timeout=120)
            sent.clear()
    producer.settle(sent, timeout=120)
    producer.close()
    return count


def _plain_rate(broker: Broker, count: int) -> float:
    """Records a second that the bulk reader reads and nobody looks at."""
    ends = _ends(broker)
    began = time.perf_counter()
    read = sum(len(batch) for batch in read_bulk(broker, start=dict.fromkeys(ends, 0), until=ends))
    if read != count:
        raise RuntimeError(f"{read:,} of {count:,} records were read")
    return read / (time.perf_counter() - began)


def _ends(broker: Broker) -> dict[LogPartition, int]:
    places = [LogPartition(topic.name, number) for topic in INPUTS for number in range(topic.partitions)]
    log = LogReader(broker, client_id="bench")
    try:
        return dict(log.ends(places))
    finally:
        log.close()
