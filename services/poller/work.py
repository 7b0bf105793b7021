"""The work on one leased connection: validate its key, read its first minute, poll it; and how it is left."""

import random
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import stripe

from runtime.errors import BrokerError
from runtime.logs import get_logger
from runtime.vault import Keyring
from schemas.stripe.keys import AcceptedKey, RefusedKey, assess_key
from services.poller import lease as leases
from services.poller.connecting.connect import newly_able
from services.poller.connecting.validate import UNABLE, say_abilities, stop_unable, validate
from services.poller.errors import AbilitiesChanged, LeaseLost, NothingLeft, PollerError, Refused, Stopped
from services.poller.first_sync.sync import FirstSync
from services.poller.kinds import KINDS
from services.poller.lease import Lease, Release
from services.poller.publishing.publish import Identity, Publisher
from services.poller.reading.calls import asked_to_wait
from services.poller.reading.failures import Action, Failing, explain
from services.poller.reading.limits import full_jitter
from services.poller.reading.reader import Reader
from services.poller.reading.transport import StripeAddress
from services.poller.refresh.queue import refuse_all
from services.poller.refresh.refresher import Refresher
from services.poller.session import Session, Shell, open_reader, say
from services.poller.steady.plan import slowed
from services.poller.steady.poll import Poll, Polled

LONGEST_WAIT = 300.0
REPROBE_EVERY = 288
"""Polls after which permissions that were missing, and search, are tried again: a day."""
UNABLE_BELIEVED, UNABLE_WAIT = 6, 300.0
"""Failures, and the seconds between them, before a key that can read nothing all of a sudden is believed to have lost
its permissions."""
OWN_FAULT = "DropFix met a fault of its own while it read this account; it tries again."
SEE_THE_LOG = "If it stays, the poller's log says what it was: look for “an unforeseen fault”."
log = get_logger(__name__)


