"""Two schemas compared row by row: both are read in the order of their keys, so that memory stays bounded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pipeline.rebuild.plan import Compared
from runtime.database import Connection

SHOWN = 5
"""How many differing rows of a table are shown."""

FETCHED = 5000

_KEYED = sql.SQL("SELECT concat_ws(chr(31), {key}) AS row_key, {columns} FROM {table} WHERE {where}")
_HASHES = sql.SQL('SELECT row_key, md5(ROW({columns})::text) FROM ({keyed}) AS k ORDER BY row_key COLLATE "C", 2')
_SUMS = sql.SQL("(SELECT {key}, {named} FROM {table} GROUP BY {key} HAVING {any}) AS s")
_ROW = sql.SQL("SELECT to_jsonb(k) - 'row_key' FROM ({keyed}) AS k WHERE row_key = %s ORDER BY 1 LIMIT 1")

Hashed = tuple[str, str]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row as each side has it; None where it has none."""

    live: Row | None
    rebuilt: Row | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in which the two differ; empty where one side lacks the row."""
        if self.live is None or self.rebuilt is None:
            return ()
        return tuple(name for name, value in self.live.items() if self.rebuilt.get(name) != value)


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table compared. `different` counts keys whose rows differ or that only one side has."""

    table: str
    live_rows: int
    rebuilt_rows: int
    equal: int
    different: int
    first: tuple[Difference, ...]


def compare(live: Connection, rebuilt: Connection, tables: Sequence[Compared]) -> tuple[TableResult, ...]:
    """Compare tables through two connections, each with its schema as `search_path` and a snapshot of its own."""
    return tuple(_compare_table(live, rebuilt, table) for table in tables)


def _compare_table(live: Connection, rebuilt: Connection, table: Compared) -> TableResult:
    equal, different, rows = 0, 0, [0, 0]
    keys: dict[str, None] = {}
    for left, right in side_by_side(_hashes(live, table), _hashes(rebuilt, table)):
        rows[0] += left is not None
        rows[1] += right is not None
        if left == right:
            equal += 1
            continue
        different += 1
        if len(keys) < SHOWN:
            keys[(left or right or ("", ""))[0]] = None
    first = tuple(Difference(_row(live, table, key), _row(rebuilt, table, key)) for key in keys)
    return TableResult(table.table, rows[0], rows[1], equal, different, first)


def side_by_side(left: Iterator[Hashed], right: Iterator[Hashed]) -> Iterator[tuple[Hashed | None, Hashed | None]]:
    """Rows of the same key together; both come in the order of their keys."""
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            yield a, None
            a = next(left, None)
        elif a is None or b[0] < a[0]:
            yield None, b
            b = next(right, None)
        else:
            yield a, b
            a, b = next(left, None), next(right, None)


def _hashes(conn: Connection, table: Compared) -> Iterator[Hashed]:
    with conn.cursor(name=f"compare_{table.table}") as cursor:
        cursor.itersize = FETCHED
        cursor.execute(_HASHES.format(columns=_names(table.columns), keyed=_keyed(table)))
        for key, hashed in cursor:
            yield str(key), str(hashed)


def _row(conn: Connection, table: Compared, key: str) -> Row | None:
    found = conn.execute(_ROW.format(keyed=_keyed(table)), (key,)).fetchone()
    return found[0] if found else None


def _keyed(table: Compared) -> sql.Composed:
    return _KEYED.format(
        key=_names(table.key),
        columns=_names(table.columns),
        table=_sums(table) if table.summed else sql.Identifier(table.table),
        where=sql.SQL(table.where),
    )


def _sums(table: Compared) -> sql.Composed:
    amounts = [sql.Identifier(name) for name in table.columns if name not in table.key]
    return _SUMS.format(
        key=_names(table.key),
        named=sql.SQL(", ").join(sql.SQL("sum({0}) AS {0}").format(amount) for amount in amounts),
        table=sql.Identifier(table.table),
        any=sql.SQL(" OR ").join(sql.SQL("sum({}) <> 0").format(amount) for amount in amounts),
    )


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
