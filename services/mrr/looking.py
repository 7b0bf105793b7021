"""Looking at ledgers from outside the service: states as they are stored, and what they go by. Decides nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from pipeline.decisions import load_images
from runtime.database import Connection
from runtime.errors import RuntimeFault
from services.mrr.core import State
from services.mrr.governance import MrrGovernance, day_begins, zone_of
from services.mrr.in_force import InForce
from services.mrr.matches import read_persons
from services.mrr.policy import DEFAULT, Policy
from services.mrr.store import decode_state


@contextmanager
def database_faults() -> Iterator[None]:
    """What keeps the tables from being looked at becomes a RuntimeFault that says what to do."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise RuntimeFault(f"the database does not answer (look at --database-url): {str(error).strip()}") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise RuntimeFault("mrr has no tables in this database yet: dropfix migrate") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise RuntimeFault(f"this role may not look at mrr's tables: {str(error).strip()}") from error
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        # it never came to PostgreSQL, and what the library says of an address repeats it, password and all
        raise RuntimeFault("--database-url is no address of PostgreSQL: it looks like postgresql://…") from None


@contextmanager
def looking(database: str) -> Iterator[Connection]:
    """A connection that sees one snapshot of mrr's tables, and writes nothing; see `database_faults`."""
    with database_faults(), psycopg.connect(database, options="-c search_path=mrr -c timezone=UTC") as conn:
        conn.read_only = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield conn


@dataclass(frozen=True, slots=True)
class Seen:
    """A ledger's state, what it goes by, and the zone of its workspace's days."""

    state: State
    in_force: InForce
    zone: str


def ledgers_of(conn: Connection, owner: str) -> list[Seen]:
    """The ledgers of a customer, or a user, in every connection and workspace that has it."""
    rows = conn.execute(
        "SELECT subject, workspace_id, state FROM customers WHERE substr(subject, strpos(subject, '/') + 1) = %s"
        " ORDER BY 1",
        (owner,),
    ).fetchall()
    return list(with_what_is_in_force(conn, [decode_state(*row) for row in rows]))


def with_what_is_in_force(conn: Connection, states: Sequence[State]) -> Iterator[Seen]:
    """What each of these ledgers goes by."""
    whom = {state.subject: state.workspace_id for state in states}
    images = load_images(conn, set(whom.values()))
    governance = MrrGovernance(DEFAULT, read_persons(conn, whom))
    now = now_of(conn)
    for state in states:
        image = images[state.workspace_id]
        yield Seen(state, governance.policy(image, state.subject), zone_of(image, now))


def now_of(conn: Connection) -> datetime:
    """What time it is by the service's clock (UTC)."""
    row = conn.execute("SELECT coalesce(max(now() + ahead), now()) FROM clocks").fetchone()
    if row is None:
        raise LookupError("PostgreSQL gave no time")
    instant: datetime = row[0]
    return instant


def end_of(day: date, zone: str) -> datetime:
    """The last microsecond of a day in a zone (UTC)."""
    return day_begins(day + timedelta(days=1), zone) - timedelta(microseconds=1)


def policy_of_workspace(conn: Connection, workspace_id: str) -> Policy:
    """The policy that counts now."""
    now = round(now_of(conn).timestamp() * 1_000_000)
    in_force = MrrGovernance(DEFAULT).policy(load_images(conn, [workspace_id])[workspace_id], f"{workspace_id}/")
    return next(era.policy for era in reversed(in_force.eras(now)) if era.start <= now)


BATCH = 500


def workspaces_of(conn: Connection) -> list[str]:
    """The workspaces that have a ledger, by id."""
    return [name for (name,) in conn.execute("SELECT DISTINCT workspace_id FROM customers ORDER BY 1")]


def count_of(conn: Connection, workspace_id: str) -> int:
    """How many ledgers a workspace has."""
    row = conn.execute("SELECT count(*) FROM customers WHERE workspace_id = %s", (workspace_id,)).fetchone()
    return int(row[0]) if row else 0


def every_ledger(conn: Connection, workspace_id: str) -> Iterator[Seen]:
    """All ledgers of a workspace, in the order of subjects; memory stays bounded."""
    with conn.cursor(name="every_ledger") as cursor:
        cursor.itersize = BATCH
        cursor.execute(
            "SELECT subject, workspace_id, state FROM customers WHERE workspace_id = %s ORDER BY 1", (workspace_id,)
        )
        while rows := cursor.fetchmany(BATCH):
            yield from with_what_is_in_force(conn, [decode_state(*row) for row in rows])