@dataclass(frozen=True)
class Work:
    """Works leased connections. What is wrong with one connection is said on its card and never raised."""

    shell: Shell
    keyring: Keyring

    async def work(self, lease: Lease) -> None:
        """Do what is due for the connection and give the lease back."""
        try:
            left = await self._try(lease)
        except LeaseLost as lost:
            log.info("lease lost", connection_id=lease.connection_id, reason=str(lost))
            return
        except (BrokerError, psycopg.Error) as error:
            log.warning("interrupted", connection_id=lease.connection_id, reason=str(error))
            left = self._again(lease)
        except Exception as error:
            log.exception("an unforeseen fault", connection_id=lease.connection_id)
            try:
                left = await self._unforeseen(lease, error)
            except LeaseLost as lost:
                log.info("lease lost", connection_id=lease.connection_id, reason=str(lost))
                return
        await self._write_down()
        await self.shell.outside.run(lambda conn: leases.release(conn, lease.owner, left))

    async def _write_down(self) -> None:
        """The requests made are counted before the lease is given back: whoever polls the account next goes by them."""
        try:
            await self.shell.audit.flush()
        except (BrokerError, psycopg.Error) as error:
            log.warning("the audit waits", reason=str(error).strip())

    async def _try(self, lease: Lease) -> Release:
        base = self.shell.settings.stripe_api_base
        try:
            key, own = await self.shell.outside.run(lambda conn: leases.unseal(conn, lease.connection_id, self.keyring))
            base = own or base
            key, kind, address = _usable(key, base)
            reader = await open_reader(self.shell, lease, key, address)
            return await self._phases(lease, reader, kind)
        except LeaseLost:
            raise
        except (stripe.StripeError, PollerError) as error:
            return await self._failed(lease, error, base)

    async def _phases(self, lease: Lease, reader: Reader, kind: AcceptedKey) -> Release:
        if lease.phase == "validating":
            validated = await validate(self.shell, lease, reader, kind, self.keyring)
            return self._leave(lease, phase="ended" if validated is None else validated.phase, wait=0.0)
        connected_at = lease.connected_at or int(self.shell.clock.now().timestamp())
        identity = Identity(lease.owner, lease.account_id, lease.livemode, connected_at, lease.clock_offset)
        async with Publisher(self.shell.outside, identity, self.shell.clock) as publisher:
            session = Session(lease, connected_at, reader, publisher, self.shell)
            if not lease.synced or lease.phase == "first_minute":
                await self._sync(session, kind)
                return await self._left_live(session)
            await Refresher(session).run()
            if lease.next_at > self.shell.clock.now():
                return await self._left_as_it_was(session)
            able = reader.capabilities.any_readable
            if (lease.tick % REPROBE_EVERY == 0 or not able) and await newly_able(reader):
                return self._leave(lease, phase="validating", wait=0.0)
            polled = await self._polled(session, kind)
            if polled.abilities_changed:
                await self._remember_abilities(session, kind)
            return await self._left_live(session, polled)

    async def _polled(self, session: Session, kind: AcceptedKey) -> Polled:
        try:
            if session.reader.capabilities.any_readable:
                return await Poll(session).run()
        except AbilitiesChanged:
            log.info("nothing can be read", connection_id=session.connection_id)
        await self._remember_abilities(session, kind)
        raise NothingLeft(UNABLE)

    async def _sync(self, session: Session, kind: AcceptedKey) -> None:
        """The first sync, planned anew whenever a list is refused because the key gives something else than before."""
        failure = AbilitiesChanged()
        for _ in KINDS:
            try:
                await FirstSync(session).run()
            except AbilitiesChanged as changed:
                failure = changed
                await self._remember_abilities(session, kind)
            else:
                return
        raise failure

    async def _remember_abilities(self, session: Session, kind: AcceptedKey) -> None:
        """Keep what the key gives now, and show it.

        A key that may read nothing any more is tried again a few times before it is believed (NothingLeft), and then
        the connection stops (Stopped).
        """
        lease, found = session.lease, session.reader.capabilities
        if not found.any_readable:
            if lease.failures < UNABLE_BELIEVED:
                raise NothingLeft(UNABLE)
            await stop_unable(self.shell, lease, found)
        await self.shell.outside.run(lambda conn: leases.write_capabilities(conn, lease.owner, found))
        await say_abilities(self.shell, lease, session.reader, kind)

    async def _left_live(self, session: Session, polled: Polled | None = None) -> Release:
        next_at, meter = self._next_poll(session.connection_id), session.meter
        columns: dict[str, object] = {"state": "live", "remedy": None, "last_error": None, "next_poll_at": next_at}
        columns |= {"reads_used": meter.used, "reads_allowed": meter.allowed, "reason": None}
        if polled is not None:
            columns |= {"last_poll_at": self.shell.clock.now(), "calls_last_poll": polled.list_calls}
            columns |= {
                "reason": slowed(polled.left_out, singles_spent=polled.singles_spent),
                "customers_counted": polled.sizes.customers,
            }
            if polled.failure is not None:
                columns |= self._told(session, polled.failure)
        await session.say(**columns)
        left = Release(phase="live", synced=True, tick=session.lease.tick + 1, next_at=next_at)
        if polled is None or polled.failure is None or polled.list_calls:
            return left
        return replace(self._again(session.lease), tick=left.tick)  # whatever this turn's list is, others have theirs

    def _told(self, session: Session, error: Failing) -> dict[str, object]:
        """What the card says of a list that failed while others were read."""
        failure = explain(error, base=session.reader.caller.address.base)
        log.warning("failed in part", connection_id=session.connection_id, failure=failure.label)
        return {"reason": failure.sentence, "remedy": failure.remedy, "last_error": failure.sentence}

    async def _left_as_it_was(self, session: Session) -> Release:
        """Only fresh reads were asked for: the next poll is when it was to be."""
        lease = session.lease
        await session.say(reads_used=session.meter.used, reads_allowed=session.meter.allowed)
        return Release(phase=lease.phase, synced=True, tick=lease.tick, next_at=lease.next_at)

    async def _failed(self, lease: Lease, error: stripe.StripeError | PollerError, base: str) -> Release:
        failure = explain(error, base=base)
        log.warning("failed", connection_id=lease.connection_id, failure=failure.label, action=failure.action.value)
        await self._refuse_what_was_asked(lease, failure.sentence)
        said = {"reason": failure.sentence, "remedy": failure.remedy, "last_error": failure.sentence}
        if failure.action is Action.STOP:
            state = "refused" if lease.phase == "validating" and not lease.synced else "stopped"
            await say(self.shell, lease.owner, state=state, next_poll_at=None, **said)
            return self._leave(lease, phase="stopped", wait=0.0)
        await say(self.shell, lease.owner, **said)
        return self._again(lease, at_least=_asked_to_wait(error))

    async def _unforeseen(self, lease: Lease, error: Exception) -> Release:
        """A fault of our own: other connections go on, this one is tried again, each time after a longer pause."""
        await self._refuse_what_was_asked(lease, OWN_FAULT)
        await say(self.shell, lease.owner, reason=OWN_FAULT, remedy=SEE_THE_LOG, last_error=type(error).__name__)
        return self._again(lease)

    async def _refuse_what_was_asked(self, lease: Lease, reason: str) -> None:
        """Whoever waits for a fresh read is told at once that there will be none."""
        now, machine_now = self.shell.clock.now(), self.shell.clock.machine_now()
        await self.shell.outside.run(
            lambda conn: refuse_all(conn, lease.owner, reason, now=now, machine_now=machine_now)
        )

    def _again(self, lease: Lease, *, at_least: float = 0.0) -> Release:
        """Left as it was, to be taken up again after a pause that grows, and not before so many seconds."""
        wait = 1.0 + full_jitter(lease.failures + 1, draw=random.random, base=2.0, ceiling=LONGEST_WAIT) + at_least
        return replace(self._leave(lease, phase=lease.phase, wait=wait), failures=lease.failures + 1)

    def _leave(self, lease: Lease, *, phase: str, wait: float) -> Release:
        return Release(phase=phase, synced=lease.synced, tick=lease.tick, next_at=self.shell.clock.now(), wait=wait)

    def _next_poll(self, connection_id: str) -> datetime:
        """The next turn: connections are spread over the interval by their id."""
        every = self.shell.settings.poll_seconds
        return next_turn(self.shell.clock.now(), every=every, connection_id=connection_id)


def _asked_to_wait(error: stripe.StripeError | PollerError) -> float:
    """Seconds that the answer behind an error asked to be left alone, or that whoever wrote it may need."""
    if isinstance(error, NothingLeft):
        return UNABLE_WAIT
    headers = error.headers if isinstance(error, stripe.StripeError) else None
    return asked_to_wait(headers or {})


def next_turn(now: datetime, *, every: int, connection_id: str) -> datetime:
    """The first instant after `now` of a grid of `every` seconds that is the connection's own."""
    offset = zlib.crc32(connection_id.encode()) % every
    turns = (int(now.timestamp()) - offset) // every + 1
    return datetime.fromtimestamp(turns * every + offset, UTC)


def _usable(pasted: str, base: str) -> tuple[str, AcceptedKey, StripeAddress]:
    verdict = assess_key(pasted)
    if isinstance(verdict, RefusedKey):
        raise Stopped(verdict.reason, verdict.remedy)
    try:
        return *verdict, StripeAddress.parse(base)
    except ValueError as error:
        raise Refused(f"The address of Stripe's API is wrong: it {error}") from None
