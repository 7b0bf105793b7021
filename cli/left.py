"""What is left to do at an instant: what simulated time waits for before it goes on.

One look is one snapshot of PostgreSQL, and the ends of the log looked up after it. Work goes from topics through
tables and outboxes to topics; so where a snapshot has no work, no row to publish and every offset at an end that was
looked up later, there was none anywhere. What services say of themselves would be seconds old.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from psycopg import sql

from cli.services import Service
from pipeline.errors import PassingFault
from pipeline.log import LogReader
from pipeline.records import LogPartition
from pipeline.session import Session
from runtime.database import Connection, Database
from runtime.kafka import Broker

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WAKE = "NOTIFY dropfix_connections"
"""The poller looks every two seconds of the machine's time; whoever moves time wakes it."""

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_ROWS = sql.SQL("(SELECT count(*) FROM {table})")
_DUE = sql.SQL("(SELECT count(*) FROM {table} WHERE due_at <= %(now)s)")
_NEXT_DUE = sql.SQL("(SELECT min(due_at) FROM {table} WHERE due_at > %(now)s)")
_OFFSETS = sql.SQL("SELECT {schema}, topic, partition, next_offset FROM {table}")

_POLLS = """
SELECT (SELECT count(*) FROM poller.refreshes) + count(*) FROM poller.connections
WHERE phase IN ('validating', 'first_minute') OR lease_until > now() OR (phase = 'live' AND next_at <= %(now)s)
"""
_MAILS = """
SELECT count(*) FROM dunning.due d LEFT JOIN dunning_io.mails m USING (episode_id, step, attempt)
WHERE (m.state IS NULL OR m.state IN ('announced', 'sending') OR (m.state = 'waiting' AND m.not_before <= now()))
  AND coalesce(d.why, '') NOT LIKE 'the fresh read failed%%'
"""
"""Emails that the sender gets on with. One that is put off (by the machine's time) holds nothing up."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to do at an instant, and when the next timer is due."""

    lag: int
    outbox_rows: int
    due: int
    next_due: datetime | None

    @property
    def nothing(self) -> bool:
        return self.lag == 0 and self.outbox_rows == 0 and self.due == 0


AWAY = Left(lag=1, outbox_rows=0, due=0, next_due=None)
"""What is left while PostgreSQL or Kafka does not answer: to come back."""


@dataclass(frozen=True, slots=True)
class _Tables:
    """The tables that are there, of the services that there are."""

    timers: Sequence[sql.Identifier]
    outboxes: Sequence[sql.Identifier]
    offsets: Mapping[str, sql.Identifier]

    @classmethod
    def of(cls, conn: Connection, schemas: Sequence[str]) -> "_Tables":
        wanted = [(schema, table) for schema in schemas for table in ("timers", "offsets")]
        wanted += [(f"{schema}_io", "outbox") for schema in schemas]
        there = conn.execute(_TABLES, [list(column) for column in zip(*wanted, strict=True)]).fetchall()
        named = {table: [schema for schema, one in there if one == table] for table in ("timers", "outbox", "offsets")}
        return cls(
            timers=[sql.Identifier(schema, "timers") for schema in named["timers"]],
            outboxes=[sql.Identifier(schema, "outbox") for schema in named["outbox"]],
            offsets={schema: sql.Identifier(schema, "offsets") for schema in named["offsets"]},
        )


class Looker:
    """Looks at the tables and topics of these services. `mail_page` is dunning's health page."""

    def __init__(
        self, database_url: str, broker: Broker, services: Iterable[Service], *, mail_page: str | None
    ) -> None:
        self._session = Session(Database(database_url, schema="pg_catalog", application="dropfix-stepping"))
        self._log = LogReader(broker, client_id="dropfix-stepping")
        self._consumes = {service.schema().schema: service.consumes for service in services}
        self._tables: _Tables | None = None
        self._mail_page = mail_page

    def look(self, now: datetime) -> Left:
        """What is left at `now`."""
        try:
            return self._look(now)
        except PassingFault:
            return AWAY

    def wake(self) -> None:
        """Tell the poller that time moved on. One that does not hear it looks by itself, later."""
        try:
            with self._session.transaction() as conn:
                conn.execute(_WAKE)
        except PassingFault:
            return

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()
        self._log.close()

    def _look(self, now: datetime) -> Left:
        with self._session.transaction() as conn:
            conn.execute(_SNAPSHOT)
            tables = self._tables or _Tables.of(conn, list(self._consumes))
            self._tables = tables
            outbox_rows, due, mails, next_due = self._counts(conn, tables, now)
            offsets = _offsets(conn, tables)
        if mails and not mail_is_blocked(self._report()):
            due += mails
        lag = 0 if outbox_rows or due else self._behind(offsets)
        return Left(lag=lag, outbox_rows=outbox_rows, due=due, next_due=next_due)

    def _counts(self, conn: Connection, tables: _Tables, now: datetime) -> tuple[int, int, int, datetime | None]:
        """Rows to publish, what is due without emails, emails, and the next instant at which a timer is due."""
        outboxes = _joined("+", _ROWS, tables.outboxes)
        due = sql.SQL("{} + ({})").format(_joined("+", _DUE, tables.timers), sql.SQL(_POLLS))
        next_due = sql.SQL("least({})").format(_joined(",", _NEXT_DUE, tables.timers))
        query = sql.SQL("SELECT {}, {}, ({}), {}").format(outboxes, due, sql.SQL(_MAILS), next_due)
        row = conn.execute(query, {"now": now}).fetchone()
        assert row is not None  # an aggregate always gives one
        return int(row[0]), int(row[1]), int(row[2]), row[3]

    def _behind(self, offsets: Mapping[str, Mapping[LogPartition, int]]) -> int:
        """Records that are not applied; a consumer that has taken up nothing yet is behind."""
        begun = {schema: places for schema, places in offsets.items() if places or self._consumes[schema]}
        ends = self._log.ends({place for places in begun.values() for place in places})
        return sum(behind(places, ends) for places in begun.values())

    def _report(self) -> dict[str, Any] | None:
        """What dunning says of itself; None where it does not answer."""
        if self._mail_page is None:
            return None
        try:
            report: dict[str, Any] = httpx.get(self._mail_page, timeout=5, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return None
        return report


def behind(reached: Mapping[LogPartition, int], ends: Mapping[LogPartition, int]) -> int:
    """How many records a service has not applied; 1 where it has not begun."""
    return sum(max(0, ends[place] - at) for place, at in reached.items()) if reached else 1


def mail_is_blocked(report: Mapping[str, Any] | None) -> bool:
    """Whether a service says that no email may go, so that waiting for those that are due would never end."""
    return report is not None and bool((report.get("detail") or {}).get("mail", {}).get("blocked"))


def _offsets(conn: Connection, tables: _Tables) -> dict[str, dict[LogPartition, int]]:
    found: dict[str, dict[LogPartition, int]] = {schema: {} for schema in tables.offsets}
    each = [_OFFSETS.format(schema=sql.Literal(name), table=table) for name, table in tables.offsets.items()]
    for schema, topic, partition, at in conn.execute(sql.SQL(" UNION ALL ").join(each)):
        found[schema][LogPartition(topic, partition)] = at
    return found


def _joined(by: str, part: sql.SQL, tables: Sequence[sql.Identifier]) -> sql.Composed:
    return sql.SQL(by).join([part.format(table=table) for table in tables])
