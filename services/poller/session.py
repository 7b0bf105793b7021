"""One connection under one lease: its key unsealed, its reader, its publisher, its meter."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import stripe

from runtime.clock import Clock
from runtime.database import Connection
from runtime.logs import get_logger
from services.poller.audit.audit import Audit, Audited
from services.poller.budget import Meter, allowed_reads
from services.poller.errors import UnreadableAnswer
from services.poller.kinds import Kind
from services.poller.lease import Lease
from services.poller.outside import Outside
from services.poller.publishing.changes import Outcome, Seen
from services.poller.publishing.publish import Effect, Publisher
from services.poller.reading.calls import Caller, CallMade, Versions
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.limits import Limits
from services.poller.reading.reader import Reader
from services.poller.reading.transport import StripeAddress, open_client
from services.poller.settings import Settings
from services.poller.status import update_status
from services.poller.steady.follow import PUT_OFF, next_due
from services.poller.store import (
    Owner,
    fence,
    fold_reads,
    mark_gone,
    put_off,
    reads_by_day,
    subjects_of,
    transactions_of_window,
)

NOT_THERE = (404, "resource_missing")
"""How Stripe answers for an object that it does not know; for an address that it does not know there is no code."""
NOTHING_KNOWN = Capabilities(permissions={})
log = get_logger(__name__)


class Clients:
    """One HTTP client for each address, shared by all connections: it knows no key."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._open: dict[StripeAddress, httpx.AsyncClient] = {}

    def of(self, address: StripeAddress) -> httpx.AsyncClient:
        if address not in self._open:
            self._open[address] = open_client(address, timeout=self._timeout)
        return self._open[address]

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._open.values()))


@dataclass(frozen=True)
class Shell:
    """What the process shares among its connections."""

    outside: Outside
    settings: Settings
    clock: Clock
    audit: Audit
    clients: Clients


@dataclass
class Session:
    """What reading a validated connection needs. It ends with the lease; the key lives no longer."""

    lease: Lease
    connected_at: int
    reader: Reader
    publisher: Publisher
    shell: Shell

    @property
    def connection_id(self) -> str:
        return self.lease.connection_id

    @property
    def meter(self) -> Meter:
        return self.reader.caller.meter

    @property
    def history_from(self) -> int:
        """How far back invoices, charges and payment intents are read, in Unix seconds of the server's clock."""
        return self.connected_at - self.shell.settings.history_days * 86_400

    def server_now(self) -> int:
        """The server's present in Unix seconds: what is due of an object is due by it."""
        return int(self.shell.clock.now().timestamp()) + self.lease.clock_offset

    async def commit(self, seen: Sequence[Seen], *effects: Effect) -> Outcome:
        """Publish and commit what was seen; a dispute's charge is read before it where it is not known yet."""
        charges = [one.object.facts.charge for one in seen if one.object.kind == "dispute" and one.object.facts.charge]
        if charges and self.reader.capabilities.can_read("charge"):
            known = await self.shell.outside.run(lambda conn: subjects_of(conn, self.connection_id, charges))
            for charge in dict.fromkeys(charges):
                if charge not in known:
                    await self.publisher.commit(await self.reader.single("charge", charge, purpose="focused"))
        return await self.publisher.commit(seen, *effects)

    async def read_alone(self, kind: Kind, object_id: str) -> Outcome:
        """Read and commit one object; one that cannot be read is put off, so that it is not tried at every poll, and
        one that Stripe does not know any more is left alone. A record is Stripe's bytes, so there is none of that."""
        now = self.server_now()
        until: int | None = now + PUT_OFF

        def later(conn: Connection) -> None:
            put_off(conn, self.connection_id, [object_id], now=now, until=until)

        def leave_alone(conn: Connection) -> None:
            mark_gone(conn, self.connection_id, object_id)

        try:
            seen = await self.reader.single(kind, object_id, purpose="focused")
        except (stripe.PermissionError, stripe.InvalidRequestError, UnreadableAnswer) as error:
            log.warning("an object cannot be read", kind=kind, error=type(error).__name__)
            gone = isinstance(error, stripe.InvalidRequestError) and (error.http_status, error.code) == NOT_THERE
            return await self.commit((), leave_alone if gone else later)
        until = next((next_due(one.object, seen_at=now) for one in seen if one.object.id == object_id), None)
        return await self.commit(seen, later)

    async def say(self, **columns: object) -> None:
        """Change what the connection's card shows."""
        await say(self.shell, self.lease.owner, **columns)


async def say(shell: Shell, owner: Owner, **columns: object) -> None:
    """Change what a connection's card shows; raises LeaseLost where the lease is another's."""
    now = shell.clock.now()

    def write(conn: Connection) -> None:
        fence(conn, owner)
        update_status(conn, owner.connection_id, now=now, **columns)

    await shell.outside.run(write)


def meter_name(lease: Lease) -> str:
    """What the meter counts by: the account and its mode; the connection until the account is known."""
    return f"{lease.account_id or lease.connection_id}:{'live' if lease.livemode else 'test'}"


async def open_reader(shell: Shell, lease: Lease, key: str, address: StripeAddress) -> Reader:
    """A reader for the connection, with the meter of its account as it stands."""
    account = meter_name(lease)

    def audit(call: CallMade) -> None:
        shell.audit.add(Audited(lease.connection_id, lease.owner.workspace_id, account, call))

    caller = Caller(
        client=shell.clients.of(address),
        address=address,
        limits=Limits(livemode=lease.livemode),
        meter=await shell.outside.run(lambda conn: _load_meter(conn, shell, lease, account)),
        versions=Versions(lease.owner.epoch),
        clock=shell.clock,
        audit=audit,
        clock_offset=timedelta(seconds=lease.clock_offset),
    )
    return Reader(key, caller, lease.capabilities or NOTHING_KNOWN)


def _load_meter(conn: Connection, shell: Shell, lease: Lease, account: str) -> Meter:
    today = shell.clock.now().date()
    if lease.account_id is not None:
        fold_reads(conn, before=meter_name(replace(lease, account_id=None)), account=account)
    allowed = allowed_reads(transactions_of_window(conn, lease.connection_id, today))
    return Meter(allowed=allowed, days=dict(reads_by_day(conn, account, today)), today=today)
