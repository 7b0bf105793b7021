"""One connection to PostgreSQL that comes back after it broke."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from pipeline.errors import PassingFault
from runtime.database import Connection, Database

PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""What psycopg raises where the server or the way to it is at fault: cut, restarting, locked, deadlocked, full, out of
patience with a process that was frozen."""


class Session:
    """A connection of one thread. Whatever is passing becomes a PassingFault, and the next use connects anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    @property
    def database(self) -> Database:
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block; raises PassingFault, then nothing may have been written.

        *May*: a connection cut during COMMIT leaves its outcome unknown. The fence finds out at the next try.
        """
        try:
            connection = self._connected()
            with connection.transaction():
                yield connection
        except PASSING as error:
            self._drop_if_broken()
            raise PassingFault(f"PostgreSQL: {_first_line(error)}") from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.connect(autocommit=True)
        return self._connection

    def _drop_if_broken(self) -> None:
        if self._connection is not None and (self._connection.closed or self._connection.broken):
            self.close()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
