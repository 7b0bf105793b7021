"""Worker slots: which static member of the consumer group a process is.

A static member that restarts takes its partitions up again without a rebalance. Its name comes from a slot leased in
PostgreSQL, since a name in a configuration that was copied would fence its twin for ever. The lease is a lock of the
session: it ends with the process, however that ends, and at once.
"""

import psycopg

from pipeline.errors import Fatal, PassingFault, SlotLost
from pipeline.session import PASSING
from runtime.database import Connection, Database

SLOTS = 64


class Slot:
    """One leased slot, held by a connection of its own."""

    def __init__(self, database: Database, group: str) -> None:
        self._database = database
        self._group = group
        self._connection: Connection | None = None
        self.number = -1

    def lease(self) -> int:
        """Take the lowest free slot; raises PassingFault, or Fatal when all are taken."""
        for number in range(SLOTS):
            if self._try(number):
                self.number = number
                return number
        raise Fatal(f"all {SLOTS} worker slots of {self._group} are taken")

    def renew(self) -> None:
        """Make sure that the slot is still ours; after a cut connection take it again.

        Raises PassingFault while PostgreSQL is away, SlotLost when another process has it.
        """
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return
        except PASSING:
            self.release()
        if not self._try(self.number):
            raise SlotLost(f"the slot {self.number} of {self._group} belongs to another process")

    def release(self) -> None:
        """Give the slot back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, number: int) -> bool:
        try:
            if self._connection is None:
                self._connection = self._database.connect(autocommit=True)
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s), %s)", (f"dropfix.slot.{self._group}", number)
            ).fetchone()
        except PASSING as error:
            self.release()
            raise PassingFault(f"PostgreSQL: {error}") from error
        except psycopg.Error:
            self.release()
            raise
        return row is not None and bool(row[0])
