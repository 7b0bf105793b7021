"""The schema beside the live one, and what is done with it.

    rebuild = Rebuild(plan, admin_url=..., broker=..., now=...)
    with rebuild.alone():
        rebuild.make(); rebuild.catch_up(); results = rebuild.verify(); rebuild.swap()

`admin_url` is a role that owns the database. The service runs on meanwhile.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pipeline.errors import PassingFault
from pipeline.rebuild.compare import TableResult, compare
from pipeline.rebuild.hands import Work, replay_by_hands
from pipeline.rebuild.plan import Plan
from pipeline.rebuild.swap import exchange, lock_live, wake_again
from pipeline.replay import ReplayProgress, Target, unheard
from pipeline.sources import backoff
from runtime.database import Connection, Database
from runtime.errors import RuntimeFault
from runtime.kafka import Broker
from runtime.migrations import apply_folders, pending

SNAPSHOTS = 3
"""How often the tables are compared before a difference counts: a snapshot may fall between a timer and the note that
it ran."""
PASSING_FAULTS = 8


class RebuildError(RuntimeFault):
    """The rebuild cannot go on; the live tables are as they were."""


@dataclass(frozen=True)
class Rebuild:
    """One rebuild of one service. Raises RebuildError, PassingFault, Fatal; the live tables are as they were then.

    `hands`: how many processes replay; with more than one, `now` must be picklable.
    """

    plan: Plan
    admin_url: str
    broker: Broker
    now: Callable[[], datetime]
    progressed: Callable[[ReplayProgress], None] = unheard
    hands: int = 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other rebuild of this service is at work."""
        with self._connect(self.plan.live, autocommit=True) as conn:
            name = f"dropfix.rebuild.{self.plan.live}"
            row = conn.execute("SELECT pg_try_advisory_lock(hashtext(%s), 0)", (name,)).fetchone()
            if row is None or not row[0]:
                raise RebuildError(f"another rebuild of {self.plan.live} is at work")
            yield

    def make(self) -> None:
        """Make the shadow anew, empty; what a rebuild before left is removed."""
        if behind := pending(self.admin_url, self.plan.schema):
            raise RebuildError(f"the live tables lack the migrations {', '.join(behind)}: run `dropfix migrate` first")
        self.discard()
        with self._connect("public") as conn:
            statement = sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}")
            conn.execute(statement.format(*map(sql.Identifier, (self.plan.shadow, self.plan.schema.role.name))))
        without_views = replace(self.plan.schema, folders=self.plan.schema.folders[:-1])
        apply_folders(self.admin_url, without_views, schema=self.plan.shadow)
        with self._connect(self.plan.shadow) as conn:
            self.plan.made(conn)

    def exists(self) -> bool:
        """Whether there is a shadow to go on with."""
        with self._connect("public") as conn:
            row = conn.execute("SELECT to_regclass(%s)", (f"{self.plan.shadow}.offsets",)).fetchone()
            return row is not None and row[0] is not None

    def discard(self) -> None:
        """Remove the shadow, and the tables that an earlier swap replaced."""
        with self._connect("public") as conn:
            for schema in (self.plan.shadow, self.plan.old):
                conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))

    def catch_up(self) -> ReplayProgress:
        """Bring the shadow to where the live tables are now."""
        with self._connect(self.plan.live) as conn:
            target = Target.of_tables(conn)
        return self._bring_to(target, self.progressed)

    def verify(self) -> tuple[TableResult, ...]:
        """Compare a snapshot of the live tables with the shadow brought to exactly there."""
        for attempt in range(SNAPSHOTS):
            results = self._verify_once()
            if all(result.different == 0 for result in results) or attempt == SNAPSHOTS - 1:
                break
            time.sleep(1)
        return results

    def swap(self, *, as_correction: bool = False) -> None:
        """Put the shadow in the place of the live tables, in one transaction that holds the service's batches up.

        What was published stays as it was told. As a correction, what follows and was not told yet is told by the
        service itself, now. The tables that are replaced stay in `<schema>_old`.
        """
        self.catch_up()
        with self._connect(self.plan.live) as conn:
            try:
                lock_live(conn)
                self._bring_to(Target.of_tables(conn), unheard)
                subjects = self.plan.carry(conn, self.plan.live, self.plan.shadow)
                if as_correction:
                    wake_again(conn, self.plan.shadow, subjects, self.now())
                    self._sum_again(conn)
                exchange(conn, self.plan)
            except psycopg.errors.LockNotAvailable as error:
                raise RebuildError(
                    f"the tables of {self.plan.live} are in use for too long (a long query?): try again"
                ) from error

    def _sum_again(self, conn: Connection) -> None:
        """What the live tables added up to may be what differs."""
        search_path = sql.SQL("SET LOCAL search_path = {}")
        conn.execute(search_path.format(sql.Identifier(self.plan.shadow)))
        self.plan.summed(conn)
        conn.execute(search_path.format(sql.Identifier(self.plan.live)))

    def _verify_once(self) -> tuple[TableResult, ...]:
        with self._connect(self.plan.live) as live:
            live.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._bring_to(Target.of_tables(live), self.progressed)
            with self._connect(self.plan.shadow) as shadow:
                self.plan.summed(shadow)
                return compare(live, shadow, self.plan.tables)

    def _bring_to(self, target: Target, progressed: Callable[[ReplayProgress], None]) -> ReplayProgress:
        database = Database(
            url=self.admin_url, schema=self.plan.shadow, application=f"dropfix-{self.plan.live}-rebuild"
        )
        work = Work(self.plan.processor, database, self.broker, self.now)
        failures = 0
        while True:
            try:
                return replay_by_hands(work, target, hands=self.hands, progressed=progressed)
            except PassingFault:
                failures += 1
                if failures > PASSING_FAULTS:
                    raise
                time.sleep(backoff(failures))

    def _connect(self, schema: str, *, autocommit: bool = False) -> Connection:
        """As the owner; a snapshot or a lock is held for as long as it takes."""
        options = f"-c search_path={schema} -c timezone=UTC -c idle_in_transaction_session_timeout=0"
        return psycopg.connect(make_conninfo(self.admin_url, options=options), autocommit=autocommit)
