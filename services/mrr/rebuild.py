"""How mrr is rebuilt: what of its tables any replay gives again, and what was told already."""

from collections.abc import Sequence
from typing import LiteralString

import msgspec
from psycopg import sql

from pipeline.rebuild.plan import Compared, Plan
from runtime.database import Connection
from services.mrr.book import OUT_OF_DATE, Book
from services.mrr.core import EMPTY_BOOK, State
from services.mrr.processor import mrr
from services.mrr.schema import MIGRATIONS
from services.mrr.store import decode_state, encode_state

_CUSTOMER = ("workspace_id", "connection_id", "customer_id", "currency")

_DIFFERING = sql.SQL(
    "SELECT subject, coalesce(s.workspace_id, l.workspace_id), l.state, s.state FROM {live}.customers l"
    " FULL JOIN {shadow}.customers s USING (subject) WHERE l.state IS DISTINCT FROM s.state"
)
_KEEP = sql.SQL(
    "INSERT INTO {shadow}.customers AS c (subject, workspace_id, state) VALUES (%s, %s, %s)"
    " ON CONFLICT (subject) DO UPDATE SET state = excluded.state"
)
_NEVER_TOLD = sql.SQL(
    "DELETE FROM {shadow}.movements s WHERE NOT EXISTS (SELECT FROM {live}.movements l"
    " WHERE l.movement_id = s.movement_id AND ROW(l.*) IS NOT DISTINCT FROM ROW(s.*))"
)
_TOLD = sql.SQL(
    "INSERT INTO {shadow}.movements SELECT * FROM {live}.movements l"
    " WHERE NOT EXISTS (SELECT FROM {shadow}.movements s WHERE s.movement_id = l.movement_id)"
)
_AS_THEY_ARE = tuple(
    sql.SQL(statement.replace("kept", table))
    for table in ("clocks", "zones", "days", "months")
    for statement in ("DELETE FROM {shadow}.kept", "INSERT INTO {shadow}.kept SELECT * FROM {live}.kept")
)
"""The domain clock's lead; and what the ledger adds up to, which is the live one's, row by row, by now."""
_TRIGGERS = (("movements", "keep_added"), ("decisions", "keep_decided"))
"""What brings days and months up to date at every statement: nobody reads them in a shadow before they are compared."""
_BY_DAY = ("workspace_id", "connection_id", "zone", "currency", "day")
_OF_DAY = ("new", "reactivation", "expansion", "contraction", "churn", "policy", "source", "correction", "customers")
_BY_MONTH = ("workspace_id", "connection_id", "zone", "currency", "cohort", "month")
_OF_MONTH = ("mrr", "customers", "joined", "began", "expansion", "contraction", "churn", "churned", "lost")


def made(shadow: Connection) -> None:
    """Have the shadow add nothing up while it is filled."""
    _switch(shadow, "DISABLE")


def summed(shadow: Connection) -> None:
    """Add the shadow's whole ledger up at once: what the live tables were brought to row by row must be the same."""
    whose = shadow.execute("SELECT workspace_id FROM movements UNION SELECT workspace_id FROM zones").fetchall()
    for table in ("days", "months", "zones"):
        shadow.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    for workspace in whose:
        shadow.execute("SELECT keep_zones(%s)", workspace)


def _switch(conn: Connection, how: LiteralString, *, schema: str = "") -> None:
    for table, trigger in _TRIGGERS:
        whose = sql.Identifier(schema, table) if schema else sql.Identifier(table)
        conn.execute(sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(whose, sql.SQL(how), sql.Identifier(trigger)))


def carry(conn: Connection, live: str, shadow: str) -> Sequence[str]:
    """The ledger as it was told, each row under its id, over the facts as they were read again.

    Where the rows that stand are equal, they may still differ in which were taken back on the way there, and so in the
    ids under which those that stand were told: that depends on the order in which the live service heard. Where they
    are not, what was told is kept all the same; whoever is decided again takes back what no longer follows.
    """
    names = {"live": sql.Identifier(live), "shadow": sql.Identifier(shadow)}
    differing = conn.execute(_DIFFERING.format(**names)).fetchall()
    with conn.cursor() as cursor:
        kept = [
            (subject, workspace, _carried(subject, workspace, was, now)) for subject, workspace, was, now in differing
        ]
        cursor.executemany(_KEEP.format(**names), kept)
    for statement in (_NEVER_TOLD, _TOLD, *_AS_THEY_ARE):
        conn.execute(statement.format(**names))
    _switch(conn, "ENABLE", schema=shadow)
    return [subject for subject, *_ in differing]


def _carried(subject: str, workspace_id: str, was: bytes | None, now: bytes | None) -> bytes:
    """The facts as they were read again, none where they are gone, and the book as it was told, empty where it never
    was. It is to be brought up to date whatever it goes by."""
    told = EMPTY_BOOK if was is None else decode_state(subject, workspace_id, was).book
    state = State(subject, workspace_id) if now is None else decode_state(subject, workspace_id, now)
    book = Book(told.told, told.recalled, state.book.due, under=OUT_OF_DATE)
    return encode_state(msgspec.structs.replace(state, book=book))


PLAN = Plan(
    schema=MIGRATIONS,
    processor=mrr,
    tables=(
        Compared(
            "movements",
            key=("connection_id", "customer_id", "currency", "effective_at", "kind"),
            columns=(*_CUSTOMER, "kind", "effective_at", "mrr_before", "mrr_after"),
            where="corrects IS NULL AND NOT EXISTS (SELECT FROM movements c WHERE c.corrects = movements.movement_id)",
        ),
        Compared(
            "balances",
            key=("connection_id", "customer_id", "currency"),
            columns=(*_CUSTOMER, "mrr", "first_at", "since", "prices", "quantities", "amounts"),
            where="mrr > 0 OR first_at IS NOT NULL",
        ),
        Compared("days", key=_BY_DAY, columns=(*_BY_DAY, *_OF_DAY), summed=True),
        Compared("months", key=_BY_MONTH, columns=(*_BY_MONTH, *_OF_MONTH), summed=True),
        Compared(
            "plans",
            key=("connection_id", "price_id", "bucket"),
            columns=("workspace_id", "connection_id", "price_id", "bucket", "name", "from_invoice"),
        ),
        Compared(
            "first_said",
            key=("workspace_id", "user_id"),
            columns=("workspace_id", "user_id", "first_at", "message_id"),
        ),
        Compared(
            "decisions",
            key=("decision_id",),
            columns=("decision_id", "workspace_id", "connection_id", "kind", "detail", "decided_at", "effective_at"),
        ),
        Compared(
            "matches",
            key=("connection_id", "customer_id", "user_id", "revision"),
            columns=(
                *("workspace_id", "connection_id", "customer_id", "user_id"),
                *("state", "matched_by", "effective_at", "revision"),
            ),
        ),
    ),
    carry=carry,
    made=made,
    summed=summed,
)
