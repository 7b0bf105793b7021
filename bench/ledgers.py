"""A company's ledger and Stripe's objects beside it, written straight into the tables that analysts' views read."""

from importlib.resources import files

import psycopg
from psycopg import sql

from cli.services import all_services
from runtime.access import analyst_role, create_analyst
from runtime.migrations import migrate

WORKSPACE, CONNECTION = "ws_bench", "con_bench"


def seed(database: str, *, customers: int) -> int:
    """Fill a fresh database; gives the number of movements. `database` is its owner's address."""
    migrate(database, [service.schema() for service in all_services()])
    values = {"customers": customers, "workspace": WORKSPACE, "connection": CONNECTION}
    statement = (files("bench.sql") / "ledger.sql").read_text()
    literals = {name: sql.Literal(value).as_string() for name, value in values.items()}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((statement % literals).encode())
        connection.execute("VACUUM ANALYZE")
        row = connection.execute("SELECT count(*) FROM mrr.movements").fetchone()
    return int(row[0]) if row else 0


def analyst(database: str) -> tuple[str, str]:
    """The role and the password of the company's analyst: it sees the rows of its workspace, by row security."""
    with psycopg.connect(database) as admin:
        return analyst_role(WORKSPACE), create_analyst(admin, WORKSPACE)
