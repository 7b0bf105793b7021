"""The mirror's tables: rows go by COPY into a table of the session, and from there over the ones they replace.

The statements are made from the tables' definitions; they differ in nothing but names and types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

from psycopg import sql

from runtime.database import Connection
from services.mirror.columns import Table
from services.mirror.observation import Observation

_PLACE = ("workspace_id", "connection_id")
_SYSTEM: dict[str, LiteralString] = {
    "livemode": "boolean",
    "deleted": "boolean",
    "version": "bigint",
    "observed_at": "timestamptz",
    "source_topic": "text",
    "source_partition": "integer",
    "source_offset": "bigint",
}
_STAGE: LiteralString = "CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS"
_STAGED: dict[str, LiteralString] = {"text": "text", "bigint": "bigint", "boolean": "boolean", "jsonb": "jsonb"}


@dataclass(frozen=True, slots=True)
class _Statements:
    stage: sql.Composed
    copy: sql.Composed
    merge: sql.Composed
    delete: sql.Composed
    clear: sql.Composed


class MirrorStore:
    """Writes rows of any table."""

    def save(self, conn: Connection, table: Table, observations: Sequence[Observation]) -> None:
        """Write rows, at most one with content of each object. Deletions keep the content that is there."""
        statements = _statements_of(table)
        rows = [one for one in observations if not one.deleted]
        if rows:
            conn.execute(statements.stage)
            with conn.cursor() as cursor, cursor.copy(statements.copy) as copy:
                for one in rows:
                    copy.write_row(_values(one))
            conn.execute(statements.merge)
            conn.execute(statements.clear)
        gone = [_values(one) for one in observations if one.deleted]
        if gone:
            with conn.cursor() as cursor:
                cursor.executemany(statements.delete, gone)


def _values(one: Observation) -> tuple[object, ...]:
    """The columns of a row in the order of the statements."""
    return (
        one.workspace_id,
        one.connection_id,
        one.object_id,
        *(one.content or ()),
        one.livemode,
        one.deleted,
        one.version,
        one.observed_at,
        one.topic,
        one.partition,
        one.offset,
    )


@cache
def _statements_of(table: Table) -> _Statements:
    target, staged = sql.Identifier(table.name), sql.Identifier(f"incoming_{table.name}")
    content = list(table.columns)
    every = [*_PLACE, table.key, *content, *_SYSTEM]
    return _Statements(
        stage=sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
            staged, _staged_columns(table)
        ),
        copy=sql.SQL("COPY {} ({}) FROM STDIN").format(staged, _names(every)),
        merge=sql.SQL(
            "INSERT INTO {target} AS kept ({every}) SELECT {values} FROM {staged}"
            " ON CONFLICT (connection_id, {key}) DO UPDATE SET {sets} WHERE kept.version < excluded.version"
        ).format(
            target=target,
            every=_names(every),
            values=sql.SQL(", ").join(_converted(table, name) for name in every),
            staged=staged,
            key=sql.Identifier(table.key),
            sets=_sets([*content, *_SYSTEM]),
        ),
        delete=sql.SQL(
            "INSERT INTO {target} AS kept ({columns}) VALUES ({values})"
            " ON CONFLICT (connection_id, {key}) DO UPDATE SET {sets} WHERE kept.version < excluded.version"
        ).format(
            target=target,
            columns=_names([*_PLACE, table.key, *_SYSTEM]),
            values=sql.SQL(", ").join(sql.Placeholder() for _ in [*_PLACE, table.key, *_SYSTEM]),
            key=sql.Identifier(table.key),
            sets=_sets(_SYSTEM),
        ),
        clear=sql.SQL("DELETE FROM {}").format(staged),
    )


def _staged_columns(table: Table) -> sql.Composed:
    """As in the target, but for times of Stripe's, which come as Unix seconds."""
    types: dict[str, LiteralString] = dict.fromkeys((*_PLACE, table.key), "text")
    types |= {name: _STAGED.get(kind, "bigint") for name, kind in table.columns.items()}
    types |= _SYSTEM
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()
    )


def _converted(table: Table, name: str) -> sql.Composable:
    column = sql.Identifier(name)
    return sql.SQL("to_timestamp({})").format(column) if table.columns.get(name) == "timestamptz" else column


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _sets(columns: Sequence[str] | dict[str, LiteralString]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in columns)
