"""Patience for aiokafka's client, which takes a cluster that has no leader for a moment for one that never will.

As aiokafka 0.14 comes, a broker that is not there yet, or that answers while it is fenced and so names no brokers,
ends its group coordination at an assertion; the group is balanced without the topics that an answer lacked; and as
long as a partition has no leader the cluster is asked again as fast as it answers, which keeps a slow one slow.
"""

import asyncio
from time import monotonic
from typing import Any

import aiokafka.errors

from pipeline.sources import backoff
from runtime.logs import get_logger

log = get_logger(__name__)

ASK_SECONDS = 0.1
"""At most so often the cluster is asked where its partitions are."""
TOPICS_SECONDS = 10.0
"""How long sharing the partitions out waits for a topic that no answer names. One that comes later causes another."""


def patient(client: Any) -> Any:
    """The client, which from now on waits for the cluster where it used to give up, and asks it no faster than that."""
    bootstrap, ask, wait = client.bootstrap, client._metadata_update, client._maybe_wait_metadata
    asked_at = float("-inf")

    async def bootstrap_until_there() -> None:
        failures = 0
        while (reason := await _missing(client, bootstrap)) is not None:
            failures += 1
            log.warning("no Kafka yet", reason=reason)
            await client.close()
            await asyncio.sleep(backoff(failures))

    async def ask_in_time(*arguments: Any) -> bool:
        nonlocal asked_at
        await asyncio.sleep(max(0.0, asked_at + ASK_SECONDS - monotonic()))
        asked_at = monotonic()
        found: bool = await ask(*arguments)
        return found

    async def wait_for_topics() -> None:
        await wait()
        deadline = monotonic() + TOPICS_SECONDS
        while unknown := [topic for topic in client._topics if not client.cluster.partitions_for_topic(topic)]:
            if monotonic() > deadline:
                log.warning("the cluster does not name these topics", topics=sorted(unknown))
                return
            await client.force_metadata_update()

    # the library has no seam here
    client.bootstrap, client._metadata_update, client._maybe_wait_metadata = (
        bootstrap_until_there,
        ask_in_time,
        wait_for_topics,
    )
    return client


async def _missing(client: Any, bootstrap: Any) -> str | None:
    """What keeps the client from beginning; None once it knows a broker."""
    try:
        await bootstrap()
    except aiokafka.errors.KafkaError as error:
        return repr(error)
    return None if client.cluster.brokers() else "it answers, and names no broker: it is fenced, or still starting"
