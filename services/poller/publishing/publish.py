"""From what was seen to what is written down: publish, wait for Kafka, then commit rows and cursors.

The order is the guarantee. Records are sent and acknowledged before anything in PostgreSQL moves, so a crash in
between reads the same pages again and publishes the same ids; nothing that was read can be lost. Pages that wait form
a group, which shares its acknowledgement and its commit. While Kafka and PostgreSQL are waited for, the next group is
sent: it is folded into what the group before it will have written, so that the same object on two pages is told apart
from news. Groups are committed in their order; where one fails, none after it is committed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pipeline.failpoints import failpoint
from runtime.clock import Clock
from runtime.database import Connection
from runtime.kafka import Acknowledgement
from runtime.metrics import PUBLISHED
from schemas.catalogue import RAW_TOPICS
from schemas.subjects import split_subject
from services.poller.outside import Outside
from services.poller.publishing.changes import Known, Outcome, Seen, fold
from services.poller.publishing.records import Origin, ready
from services.poller.store import Owner, fence, known_objects, subjects_of, write_outcome
from services.poller.together import first_of

Effect = Callable[[Connection], None]
"""What is to be written in the same transaction as the objects: a cursor, a shard, a status."""

GROUP_PAGES = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """What every record of a connection says of where it is from."""

    owner: Owner
    account_id: str | None
    livemode: bool
    connected_at: int
    clock_offset: int = 0
    """Seconds from our clock to the server's."""

    @property
    def origin(self) -> Origin:
        return Origin(self.owner.connection_id, self.owner.workspace_id, self.account_id, self.livemode)


@dataclass
class _Batch:
    seen: tuple[Seen, ...]
    effects: tuple[Effect, ...]
    done: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class _Sent:
    """A group whose records Kafka has been given."""

    group: Sequence[_Batch]
    outcome: Outcome
    acknowledgements: Sequence[Acknowledgement]


class Publisher:
    """Publishes and commits for one connection under one lease; use as an async context."""

    def __init__(self, outside: Outside, identity: Identity, clock: Clock) -> None:
        self._outside = outside
        self._identity = identity
        self._clock = clock
        self._queue: asyncio.Queue[_Batch] = asyncio.Queue()
        self._uncommitted: Mapping[str, Known] = {}
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
        """Send group after group; while one is sent, the one before it is acknowledged and committed."""
        try:
            async with asyncio.TaskGroup() as committing:
                before: asyncio.Task[None] | None = None
                while True:
                    sent = await self._send_next(before)
                    if before is not None:
                        await before
                    self._uncommitted = sent.outcome.known
                    before = committing.create_task(self._commit(sent))
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None

    async def _send_next(self, before: asyncio.Task[None] | None) -> _Sent:
        group = await self._next_group()
        try:
            return await self._outside.run(partial(self._send, group, self._uncommitted))
        except Exception:
            if before is not None:
                await asyncio.wait({before})  # what was sent before this failed is still committed
            raise

    async def _next_group(self) -> list[_Batch]:
        group = [await self._queue.get()]
        while len(group) < GROUP_PAGES and not self._queue.empty():
            group.append(self._queue.get_nowait())
        return group

    def _send(self, group: Sequence[_Batch], uncommitted: Mapping[str, Known], conn: Connection) -> _Sent:
        """Fold a group into what is known, of which the group before may not be committed yet, and give its records
        to Kafka."""
        identity = self._identity
        connection_id = identity.owner.connection_id
        seen = _with_customers(conn, connection_id, [one for batch in group for one in batch.seen])
        ids = {one.object.id for one in seen}
        known = known_objects(conn, connection_id, ids)
        known.update((object_id, uncommitted[object_id]) for object_id in ids & uncommitted.keys())
        conn.commit()  # no transaction stays open while Kafka is waited for
        outcome = fold(known, seen, connection_id=connection_id, connected_at=identity.connected_at)
        producer = self._outside.producer
        acknowledgements = [
            producer.send(one.topic, subject=one.subject, key=one.key, value=one.value, headers=one.headers)
            for one in ready(outcome.records, identity.origin)
        ]
        return _Sent(group, outcome, acknowledgements)

    async def _commit(self, sent: _Sent) -> None:
        await self._outside.run(partial(self._settle, sent))
        self._uncommitted = {}
        for batch in sent.group:
            if not batch.done.done():
                batch.done.set_result(sent.outcome)

    def _settle(self, sent: _Sent, conn: Connection) -> None:
        """Wait for Kafka, then write. No transaction is open before."""
        self._outside.producer.settle(sent.acknowledgements)
        for kind, count in Counter(record.kind for record in sent.outcome.records).items():
            PUBLISHED.labels(RAW_TOPICS[kind].name).inc(count)
        failpoint("poller_after_publish")
        fence(conn, self._identity.owner)
        seen_at = int(self._clock.now().timestamp()) + self._identity.clock_offset
        write_outcome(conn, self._identity.owner, sent.outcome, seen_at=seen_at)
        for batch in sent.group:
            for effect in batch.effects:
                effect(conn)
        failpoint("poller_before_commit")
        conn.commit()
        failpoint("poller_after_commit")


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
