"""From what was seen to what is written down: publish, wait for Kafka, then commit rows and cursors.

The order is the guarantee. Records are sent and acknowledged before anything in PostgreSQL moves, so a crash in
between reads the same pages again and publishes the same ids; nothing that was read can be lost. One group of pages
is worked at a time, so that the same object on two pages is told apart from news; pages that arrive meanwhile form
the next group and share its acknowledgement and its commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pipeline.failpoints import failpoint
from runtime.clock import Clock
from runtime.database import Connection
from runtime.metrics import PUBLISHED
from schemas.catalogue import RAW_TOPICS, Topic
from schemas.envelope import Envelope, Headers, RawAttributes
from schemas.subjects import kept_key, split_subject
from services.poller.outside import Outside
from services.poller.publishing.changes import Outcome, RawRecord, Seen, fold
from services.poller.store import Owner, fence, known_objects, subjects_of, write_outcome

Effect = Callable[[Connection], None]
"""What is to be written in the same transaction as the objects: a cursor, a shard, a status."""

GROUP_PAGES = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """What every record of a connection says of where it is from."""

    owner: Owner
    account_id: str | None
    livemode: bool
    connected_at: int
    clock_offset: int = 0
    """Seconds from our clock to the server's."""


@dataclass
class _Batch:
    seen: tuple[Seen, ...]
    effects: tuple[Effect, ...]
    done: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Publisher:
    """Publishes and commits for one connection under one lease; use as an async context."""

    def __init__(self, outside: Outside, identity: Identity, clock: Clock) -> None:
        self._outside = outside
        self._identity = identity
        self._clock = clock
        self._queue: asyncio.Queue[_Batch] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Publisher":
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def commit(self, seen: Sequence[Seen], *effects: Effect) -> Outcome:
        """Publish what changed, then write it together with the effects. Returns when it is committed.

        The outcome is that of the whole group the pages were in. Raises LeaseLost, BrokerError or psycopg's errors;
        then nothing was written, though records may have been sent: they come again under the same ids. After the
        first failure every commit fails: the lease's work is over.
        """
        if self._worker is None:
            raise RuntimeError("a Publisher is used inside its `async with` block")
        batch = _Batch(tuple(seen), effects)
        self._queue.put_nowait(batch)
        waiting: set[asyncio.Future[Any]] = {batch.done, self._worker}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not batch.done.done():
            self._worker.result()
        return batch.done.result()

    async def _work(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP_PAGES and not self._queue.empty():
                group.append(self._queue.get_nowait())
            outcome = await self._outside.run(partial(self._settle, group))
            for batch in group:
                if not batch.done.done():
                    batch.done.set_result(outcome)

    def _settle(self, group: Sequence[_Batch], conn: Connection) -> Outcome:
        identity = self._identity
        seen = _with_customers(conn, identity.owner.connection_id, [one for batch in group for one in batch.seen])
        known = known_objects(conn, identity.owner.connection_id, {one.object.id for one in seen})
        conn.commit()  # no transaction stays open while Kafka is waited for
        outcome = fold(known, seen, connection_id=identity.owner.connection_id, connected_at=identity.connected_at)
        self._send(outcome.records)
        failpoint("poller_after_publish")
        fence(conn, identity.owner)
        seen_at = int(self._clock.now().timestamp()) + identity.clock_offset
        write_outcome(conn, identity.owner, outcome, seen_at=seen_at)
        for batch in group:
            for effect in batch.effects:
                effect(conn)
        failpoint("poller_before_commit")
        conn.commit()
        failpoint("poller_after_commit")
        return outcome

    def _send(self, records: Sequence[RawRecord]) -> None:
        if not records:
            return
        producer = self._outside.producer
        made = [ready(record, self._identity) for record in records]
        producer.settle(
            [
                producer.send(one.topic, subject=one.subject, key=one.key, value=one.value, headers=one.headers)
                for one in made
            ]
        )
        for record in records:
            PUBLISHED.labels(RAW_TOPICS[record.kind].name).inc()


def _with_customers(conn: Connection, connection_id: str, seen: list[Seen]) -> list[Seen]:
    """Disputes named for the customer of their charge, which was read before them."""
    charges = [one.object.facts.charge for one in seen if one.object.kind == "dispute" and one.object.facts.charge]
    if not charges:
        return seen
    subjects = subjects_of(conn, connection_id, charges)
    return [_of_charge(one, subjects.get(one.object.facts.charge or "")) for one in seen]


def _of_charge(one: Seen, subject: str | None) -> Seen:
    if one.object.kind != "dispute" or subject is None:
        return one
    return replace(one, object=replace(one.object, customer=split_subject(subject)[1]))


@dataclass(frozen=True, slots=True)
class Ready:
    """A record as the producer takes it."""

    topic: Topic
    subject: str
    key: str
    value: bytes
    headers: Headers


def ready(record: RawRecord, identity: Identity) -> Ready:
    """Where a record goes and what it says of itself."""
    return Ready(
        topic=RAW_TOPICS[record.kind],
        subject=record.subject,
        key=kept_key(record.subject, record.object_id, record.version),
        value=record.value,
        headers=envelope_of(record, identity).headers(),
    )


def envelope_of(record: RawRecord, identity: Identity) -> Envelope:
    """The CloudEvents attributes of a raw record."""
    attributes = RawAttributes(
        change=record.change,
        account=identity.account_id or "",
        livemode=identity.livemode,
        observed_at=record.observed_at,
        expanded=record.expanded,
        version=record.version,
    )
    return Envelope(
        id=record.id,
        source=f"/stripe/{identity.account_id or identity.owner.connection_id}",
        type=RAW_TOPICS[record.kind].name,
        time=record.observed_at,
        subject=record.subject,
        object_id=record.object_id,
        workspace_id=identity.owner.workspace_id,
        connection_id=identity.owner.connection_id,
        extra=attributes.extra(),
    )
