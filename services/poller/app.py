"""The poller's process: it looks for due connections, leases them, and works several side by side."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Thread

import psycopg
import psycopg_pool

from pipeline.worker import inputs_of, run_consumer
from runtime.database import Connection, Database
from runtime.errors import BrokerError
from runtime.kafka import Broker, create_topics
from runtime.logs import get_logger
from runtime.service import Frame
from runtime.vault import Keyring
from schemas.catalogue import RAW_TOPICS, STRIPE_API_CALL, STRIPE_REFRESH_RESULT, dead_letter_topic
from services.poller import lease as leases
from services.poller.audit.audit import Audit
from services.poller.errors import LeaseLost
from services.poller.lease import Lease
from services.poller.memory import Housekeeping, save_memory
from services.poller.outside import Outside
from services.poller.refresh.queue import answer_hopeless
from services.poller.refresh.requests import RefreshRequests
from services.poller.rotation import reseal_old_keys
from services.poller.session import Clients, Shell
from services.poller.settings import Settings
from services.poller.work import Work

CHANNEL = "dropfix_connections"
LOOK_SECONDS = 2.0
DRAIN_SECONDS = 3.0
STOP_SECONDS = 10.0
"""How long the consumer of requests may take to end: it finishes a batch and relays what is there."""
TOPICS = (
    *RAW_TOPICS.values(),
    STRIPE_API_CALL,
    STRIPE_REFRESH_RESULT,
    *inputs_of(RefreshRequests()),
    dead_letter_topic(RefreshRequests.group),
)
log = get_logger(__name__)

_AWAY = (psycopg.Error, psycopg_pool.PoolTimeout, BrokerError)


def serve(settings: Settings, frame: Frame) -> None:
    """Run the poller until it is asked to stop."""
    save_memory()
    keyring = Keyring.read(settings.vault_private_keys)
    database = Database(settings.database_url.get_secret_value(), schema="poller", application="dropfix-poller")
    broker = Broker.of(settings)
    create_topics(broker, TOPICS, replication=settings.topic_replication)
    outside = Outside(database, broker)
    outside.open()
    try:
        outside.producer.find((*RAW_TOPICS.values(), STRIPE_API_CALL))
        with _requests_taken(settings, frame) as answered:
            asyncio.run(Poller(outside, settings, frame, keyring, answered=answered).run())
    finally:
        outside.close()


@contextmanager
def _requests_taken(settings: Settings, frame: Frame) -> Iterator[Event]:
    """While the block runs, a thread takes requests for a fresh read from their topic and relays the answers, at once
    when the event given is set."""
    answered = Event()
    work = partial(run_consumer, RefreshRequests(), settings, frame, written=answered)
    consumer = Thread(target=work, name="requests", daemon=True)
    consumer.start()
    try:
        yield answered
    finally:
        frame.stopping.set()
        consumer.join(STOP_SECONDS)


class Poller:
    """Looks, leases and works until `frame.stopping` is set."""

    def __init__(
        self, outside: Outside, settings: Settings, frame: Frame, keyring: Keyring, *, answered: Event
    ) -> None:
        """`answered` is set when requests for a fresh read may have been."""
        self._answered = answered
        self._outside = outside
        self._settings = settings
        self._frame = frame
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._clients = Clients(settings.stripe_timeout_seconds)
        self._audit = Audit(outside)
        shell = Shell(outside, settings, frame.clock, self._audit, self._clients)
        self._work = Work(shell, keyring)
        self._wake = asyncio.Event()
        self._housekeeping = Housekeeping()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._leases: dict[str, Lease] = {}

    async def run(self) -> None:
        self._wake_to_stop()
        helpers = [asyncio.create_task(work) for work in (self._listen(), self._keep_audit())]
        try:
            while not self._frame.stopping.is_set():
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause())
                self._wake.clear()
        finally:
            await self._drain()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._clients.close()

    def _pause(self) -> float:
        """Seconds between looks: less where simulated time runs fast."""
        return max(0.2, min(LOOK_SECONDS, self._settings.poll_seconds / max(1.0, self._frame.clock.rate) / 4))

    async def _look(self) -> None:
        """Take up what was submitted, let go of what was disconnected, lease what is due."""
        clock = self._frame.clock
        now, machine_now = clock.now(), clock.machine_now()
        try:
            _, ended = await self._outside.run(lambda conn: leases.discover(conn, now=now))
            for connection_id in ended:
                self._let_go(connection_id)
            if resealed := await self._outside.run(lambda conn: reseal_old_keys(conn, self._work.keyring)):
                log.info("keys were sealed to the vault's current key", keys=resealed)
            await self._outside.run(lambda conn: answer_hopeless(conn, now=now, machine_now=machine_now))
            room = leases.room_beside(self._leases.values(), at_once=self._settings.connections_at_once)
            if room.connections:
                due = await self._outside.run(
                    lambda conn: leases.take_leases(conn, owner=self._name, now=now, room=room)
                )
                for lease in due:
                    self._begin(lease)
        except _AWAY as error:
            log.warning("the database does not answer", reason=str(error).strip())
            self._frame.health.waits("database", "the database does not answer")
            return
        self._frame.health.resumes()
        self._frame.health.resumes("database")
        self._frame.health.progressed()

    def _begin(self, lease: Lease) -> None:
        task = asyncio.create_task(self._hold(lease))
        self._working[lease.connection_id] = task
        self._leases[lease.connection_id] = lease
        task.add_done_callback(lambda done: self._ended(lease.connection_id, done))

    def _ended(self, connection_id: str, task: asyncio.Task[None]) -> None:
        if self._working.get(connection_id) is task:
            del self._working[connection_id]
            del self._leases[connection_id]
        self._housekeeping.give_back()
        self._answered.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the work on a connection ended", connection_id=connection_id, exc_info=error)
        self._wake.set()

    def _let_go(self, connection_id: str) -> None:
        if task := self._working.get(connection_id):
            log.info("disconnected", connection_id=connection_id)
            task.cancel()

    async def _hold(self, lease: Lease) -> None:
        """Work, and renew the lease beside it; when the lease is lost the work is dropped at once."""
        working = asyncio.create_task(self._work.work(lease))
        renewing = asyncio.create_task(self._renew(lease))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            else:
                log.info("lease lost", connection_id=lease.connection_id)
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _renew(self, lease: Lease) -> None:
        """Returns when the lease is lost."""
        while True:
            await asyncio.sleep(leases.RENEW_SECONDS)
            try:
                await self._outside.run(lambda conn: leases.renew(conn, lease.owner))
            except LeaseLost:
                return
            except _AWAY as error:
                log.warning("a lease could not be renewed", reason=str(error).strip())

    async def _listen(self) -> None:
        """Wake at once when a connection was submitted or disconnected."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._outside.database.conninfo(), autocommit=True
                ) as conn:
                    await conn.execute(f"LISTEN {CHANNEL}")
                    self._wake.set()
                    async for _ in conn.notifies():
                        self._wake.set()
            except psycopg.Error:
                await asyncio.sleep(LOOK_SECONDS)

    def _wake_to_stop(self) -> None:
        """A thread that waits for the stop, so that the loop need not look for it."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            self._frame.stopping.wait()
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(self._wake.set)

        Thread(target=wait, name="stop", daemon=True).start()

    async def _keep_audit(self) -> None:
        while True:
            try:
                await self._audit.run()
            except _AWAY as error:
                log.warning("the audit waits", reason=str(error).strip())
                await asyncio.sleep(LOOK_SECONDS)

    async def _drain(self) -> None:
        """Let what is under way come to a committed page, then drop it: it goes on where it was."""
        if self._working:
            await asyncio.wait(self._working.values(), timeout=DRAIN_SECONDS)
        held, unfinished = list(self._leases.values()), list(self._working.values())
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        with suppress(*_AWAY):
            for lease in held:
                await self._outside.run(partial(_drop, lease))
            await self._audit.flush()


def _drop(lease: Lease, conn: Connection) -> None:
    leases.drop_lease(conn, lease.owner)
