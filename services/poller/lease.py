"""Leases: which poller works a connection, until when, and under which epoch.

A lease is a few seconds of the machine's time, renewed while the work goes on. Its epoch rises at every lease and is
the high part of every version published under it, so that whatever a poller that lost its lease still sends is older
than what its successor sends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from runtime.database import Connection
from runtime.errors import VaultError
from runtime.vault import Keyring
from services.poller.connecting.account import Neighbour
from services.poller.errors import KeyUnreadable, LeaseLost
from services.poller.kinds import Kind
from services.poller.reading.capabilities import Capabilities
from services.poller.statements import statement
from services.poller.steady.plan import Sizes
from services.poller.store import Owner

LEASE_SECONDS = 12.0
RENEW_SECONDS = 3.0
KEPT_FROM_SYNCS = 4
"""One in so many of a poller's places is never a first sync's, which may last for hours."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A connection that is this poller's for a while."""

    owner: Owner
    phase: str
    account_id: str | None
    livemode: bool
    capabilities: Capabilities | None
    connected_at: int | None
    synced: bool
    sizes: Sizes | None
    tick: int
    failures: int
    next_at: datetime
    clock_offset: int = 0

    @property
    def connection_id(self) -> str:
        return self.owner.connection_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What validating a key told: `as_of` is the newest instant of the server's clock, `clock_offset` the seconds from
    our clock to it."""

    account_id: str | None
    found: Capabilities
    as_of: int
    clock_offset: int


@dataclass(frozen=True, slots=True)
class Release:
    """How a connection is left. `wait` is machine seconds before it is looked at again, beside `next_at`."""

    phase: str
    synced: bool
    tick: int
    next_at: datetime
    wait: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Connections that a poller can take up now, and how many of them at most for their first sync."""

    connections: int
    syncs: int


def room_beside(held: Iterable[Lease], *, at_once: int) -> Room:
    """What is left of `at_once` places beside the leases held: first syncs, however many wait, leave some of the places
    to polls and to keys that were just submitted."""
    phases = [lease.phase for lease in held]
    connections = max(0, at_once - len(phases))
    syncs = at_once - at_once // KEPT_FROM_SYNCS - phases.count("first_minute")
    return Room(connections, max(0, min(connections, syncs)))


def take_leases(conn: Connection, *, owner: str, now: datetime, room: Room) -> list[Lease]:
    """Lease connections that nobody works and that are due, or asked for a fresh read of a customer, as far as there is
    room, those that have been due longest first.

    `now` is domain time.
    """
    taken = _take(conn, owner, now, room.syncs, syncs=True) if room.syncs else []
    left = room.connections - len(taken)
    return taken + (_take(conn, owner, now, left, syncs=False) if left else [])


def _take(conn: Connection, owner: str, now: datetime, limit: int, *, syncs: bool) -> list[Lease]:
    columns = {"owner": owner, "now": now, "limit": limit, "seconds": LEASE_SECONDS, "syncs": syncs}
    return [_lease(row) for row in conn.execute(statement("lease"), columns)]


def _lease(row: Sequence[object]) -> Lease:
    connection_id, workspace_id, phase, account_id, livemode, capabilities, connected_at, synced, sizes, *rest = row
    tick, failures, epoch, next_at, clock_offset = rest
    return msgspec.convert(
        {
            "owner": {"connection_id": connection_id, "workspace_id": workspace_id, "epoch": epoch},
            "phase": phase,
            "account_id": account_id,
            "livemode": livemode,
            "capabilities": capabilities,
            "connected_at": connected_at,
            "synced": synced,
            "sizes": sizes,
            "tick": tick,
            "failures": failures,
            "next_at": next_at,
            "clock_offset": clock_offset,
        },
        type=Lease,
    )


def renew(conn: Connection, owner: Owner) -> None:
    """Keep the lease; raises LeaseLost where it is another's, or the connection ended."""
    columns = {"connection_id": owner.connection_id, "epoch": owner.epoch, "seconds": LEASE_SECONDS}
    if conn.execute(statement("renew"), columns).fetchone() is None:
        raise LeaseLost(f"the lease of {owner.connection_id} is gone")


def release(conn: Connection, owner: Owner, left: Release) -> None:
    """Give the lease back; nothing happens where it is another's already."""
    columns = {
        "connection_id": owner.connection_id,
        "epoch": owner.epoch,
        "phase": left.phase,
        "synced": left.synced,
        "tick": left.tick,
        "next_at": left.next_at,
        "wait": left.wait,
        "failures": left.failures,
    }
    conn.execute(statement("release"), columns)


def drop_lease(conn: Connection, owner: Owner) -> None:
    """Let another poller go on at once: this one stops."""
    conn.execute(statement("drop_lease"), {"connection_id": owner.connection_id, "epoch": owner.epoch})


