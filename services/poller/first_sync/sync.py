"""The first sync: every list of it page by page, several side by side, resumable after a kill.

Every page is published and committed together with its part's position, so that a poller that is killed goes on
where it was. Which page is read next is the agenda's to say; other pages are fetched while one is being published.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import stripe

from runtime.database import Connection
from runtime.logs import get_logger
from services.poller.budget import allowed_reads
from services.poller.connecting.connect import count_customers, probe
from services.poller.errors import AbilitiesChanged
from services.poller.first_sync.agenda import Agenda
from services.poller.first_sync.first_minute import DAY, STAGES, Progress, Task, percent_of, tasks
from services.poller.first_sync.ranges import Shard, Span, cut
from services.poller.first_sync.shards import add_shards, forget_shards, load_shards, move_shard, plan_shards
from services.poller.publishing.changes import Seen
from services.poller.publishing.publish import Effect
from services.poller.reading.limits import full_jitter
from services.poller.reading.reader import PageRead
from services.poller.session import Session
from services.poller.status import shown_so_far, update_status
from services.poller.steady.plan import HOT, Cursor, advanced
from services.poller.store import measure, move_cursor, transactions_of_window
from services.poller.together import first_of

READERS_LIVE, READERS_TEST = 24, 8
"""Pages read at once. Stripe lets a test key make a quarter of the requests, and whoever waits for a turn holds it up
for what is more urgent."""
TRIES = 3
"""How often a page that is refused though the key may read its list is asked for, before the rest goes on without."""
SAY_EVERY = 0.4
PURPOSE = "first_minute"
Refusal = stripe.PermissionError | stripe.InvalidRequestError | stripe.APIError
log = get_logger(__name__)


class FirstSync:
    """Reads what a new connection needs before it can be polled."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._agenda = Agenda((), (), readers=0)
        self._moved = asyncio.Event()
        self._counted = False
        self._customers: int | None = None
        self._first_minute_over = False
        self._percent = 0
        self._said_at = 0.0
        self._looking = asyncio.Lock()
        self._looked = 0
        self._tries = Counter[tuple[str, int]]()
        self._failure: Refusal | None = None

    async def run(self) -> None:
        """Everything that is not read yet, from where an earlier run was; returns when all is committed.

        Raises what stops it: the SDK's exceptions, UnreadableAnswer, LeaseLost, BrokerError, psycopg's errors;
        AbilitiesChanged where the next run is to be by what the key gives now. A list that cannot be read stops it
        only after the others were read, and is taken up by the next run where it was.
        """
        session = self._session
        wanted, shards, resumed = await self._plan()
        if resumed:
            shown = await session.shell.outside.run(lambda conn: shown_so_far(conn, session.connection_id))
            self._percent, self._customers = shown.percent, shown.customers
        readers = READERS_LIVE if session.lease.livemode else READERS_TEST
        self._agenda = Agenda(wanted, shards, readers=readers)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._begin())
                await self._hand_out(group)
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        if self._failure is not None:
            raise self._failure
        await self._end_first_minute()
        await self._finish()

    async def _plan(self) -> tuple[Sequence[Task], list[Shard], bool]:
        """(tasks, their parts, whether some were read before). Of a connection that was synced before, what its key can
        read only now: that was planned when it was validated."""
        session = self._session
        found, history_days = session.reader.capabilities, session.shell.settings.history_days
        if not session.lease.synced:
            wanted = tasks(found, as_of=session.connected_at, history_days=history_days)
            planned = await session.shell.outside.run(lambda conn: plan_shards(conn, session.connection_id, wanted))
            return wanted, *planned
        self._counted = self._first_minute_over = True
        # A search is asked for in the same words by whoever goes on with it: its tokens are good for no other.
        today = session.server_now() // DAY * DAY
        shards = await session.shell.outside.run(lambda conn: load_shards(conn, session.connection_id))
        begun = {shard.task for shard in shards}
        wanted = tuple(task for task in tasks(found, as_of=today, history_days=history_days) if task.name in begun)
        return wanted, shards, True

    async def _hand_out(self, group: asyncio.TaskGroup) -> None:
        """Have a page read wherever there is room for one, until nothing is left."""
        while not self._agenda.finished:
            self._moved.clear()
            while (shard := self._agenda.take()) is not None:
                group.create_task(self._read_page(self._agenda.tasks[shard.task], shard))
            await self._moved.wait()

    async def _begin(self) -> None:
        """Say that it begins; the first thing told is how many customers there are."""
        session = self._session
        if self._counted:
            await session.say(state="syncing", reason=None, remedy=None, last_error=None, progress=self._progress())
            return
        total = await count_customers(session.reader, until=session.connected_at)
        self._customers = total if total is not None else self._customers
        self._counted = True
        await session.say(state="first_minute", customers_counted=self._customers, progress=self._progress())
        await self._end_first_minute()

    async def _read_page(self, task: Task, shard: Shard) -> None:
        """One page, from Stripe to the log."""
        seen: tuple[Seen, ...] = ()
        other: Shard | None = None
        looked = self._looked
        try:
            read = await self._page(task, shard)
            seen, other = read.seen, self._advance(task, shard, read)
        except (stripe.PermissionError, stripe.InvalidRequestError, stripe.APIError) as error:
            await self._refused(task, shard, error, looked)
        moving = self._moving(shard, other)
        self._agenda.give_back(shard)
        self._moved.set()
        await self._session.commit(seen, moving)
        self._agenda.published(shard)
        self._moved.set()
        await self._end_first_minute()

    async def _refused(self, task: Task, shard: Shard, error: Refusal, looked: int) -> None:
        """A page was refused: its part stays where it was, to be tried again; only what the key may not read any more
        is given up. `looked` is how often that had been looked at when the page was asked for."""
        log.warning("a page was refused", task=task.name, error=type(error).__name__)
        if not isinstance(error, stripe.APIError):
            await self._look_at_abilities(looked)
        self._tries[task.name, shard.number] += 1
        tries = self._tries[task.name, shard.number]
        if tries < TRIES and not isinstance(error, stripe.APIError):
            await asyncio.sleep(full_jitter(tries, draw=random.random))
        elif isinstance(error, stripe.InvalidRequestError) and task.only_sooner:
            shard.done = True  # the server does not know this way of asking
        else:
            self._agenda.set_aside(shard)
            self._failure = self._failure or error

    async def _look_at_abilities(self, looked: int) -> None:
        """Look once for pages that are refused together, and at most `TRIES` times in a run."""
        async with self._looking:
            if self._looked > min(looked, TRIES - 1):
                return
            self._looked += 1
            reader = self._session.reader
            found = (await probe(reader)).capabilities
            if self._session.lease.synced:
                found = found.no_more_than(reader.capabilities)
            if found != reader.capabilities:
                reader.capabilities = found
                raise AbilitiesChanged("what the key may read has changed")

    async def _end_first_minute(self) -> None:
        """Say once that what the first minute is for is there."""
        first = STAGES[: STAGES.index("mrr") + 1]
        if self._first_minute_over or not self._counted or not all(self._agenda.is_read(stage) for stage in first):
            return
        self._first_minute_over = True
        now = self._session.shell.clock.now()
        await self._session.say(state="syncing", first_minute_at=now, progress=self._progress())

    async def _page(self, task: Task, shard: Shard) -> PageRead:
        try:
            return await self._fetch(task, shard)
        except stripe.InvalidRequestError:
            if shard.after_id is None:
                raise
            # The object that the page was to follow is gone, and the part's range leads on; or a search's token is.
            shard.after_id = None
            return await self._fetch(task, shard)

    async def _fetch(self, task: Task, shard: Shard) -> PageRead:
        if task.query.search is not None:
            return await self._session.reader.page(task.query, purpose=PURPOSE, page=shard.after_id)
        query = task.query.between(shard.created_from, shard.created_before)
        return await self._session.reader.page(query, purpose=PURPOSE, after=shard.after_id)

    def _advance(self, task: Task, shard: Shard, read: PageRead) -> Shard | None:
        """Move the part past this page; gives another where some of the rest is worth a reader of its own."""
        shard.objects += len(read.page.listed)
        oldest = read.page.oldest
        leads_to = read.page.next_page if task.query.search is not None else oldest.id if oldest else None
        if not read.page.has_more or leads_to in {None, shard.after_id}:
            shard.done = True
            return None
        shard.after_id = leads_to
        if task.query.search is not None or oldest is None or oldest.facts.created is None:
            return None
        shard.created_before = oldest.facts.created + 1
        return self._cut(shard, read) if self._agenda.wants_readers(task) else None

    def _cut(self, shard: Shard, read: PageRead) -> Shard | None:
        until = shard.created_before
        if until is None:
            return None
        newest = read.page.listed[0].facts.created or until
        seconds_per_page = float(max(1, newest + 1 - until))
        parts = cut(Span(shard.created_from, until), seconds_per_page=seconds_per_page)
        if parts is None:
            return None
        shard.created_from = parts[0].since
        return self._agenda.cut_off(shard, created_from=parts[1].since, created_before=parts[1].until)

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
        """For the card; it only grows. The stage is the first that is not over."""
        done, read = self._agenda.counts()
        totals: dict[str, int | None] = {**read, "customers": self._customers}
        open_ = [
            stage for stage in STAGES if not (self._counted if stage == "counting" else self._agenda.is_read(stage))
        ]
        stage = open_[0] if open_ else STAGES[-1]
        share = self._agenda.share(stage) if stage != "counting" else 0.0
        self._percent = percent_of(stage, share=share, before=self._percent)
        return Progress(stage, done, totals, self._percent).shown()

    async def _finish(self) -> None:
        session = self._session
        self._percent = 100

        def write(conn: Connection) -> None:
            sizes = measure(conn, session.connection_id)
            for name in () if session.lease.synced else HOT:
                at = advanced(name, session.connected_at, session.connected_at, began=session.server_now())
                move_cursor(conn, session.connection_id, name, Cursor(at=at))
            forget_shards(conn, session.connection_id)
            transactions = transactions_of_window(conn, session.connection_id, session.shell.clock.now().date())
            session.meter.allowed = allowed_reads(transactions)
            now = session.shell.clock.now()
            done = {**self._progress(), "stage": "done"}
            columns = {"state": "live", "synced_at": now, "customers_counted": sizes.customers, "progress": done}
            update_status(conn, session.connection_id, now=now, **columns)

        await session.commit((), write)
