"""Connections to PostgreSQL.

psycopg 3, synchronous, since the one transaction runs inline. Every connection says who it is
(`application_name`), works in its service's schema, in UTC, and gives up rather than hold others: a frozen
process loses its locks after the idle time-out, and a lock that cannot be had in time is a passing fault.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[TupleRow]
Pool = ConnectionPool[Connection]

IDLE_IN_TRANSACTION_MS = 5_000
LOCK_TIMEOUT_MS = 8_000
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Database:
    """Where a service's tables are: the address, the schema it works in, and the name it goes by."""

    url: str
    schema: str
    application: str

    def conninfo(self) -> str:
        """The connection string with everything that every connection of ours sets."""
        options = (
            f"-c search_path={self.schema} -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        )
        return make_conninfo(
            self.url,
            application_name=self.application,
            options=options,
            connect_timeout=CONNECT_TIMEOUT_S,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )

    def connect(self, *, autocommit: bool = False, **options: Any) -> Connection:
        """A connection of its own; the caller closes it."""
        return psycopg.connect(self.conninfo(), autocommit=autocommit, **options)

    def pool(self, *, max_size: int = 4) -> Pool:
        """A pool that is opened by its `with` block and checks a connection before lending it."""
        return ConnectionPool(
            self.conninfo(),
            min_size=1,
            max_size=max_size,
            open=False,
            check=ConnectionPool.check_connection,
            name=self.application,
        )

    def in_schema(self, schema: str) -> "Database":
        """The same database through another schema, as a shadow of a rebuild uses it."""
        return Database(url=self.url, schema=schema, application=self.application)


@contextmanager
def listening(database: Database, *channels: str) -> Iterator[Connection]:
    """An autocommit connection that listens to the channels; use its `notifies()`."""
    with database.connect(autocommit=True) as connection:
        for channel in channels:
            connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        yield connection
