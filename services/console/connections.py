"""Connecting a Stripe account and letting it go: the sealed key, and the decision that says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
from psycopg.rows import class_row

from runtime.clock import Clock
from runtime.database import Connection as Db
from runtime.database import Pool
from runtime.vault import PublicKey
from schemas.stripe.keys import AcceptedKey, RefusedKey, assess_key
from services.console.decisions import new_decision, write_decision
from services.console.errors import Refused
from services.console.identifiers import mint_id
from services.console.model import Connection, Status, Watched
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S

NOT_THERE = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)
"""What a table of another service raises before that service has been migrated."""

_SQL = statements("connections")


def key_context(connection_id: str) -> bytes:
    """What a sealed Stripe key is bound to, so that it opens for its own connection alone."""
    return b"stripe_key:" + connection_id.encode()


@dataclass(frozen=True, slots=True)
class Submitted:
    """A key that was stored: whether Stripe takes it is the poller's to say."""

    connection_id: str
    key: AcceptedKey


class Connections:
    """The connections of all workspaces; every method names one, and sees no other."""

    def __init__(self, pool: Pool, *, sealing_key: PublicKey, clock: Clock, decided: Callable[[], None]) -> None:
        """`decided` is called after a commit that left a decision in the outbox."""
        self._pool = pool
        self._sealing_key = sealing_key
        self._clock = clock
        self._decided = decided

    def submit(self, workspace_id: str, pasted: str, *, decided_by: str) -> Submitted:
        """Seal the key to the poller and store it; raises Refused, which says why and never holds the key.

        Connections of the workspace whose key was refused, or could never be checked, end with it: this is the other
        try.
        """
        verdict = assess_key(pasted)
        if isinstance(verdict, RefusedKey):
            raise Refused(verdict.code, verdict.reason, verdict.remedy, HTTPStatus.UNPROCESSABLE_ENTITY)
        key, accepted = verdict
        at = self._clock.machine_now()
        connection_id = mint_id("con", at)
        row = {
            "connection_id": connection_id,
            "workspace_id": workspace_id,
            "sealed_key": self._sealing_key.seal(key.encode(), associated=key_context(connection_id)),
            "key_id": self._sealing_key.key_id,
            "key_kind": accepted.kind,
            "key_hint": accepted.hint,
            "livemode_claimed": accepted.livemode,
            "at": at,
        }
        made = new_decision(
            self._clock,
            workspace_id,
            "connection.made",
            {"livemode_claimed": accepted.livemode, "key_kind": accepted.kind},
            decided_by=decided_by,
            connection_id=connection_id,
        )
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            for failed, why in _failed(db, workspace_id):
                self._end(db, workspace_id, failed, decided_by, why)
            db.execute(_SQL["add"], row)
            write_decision(db, made)
        self._decided()
        return Submitted(connection_id, accepted)

    def end(self, workspace_id: str, connection_id: str, *, decided_by: str) -> bool:
        """Delete the ciphertext and say so in the log; false where the workspace has no such open connection."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            ended = self._end(db, workspace_id, connection_id, decided_by, "disconnected")
        self._decided()
        return ended

    def watched(self, workspace_id: str) -> list[Watched]:
        """The workspace's connections, the newest first, with the poller's answer."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return watched_in(db, workspace_id)

    def watched_one(self, workspace_id: str, connection_id: str) -> Watched | None:
        """One connection of the workspace, whatever its state; the one its key was handed to, if it was."""
        parameters = {"workspace_id": workspace_id, "connection_id": connection_id}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            found = _with_status(db, workspace_id, _read(db, "one", parameters))
        return found[0] if found else None

    def _end(self, db: Db, workspace_id: str, connection_id: str, decided_by: str, why: str) -> bool:
        parameters = {"workspace_id": workspace_id, "connection_id": connection_id, "at": self._clock.machine_now()}
        if db.execute(_SQL["end"], parameters).fetchone() is None:
            return False
        self._write_ended(db, workspace_id, connection_id, decided_by, why)
        for (handed_over,) in db.execute(_SQL["handed_over"], parameters).fetchall():
            self._write_ended(db, workspace_id, handed_over, decided_by, "handed over")
        return True

    def _write_ended(self, db: Db, workspace_id: str, connection_id: str, decided_by: str, why: str) -> None:
        ended = new_decision(
            self._clock,
            workspace_id,
            "connection.ended",
            {"reason": why},
            decided_by=decided_by,
            connection_id=connection_id,
        )
        write_decision(db, ended)


def watched_in(db: Db, workspace_id: str) -> list[Watched]:
    """The workspace's connections with the poller's answer, in the transaction at hand."""
    return _with_status(db, workspace_id, _read(db, "of_workspace", {"workspace_id": workspace_id}))


def _failed(db: Db, workspace_id: str) -> list[tuple[str, str]]:
    """Connections that never came to anything, and why: `refused` or `unchecked`."""
    try:
        with db.transaction():
            rows = db.execute(_SQL["failed"], {"workspace_id": workspace_id}).fetchall()
    except NOT_THERE:
        return []
    return [(str(connection_id), str(why)) for connection_id, why in rows]


def _read(db: Db, statement: str, parameters: dict[str, Any]) -> list[Connection]:
    with db.cursor(row_factory=class_row(Connection)) as cursor:
        return cursor.execute(_SQL[statement], parameters).fetchall()


def _with_status(db: Db, workspace_id: str, connections: Sequence[Connection]) -> list[Watched]:
    ids = [connection.connection_id for connection in connections]
    statuses: dict[str, Status] = {}
    if ids:
        try:
            with db.transaction(), db.cursor(row_factory=class_row(Status)) as cursor:
                cursor.execute(_SQL["statuses"], {"workspace_id": workspace_id, "connection_ids": ids})
                statuses = {status.connection_id: status for status in cursor}
        except NOT_THERE:
            statuses = {}
    return [Watched(connection, statuses.get(connection.connection_id)) for connection in connections]
