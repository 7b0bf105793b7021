"""What the poller says of a connection, for its card: one row, that the console reads and nobody else writes."""

from collections.abc import Mapping
from datetime import datetime

from psycopg import sql
from psycopg.types.json import Jsonb

from runtime.database import Connection


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
