"""The analysts' tables as their own comments describe them: read from a database, rendered as a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from runtime.database import Connection

INTRODUCTION = """# Tables

Generated from the comments of a migrated database by `dropfix tables --markdown`; `dropfix tables` shows the same in
the terminal. Names, types and meaning are a contract: a column is added, never changed or taken away without notice.

Everything is in the schema `analytics` of DropFix's PostgreSQL.

| who | how | sees |
| --- | --- | --- |
| an analyst | `dropfix analyst create WORKSPACE` prints a connection string | the rows of that workspace |
| an operator | the role `dropfix_operator`; its password is the secret `password_operator` | every workspace's rows |

Both find the views by their short names (`SELECT * FROM mrr_daily`), can only read, and reach nothing else. PostgreSQL
itself keeps workspaces apart, by row security on the tables beneath the views.

**Keys.** A connection (`connection_id`) is one Stripe account in one mode, so test and live data never share one; join
on `connection_id` and the object's id. **Money** is integer minor units of `currency` (an ISO 4217 code in lower case),
whose decimals may be none, two or three; amounts of different currencies are never added. **Times** are `timestamptz`,
days are days in the workspace's time zone, UTC where none is set. **Source**: `source_topic`, `source_partition` and
`source_offset` name the record of Kafka that a row follows from; an aggregate names the view with the rows behind it.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `meaning` is its comment."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """A view of `analytics`, and the service that keeps it."""

    name: str
    service: str
    meaning: str
    columns: tuple[Column, ...]


def read_views(connection: Connection) -> list[View]:
    """Every view of `analytics`, by name. Any role may ask."""
    rows = connection.execute(
        "SELECT c.relname, c.relowner::regrole::text, coalesce(obj_description(c.oid, 'pg_class'), ''),"
        " a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind = 'v' ORDER BY c.relname, a.attnum"
    ).fetchall()
    return [
        View(name, owner.removeprefix("dropfix_"), meaning, tuple(Column(*_plain(row[3:])) for row in columns))
        for (name, owner, meaning), columns in groupby(rows, key=lambda row: row[:3])
    ]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of `analytics` that gives rows: how it is called, and what of."""

    signature: str
    result: str
    meaning: str


def read_functions(connection: Connection) -> list[Function]:
    """Every function of `analytics` that gives rows, by name. Any role may ask."""
    rows = connection.execute(
        "SELECT format('%s(%s)', proname, pg_get_function_arguments(oid)), pg_get_function_result(oid),"
        " coalesce(obj_description(oid, 'pg_proc'), '') FROM pg_proc"
        " WHERE pronamespace = to_regnamespace('analytics') AND proretset ORDER BY proname"
    ).fetchall()
    return [Function(_short(signature), _short(result), meaning) for signature, result, meaning in rows]


def _short(types: str) -> str:
    return types.replace("timestamp with time zone", "timestamptz")


def _plain(column: Sequence[str]) -> tuple[str, str, str]:
    name, kind, meaning = column
    return name, _short(kind), meaning


def tables_page(views: Sequence[View]) -> str:
    """The whole page."""
    contents = [f"- [`{view.name}`](#{view.name}): {_first_sentence(view.meaning)}" for view in views]
    sections = ["\n".join(_section(view)) for view in views]
    return "\n\n".join(["\n".join([INTRODUCTION, *contents]), *sections]).rstrip() + "\n"


def _section(view: View) -> Iterator[str]:
    yield f"## `{view.name}`"
    yield ""
    yield f"{view.meaning} Kept by {view.service}."
    yield ""
    yield "| column | type | |"
    yield "| --- | --- | --- |"
    for column in view.columns:
        yield f"| `{column.name}` | {column.type} | {_cell(column.meaning)} |"


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
