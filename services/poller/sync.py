"""The first sync: its stages in order, their lists side by side, resumable after a kill.

Every page is published and committed together with its shard's position, so that a poller that is killed goes on
where it was. The next page is fetched while the one before is being published.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import stripe

from runtime.database import Connection
from runtime.logs import get_logger
from services.poller.budget import allowed_reads
from services.poller.changes import Outcome
from services.poller.connect import count_customers
from services.poller.first_minute import STAGES, Progress, Stage, Task, percent_of, tasks
from services.poller.plan import HOT, Cursor
from services.poller.publish import Effect
from services.poller.ranges import Span, cut
from services.poller.reader import PageRead
from services.poller.session import Session
from services.poller.shards import Shard, add_shards, forget_shards, move_shard, plan_shards
from services.poller.status import update_status
from services.poller.store import measure, move_cursor, transactions_of_window
from services.poller.together import first_of

READERS_PER_LIST = 6
SAY_EVERY = 0.4
PURPOSE = "first_minute"
log = get_logger(__name__)


class FirstSync:
    """Reads what a new connection needs before it can be polled."""

    def __init__(self, session: Session, *, percent: int = 0) -> None:
        self._session = session
        found = session.reader.capabilities
        wanted = tasks(found, as_of=session.connected_at, history_days=session.shell.settings.history_days)
        self._tasks = {task.name: task for task in wanted}
        self._shards: dict[str, list[Shard]] = {}
        self._readers: Counter[str] = Counter()
        self._percent = percent
        self._totals: dict[str, int | None] = {}
        self._stage: Stage = STAGES[0]
        self._said_at = 0.0

    async def run(self) -> None:
        """All stages, from where an earlier run was; returns when everything is committed.

        Raises what stops it: the SDK's exceptions, UnreadableAnswer, LeaseLost, BrokerError, psycopg's errors.
        """
        session = self._session
        wanted = list(self._tasks.values())
        for shard in await session.shell.outside.run(lambda conn: plan_shards(conn, session.connection_id, wanted)):
            self._shards.setdefault(shard.task, []).append(shard)
        await self._count()
        for stage in STAGES[1:]:
            self._stage = stage
            await self._read_stage(stage)
            if stage == "mrr":
                await session.say(state="syncing", first_minute_at=session.shell.clock.now(), progress=self._progress())
        await self._finish()

    async def _count(self) -> None:
        session = self._session
        total = await count_customers(session.reader, until=session.connected_at)
        self._totals["customers"] = total
        await session.say(state="first_minute", customers_counted=total, progress=self._progress())

    async def _read_stage(self, stage: Stage) -> None:
        unread = [
            shard
            for task in self._tasks.values()
            if task.stage == stage
            for shard in self._shards[task.name]
            if not shard.done
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for shard in unread:
                    self._begin(group, shard)
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None

    def _begin(self, group: asyncio.TaskGroup, shard: Shard) -> None:
        task = self._tasks[shard.task]
        self._readers[task.query.path] += 1
        group.create_task(self._read(group, task, shard))

    async def _read(self, group: asyncio.TaskGroup, task: Task, shard: Shard) -> None:
        try:
            await self._read_pages(group, task, shard)
        except (stripe.PermissionError, stripe.InvalidRequestError) as error:
            log.warning("a list cannot be read", task=task.name, error=type(error).__name__)
            shard.done = True
            await self._session.commit((), self._moving(shard, None))
        finally:
            self._readers[task.query.path] -= 1

    async def _read_pages(self, group: asyncio.TaskGroup, task: Task, shard: Shard) -> None:
        committing: asyncio.Task[Outcome] | None = None
        token: str | None = None
        while not shard.done:
            read = await self._page(task, shard, token)
            token = read.page.next_page
            other = self._advance(task, shard, read)
            if committing is not None:
                await committing
            committing = asyncio.create_task(self._session.commit(read.seen, self._moving(shard, other)))
            if other is not None:
                self._begin(group, other)
        if committing is not None:
            await committing

    async def _page(self, task: Task, shard: Shard, token: str | None) -> PageRead:
        query = task.query
        if query.search is not None:
            return await self._session.reader.page(query, purpose=PURPOSE, page=token)
        query = query.between(shard.created_from, shard.created_before)
        try:
            return await self._session.reader.page(query, purpose=PURPOSE, after=shard.after_id)
        except stripe.InvalidRequestError:
            if shard.after_id is None:
                raise
            # The object the page was to follow is gone: the shard's range alone leads on.
            shard.after_id = None
            return await self._session.reader.page(query, purpose=PURPOSE)

    def _advance(self, task: Task, shard: Shard, read: PageRead) -> Shard | None:
        """Move the shard past this page; gives another shard where a part of the rest is worth a reader of its own."""
        shard.objects += len(read.page.listed)
        oldest = read.page.oldest
        more = read.page.has_more or read.page.next_page is not None
        if oldest is None or not more or oldest.id == shard.after_id:
            shard.done = True
            return None
        shard.after_id = oldest.id
        if task.query.search is not None:
            return None
        created = oldest.facts.created
        if created is None:
            return None
        shard.created_before = created + 1
        return self._cut(task, shard, read) if task.divisible else None

    def _cut(self, task: Task, shard: Shard, read: PageRead) -> Shard | None:
        if self._readers[task.query.path] >= READERS_PER_LIST or shard.created_before is None:
            return None
        newest = read.page.listed[0].facts.created or shard.created_before
        rest = Span(shard.created_from, shard.created_before)
        parts = cut(rest, seconds_per_page=float(max(1, newest + 1 - shard.created_before)))
        if parts is None:
            return None
        shard.created_from = parts[0].since
        other = Shard(task.name, len(self._shards[task.name]), parts[1].since, parts[1].until)
        self._shards[task.name].append(other)
        return other

    def _moving(self, shard: Shard, other: Shard | None) -> Effect:
        """What to write with a page: the positions as they are now, whatever is read before they are committed."""
        connection_id, moved, begun = self._session.connection_id, shard.moved(), replace(other) if other else None

        def move(conn: Connection) -> None:
            move_shard(conn, connection_id, moved)
            if begun is not None:
                add_shards(conn, connection_id, [begun])
            if monotonic() - self._said_at >= SAY_EVERY:
                self._said_at = monotonic()
                update_status(conn, connection_id, now=self._session.shell.clock.now(), progress=self._progress())

        return move

    def _progress(self) -> dict[str, object]:
        done: Counter[str] = Counter()
        for task in self._tasks.values():
            done[task.counts] += sum(shard.objects for shard in self._shards.get(task.name, ()))
        totals = dict(self._totals)
        for name in {task.counts for task in self._tasks.values()} - {"customers"}:
            if self._is_read(name):
                totals[name] = done[name]
        self._percent = percent_of(self._stage, share=self._share(), before=self._percent)
        return Progress(self._stage, done, totals, self._percent).shown()

    def _is_read(self, counts: str) -> bool:
        parts = [shard for task in self._tasks.values() if task.counts == counts for shard in self._shards[task.name]]
        return all(shard.done for shard in parts)

    def _share(self) -> float:
        parts = [_share_of(self._shards[task.name]) for task in self._tasks.values() if task.stage == self._stage]
        return sum(parts) / len(parts) if parts else 1.0

    async def _finish(self) -> None:
        session = self._session
        self._percent = 100

        def write(conn: Connection) -> None:
            sizes = measure(conn, session.connection_id)
            for name in HOT:
                move_cursor(conn, session.connection_id, name, Cursor(at=session.connected_at))
            forget_shards(conn, session.connection_id)
            transactions = transactions_of_window(conn, session.connection_id, session.shell.clock.now().date())
            session.meter.allowed = allowed_reads(transactions)
            now = session.shell.clock.now()
            done = {**self._progress(), "stage": "done"}
            columns = {"state": "live", "synced_at": now, "customers_counted": sizes.customers, "progress": done}
            update_status(conn, session.connection_id, now=now, **columns)

        await session.commit((), write)


def _share_of(shards: Sequence[Shard]) -> float:
    """How much of a task is read: unknown until its end, so it only ever comes closer to it."""
    if all(shard.done for shard in shards):
        return 1.0
    objects = sum(shard.objects for shard in shards)
    return objects / (objects + 300 * sum(not shard.done for shard in shards))
