"""Users of the product, and whose customer they are. A view that is not there yet gives None, not an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import TupleRow

from runtime.database import Connection as Db
from runtime.database import Pool
from services.console.figures import PAGE, Page, Place, in_scope, like_literally, rows_or_none
from services.console.model import Customer
from services.console.overview import Scope
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S

_SQL = statements("people")


@dataclass(frozen=True, slots=True)
class User:
    """A user as the list shows it, with the customers it is matched to: (id, what to call it)."""

    user_id: str
    name: str | None
    email: str | None
    first_seen_at: datetime
    customers: Sequence[tuple[str, str]] = ()

    @property
    def called(self) -> str:
        """What to call them: the name, else the address, else the id."""
        return self.name or self.email or self.user_id


@dataclass(frozen=True, slots=True)
class MatchedUser:
    """A user of a customer, and by what: its metadata, its e-mail address, or somebody's hand."""

    user_id: str
    name: str | None
    email: str | None
    by: str


class PeopleStore:
    """What the detector's views say of one workspace's users, among the connections of a scope."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def users(
        self, workspace_id: str, scope: Scope, *, alone: bool, search: str, after: Place | None = None
    ) -> Page[User]:
        """Users, those seen first most recently first; `alone`: only those who are no customer's."""
        parameters = in_scope(workspace_id, scope) | _part(search, after) | {"alone": alone}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "users", parameters)
            if rows is None:
                return Page(None)
            shown = rows[:PAGE]
            ids = sorted({customer for row in shown for customer in row[4]})
            named = _rows(db, "names", in_scope(workspace_id, scope) | {"ids": ids}) if ids else []
        names = {customer: name or email or customer for customer, name, email in named or ()}
        users = [
            User(user_id, name, email, seen, [(each, names.get(each, each)) for each in customers])
            for user_id, name, email, seen, customers in shown
        ]
        last = users[-1] if len(rows) > PAGE else None
        return Page(users, Place(last.first_seen_at.isoformat(), last.user_id) if last else None)

    def customers_alone(
        self, workspace_id: str, scope: Scope, *, search: str, after: Place | None = None
    ) -> Page[Customer]:
        """Customers of whom no user is known, the newest first."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "customers_alone", in_scope(workspace_id, scope) | _part(search, after))
        if rows is None:
            return Page(None)
        customers = [Customer(*row) for row in rows[:PAGE]]
        last = customers[-1] if len(rows) > PAGE else None
        return Page(customers, Place(str(last.created_at), last.customer_id) if last else None)

    def user(self, workspace_id: str, user_id: str) -> User | None:
        """One user of the workspace, without its customers; None where there is none."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "user", {"workspace_id": workspace_id, "user_id": user_id})
        return User(*rows[0]) if rows else None

    def count(self, workspace_id: str) -> int | None:
        """Users of the workspace, matched or not."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "users_count", {"workspace_id": workspace_id})
        return rows[0][0] if rows else None

    def users_of(self, workspace_id: str, scope: Scope, customer_id: str) -> list[MatchedUser]:
        """The users that are a customer's."""
        parameters = in_scope(workspace_id, scope) | {"customer_id": customer_id}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return [MatchedUser(*row) for row in _rows(db, "users_of", parameters) or ()]


def _part(search: str, after: Place | None) -> dict[str, object]:
    """Which rows of a list are wanted: those that a search finds, after a place."""
    return {
        "search": f"%{like_literally(search)}%" if search else None,
        "after": after.value if after else None,
        "after_id": after.id if after else None,
        "limit": PAGE + 1,
    }


def _rows(db: Db, statement: str, parameters: Mapping[str, Any]) -> list[TupleRow] | None:
    return rows_or_none(db, statement, parameters, of=_SQL)