def write_capabilities(conn: Connection, owner: Owner, found: Capabilities) -> None:
    """Remember what the key gives now."""
    columns = {"capabilities": Jsonb(msgspec.to_builtins(found))}
    conn.execute(statement("able"), {**columns, "connection_id": owner.connection_id, "epoch": owner.epoch})


def discover(conn: Connection, *, now: datetime) -> tuple[list[str], list[str]]:
    """Take up connections that were submitted and end those that were disconnected; gives the ids of both."""
    found = conn.execute(statement("discover"), {"now": now}).fetchall()
    for connection_id, workspace_id, livemode in found:
        columns = {"connection_id": connection_id, "workspace_id": workspace_id, "livemode": livemode, "now": now}
        conn.execute(statement("open_status"), columns)
    ended = [row[0] for row in conn.execute(statement("end"))]
    if ended:
        conn.execute(statement("close_status"), {"ids": ended, "now": now})
    return [row[0] for row in found], ended


def unseal(conn: Connection, connection_id: str, keyring: Keyring) -> tuple[str, str | None]:
    """(the key, the address of this account's Stripe or None for the usual one).

    Raises LeaseLost where the key is gone, KeyUnreadable where it does not open.
    """
    row = conn.execute(statement("sealed_key"), {"connection_id": connection_id}).fetchone()
    if row is None:
        raise LeaseLost(f"{connection_id} was disconnected")
    try:
        opened = keyring.open(bytes(row[0]), associated=associated_data(connection_id))
    except VaultError as error:
        raise KeyUnreadable(f"the key cannot be opened by this poller: {error}") from None
    return opened.decode().strip(), row[1]


def associated_data(connection_id: str) -> bytes:
    """What a sealed Stripe key is bound to."""
    return b"stripe_key:" + connection_id.encode()


def write_identity(conn: Connection, owner: Owner, learnt: Learnt) -> None:
    """Remember whose key it is and what it gives."""
    columns = {
        "connection_id": owner.connection_id,
        "epoch": owner.epoch,
        "account_id": learnt.account_id,
        "capabilities": Jsonb(msgspec.to_builtins(learnt.found)),
        "as_of": learnt.as_of,
        "clock_offset": learnt.clock_offset,
    }
    conn.execute(statement("identified"), columns)


def claim_account(conn: Connection, lease: Lease, account_id: str) -> str | None:
    """The other connection of the same workspace, account and mode; where there is none, the account is this one's.

    One connection claims at a time, so that of two keys submitted together the second finds the first.
    """
    columns = {
        "workspace_id": lease.owner.workspace_id,
        "account_id": account_id,
        "livemode": lease.livemode,
        "connection_id": lease.connection_id,
        "epoch": lease.owner.epoch,
    }
    conn.execute(statement("one_claim_at_a_time"), columns)
    row = conn.execute(statement("same_account"), columns).fetchone()
    if row is not None:
        return str(row[0])
    conn.execute(statement("claim_account"), columns)
    return None


def neighbours(conn: Connection, lease: Lease) -> list[Neighbour]:
    """The workspace's other connections, the oldest first."""
    columns = {"workspace_id": lease.owner.workspace_id, "connection_id": lease.connection_id}
    return [Neighbour(*row) for row in conn.execute(statement("neighbours"), columns)]


def holder_of(conn: Connection, candidates: Sequence[str], seen: Sequence[tuple[str, int | None]]) -> str | None:
    """The first of these connections that holds one of the objects, each an id and when it was created."""
    columns = {
        "candidates": list(candidates),
        "ids": [object_id for object_id, _ in seen],
        "created": [created for _, created in seen],
    }
    row = conn.execute(statement("holder_of"), columns).fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class Held:
    """An object that a connection holds; `created` in Unix seconds of the server's clock."""

    kind: Kind
    object_id: str
    created: int


def object_held(conn: Connection, connection_id: str, kinds: Sequence[str]) -> Held | None:
    """The newest object of one of these kinds that the connection holds; a customer, which can be deleted, last."""
    row = conn.execute(statement("object_held"), {"connection_id": connection_id, "kinds": list(kinds)}).fetchone()
    return None if row is None else msgspec.convert(dict(zip(("kind", "object_id", "created"), row, strict=True)), Held)


def adopt(conn: Connection, *, new_id: str, old_id: str, resealed: bytes) -> bool:
    """Hand the key to the connection that is there already; False where that cannot be."""
    columns = {"new_id": new_id, "old_id": old_id, "resealed": resealed}
    row = conn.execute(statement("adopt"), columns).fetchone()
    return bool(row and row[0])
