"""What the poller says of a connection, for its card: one row, that the console reads and nobody else writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.types.json import Jsonb

from runtime.database import Connection
from services.poller.statements import statement


def update_status(conn: Connection, connection_id: str, *, now: datetime, **columns: object) -> None:
    """Change columns of the connection's status. `now` is domain time; mappings and lists become JSON."""
    values = {name: Jsonb(value) if isinstance(value, Mapping | list) else value for name, value in columns.items()}
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in (*values, "updated_at")
    )
    query = sql.SQL("UPDATE connection_status SET {} WHERE connection_id = {}").format(
        assignments, sql.Placeholder("connection_id")
    )
    conn.execute(query, {**values, "updated_at": now, "connection_id": connection_id})


@dataclass(frozen=True, slots=True)
class Shown:
    """How far the first sync was, as the card had it."""

    percent: int
    customers: int | None


def shown_so_far(conn: Connection, connection_id: str) -> Shown:
    """What a first sync that goes on shows from its start, so that its progress only grows."""
    row = conn.execute(statement("shown"), {"connection_id": connection_id}).fetchone()
    return Shown(*row) if row else Shown(0, None)
