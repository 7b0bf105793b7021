"""Who is at a conversation: a lock of a session that ends with its process, however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import PassingFault
from pipeline.session import PASSING
from runtime.database import Connection, Database

_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_RELEASE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


class Guard:
    """Locks by name, on a connection of their own; one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Whether we have the lock for as long as the block lasts. Raises PassingFault.

        A lock that is lost on the way because the connection broke is no danger: what it guards has a claim too.
        """
        key = f"dropfix.dunning.mail/{name}"
        held = self._ask(_TRY, key)
        try:
            yield held
        finally:
            if held:
                self._release(key)

    def close(self) -> None:
        """Let go of the connection, and of what it holds."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, statement: str, key: str) -> bool:
        try:
            if self._connection is None:
                self._connection = self._database.connect(autocommit=True)
            row = self._connection.execute(statement.encode(), (key,)).fetchone()
        except PASSING as error:
            self.close()
            raise PassingFault(f"PostgreSQL: {error}") from error
        return row is not None and bool(row[0])

    def _release(self, key: str) -> None:
        try:
            self._ask(_RELEASE, key)
        except PassingFault:
            self.close()  # the session is gone, and the lock with it
