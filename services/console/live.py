"""Live updates: one listener for the whole process tells every open page that its figures changed.

It hears of commits by `NOTIFY dropfix`, and looks every two seconds besides. It looks only at workspaces that
somebody has open, once for all of their browsers, and says only *that* something changed: the page fetches itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic

import psycopg
from psycopg_pool import PoolTimeout

from runtime.database import Connection, Database, listening
from runtime.health import Health
from runtime.logs import get_logger

CHANNEL = "dropfix"
LOOK_EVERY_S = 2.0
REST_S = 0.25
"""Between two looks at least: a first minute notifies many times a second."""
WORK_SHARE = 10
"""A look that takes long is followed by a rest this many times as long."""
RECONNECT_AFTER_S = 1.0

_NEVER = object()
"""What is seen of a workspace before the first look, which therefore tells."""

log = get_logger(__name__)


@dataclass(eq=False)
class Subscription:
    """One open page. `changed` is set in its event loop."""

    loop: asyncio.AbstractEventLoop
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """From any thread; a loop that is gone needs no news."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.changed.set)

    async def changes(self, *, every_s: float) -> AsyncIterator[bool]:
        """True at every change, False whenever nothing happened for so long."""
        while True:
            try:
                await asyncio.wait_for(self.changed.wait(), every_s)
            except TimeoutError:
                yield False
            else:
                self.changed.clear()
                yield True


class LiveUpdates:
    """Watches the workspaces that pages are open for. `look` gives a value that differs when their figures do."""

    def __init__(
        self,
        database: Database,
        look: Callable[[str], object],
        *,
        health: Health,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`failed` is told of what is no passing fault; the thread has ended then."""
        self._database = database
        self._health = health
        self._failed = failed
        self._look = look
        self._pages: dict[str, set[Subscription]] = {}
        self._seen: dict[str, object] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the listener and every page's stream."""
        self._stopping.set()
        with self._lock:
            pages = [page for pages in self._pages.values() for page in pages]
        for page in pages:
            page.tell()
        if self._thread.is_alive():
            self._thread.join(LOOK_EVERY_S + 1)

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    @contextmanager
    def page(self, workspace_id: str) -> Iterator[Subscription]:
        """A subscription for as long as the block lasts. It is told at its start: a page is older than its stream."""
        page = Subscription(asyncio.get_running_loop())
        page.changed.set()
        with self._lock:
            self._pages.setdefault(workspace_id, set()).add(page)
        try:
            yield page
        finally:
            with self._lock:
                self._pages[workspace_id].discard(page)
                if not self._pages[workspace_id]:
                    del self._pages[workspace_id]
                    self._seen.pop(workspace_id, None)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._listen()
        except BaseException as error:
            self._failed(error)
            raise

    def _listen(self) -> None:
        try:
            with listening(self._database, CHANNEL) as connection:
                self._health.resumes("database")
                self._watch(connection)
        except (psycopg.OperationalError, PoolTimeout) as error:
            self._health.waits("database", "PostgreSQL does not answer")
            log.warning("live updates wait for PostgreSQL", reason=type(error).__name__)
            self._stopping.wait(RECONNECT_AFTER_S)

    def _watch(self, connection: Connection) -> None:
        while not self._stopping.is_set():
            for _ in connection.notifies(timeout=LOOK_EVERY_S, stop_after=1):
                pass
            began = monotonic()
            self.look_around()
            self._stopping.wait(max(REST_S, WORK_SHARE * (monotonic() - began)))

    def look_around(self) -> None:
        """Look at every workspace that is open, and tell the pages of those that changed."""
        with self._lock:
            open_now = list(self._pages)
        for workspace_id in open_now:
            found = self._look(workspace_id)
            with self._lock:
                pages = list(self._pages.get(workspace_id, ()))
                changed = self._seen.get(workspace_id, _NEVER) != found
                if pages:
                    self._seen[workspace_id] = found
            for page in pages if changed else ():
                page.tell()
