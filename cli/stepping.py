"""Time that steps: above 60 times real time the clock stands until all work is done, then jumps ahead.

Running that fast would let a service see an hour pass in the middle of a batch. So the clock stands while records
lag, outboxes hold rows, an email can go or something is due, and jumps to the next thing that is to happen, an hour at
most.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from runtime.clock import Anchor, write_clock

RUNS_UP_TO = 60.0
LONGEST_STEP = timedelta(hours=1)
LOOK_SECONDS = 0.1
SETTLED_LOOKS = 2
"""How often in a row nothing must be left to do: a record may be between two services."""

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND (c.relname = 'timers' OR (c.relname = 'outbox' AND n.nspname LIKE '%\\_io'))
"""
_WAKE = "NOTIFY dropfix_connections"
"""The poller looks every two seconds of the machine's time; whoever moves time wakes it."""

_POLLS_DUE = sql.SQL(
    "SELECT (SELECT count(*) FROM poller.refreshes) + count(*) FROM poller.connections"
    " WHERE phase IN ('validating', 'first_minute') OR (phase = 'live' AND next_at <= {})"
)

_MAILS_DUE = sql.SQL(
    "SELECT count(*) FROM dunning.due d LEFT JOIN dunning_io.mails m USING (episode_id, step, attempt)"
    " WHERE (m.state IS NULL OR m.state IN ('announced', 'sending') OR (m.state = 'waiting' AND m.not_before <= now()))"
    " AND coalesce(d.why, '') NOT LIKE 'the fresh read failed%'"
)
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


def next_step(now: datetime, left: Left, *, longest: timedelta = LONGEST_STEP) -> datetime:
    """Where to jump: the next thing that is to happen, `longest` ahead at most, and always ahead."""
    furthest = now + longest
    if left.next_due is None or left.next_due <= now:
        return furthest
    return min(furthest, left.next_due)


class SteppingClock:
    """Drives a clock file for as long as `run` runs. `pages` are the services' health pages."""

    def __init__(self, path: Path, *, database_url: str, pages: Sequence[str], speed: float) -> None:
        self._path = path
        self._database_url = database_url
        self._pages = pages
        self._speed = speed

    async def run(self) -> None:
        """Step until cancelled; at most `speed` simulated seconds in a second."""
        now = self._stand()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=5) as http,
            await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as database,
        ):
            while True:
                began = asyncio.get_running_loop().time()
                left = await self._settle(http, database, now)
                ahead = next_step(now, left)
                took = asyncio.get_running_loop().time() - began
                await asyncio.sleep(max(0.0, (ahead - now).total_seconds() / self._speed - took))
                now = ahead
                self._set(now)
                await database.execute(_WAKE)

    def _stand(self) -> datetime:
        now = Anchor.decode(self._path.read_text()).at(datetime.now(UTC))
        self._set(now)
        return now

    def _set(self, simulated: datetime) -> None:
        write_clock(self._path, Anchor(real=datetime.now(UTC), simulated=simulated, rate=0.0))

    async def _settle(
        self, http: httpx.AsyncClient, database: psycopg.AsyncConnection[tuple[object, ...]], now: datetime
    ) -> Left:
        looks = 0
        while True:
            left = await look(http, database, self._pages, now)
            looks = looks + 1 if left.nothing else 0
            if looks >= SETTLED_LOOKS:
                return left
            await asyncio.sleep(LOOK_SECONDS)


async def look(
    http: httpx.AsyncClient,
    database: psycopg.AsyncConnection[tuple[object, ...]],
    pages: Sequence[str],
    now: datetime,
) -> Left:
    """What is left to do at `now`, by the services' own health and their tables."""
    reports = [await _report(http, page) for page in pages]
    rows, due, next_due = 0, 0, None
    for schema, table in await (await database.execute(_TABLES)).fetchall():
        name = sql.Identifier(str(schema), str(table))
        if table == "outbox":
            rows += await _count(database, sql.SQL("SELECT count(*) FROM {}").format(name))
            continue
        due += await _count(database, sql.SQL("SELECT count(*) FROM {} WHERE due_at <= {}").format(name, now))
        found = await (await database.execute(sql.SQL("SELECT min(due_at) FROM {}").format(name))).fetchone()
        if found and isinstance(found[0], datetime):
            next_due = found[0] if next_due is None else min(next_due, found[0])
    due += await _count(database, _POLLS_DUE.format(now))
    if not any(map(mail_is_blocked, reports)):
        due += await _count(database, _MAILS_DUE.format())
    return Left(lag=sum(map(lag_of, reports)), outbox_rows=rows, due=due, next_due=next_due)


async def _report(http: httpx.AsyncClient, page: str) -> dict[str, Any] | None:
    """What a service says of itself; None where it does not answer."""
    try:
        report: dict[str, Any] = (await http.get(page)).json()
    except (httpx.HTTPError, ValueError):
        return None
    return report


def lag_of(report: Mapping[str, Any] | None) -> int:
    """A service's lag; one that does not answer, or is not ready, has something left to do: to come back."""
    return 1 if report is None else int(report["lag"]) + (0 if report["ready"] else 1)


def mail_is_blocked(report: Mapping[str, Any] | None) -> bool:
    """Whether a service says that no email may go, so that waiting for those that are due would never end."""
    return report is not None and bool((report.get("detail") or {}).get("mail", {}).get("blocked"))


async def _count(database: psycopg.AsyncConnection[tuple[object, ...]], query: sql.Composed) -> int:
    found = await (await database.execute(query)).fetchone()
    return int(str(found[0])) if found else 0
