"""The exchange of a service's tables for those of its shadow: by renaming schemas, in one transaction.

A running service survives it: its statements name tables without a schema, PostgreSQL resolves a name again once the
lock that a statement waited for is had, and a batch begins with its offset. So whoever waits finds the new tables, at
the offsets at which the old ones stood. The outbox and the dead letters stand outside.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from psycopg import sql

from pipeline.rebuild.plan import Plan
from runtime.access import publish_views
from runtime.database import Connection
from runtime.roles import ANALYTICS_SCHEMA
from schemas.catalogue import DATA_PARTITIONS
from schemas.partition import partition_of

LOCK_TIMEOUT = "15s"
RULE = "rebuild"

_VIEWS = (
    "SELECT oid::regclass::text, relname FROM pg_class"
    " WHERE relnamespace = to_regnamespace(%s) AND relkind = 'v' AND relowner = to_regrole(%s)"
)
_GRANTS = """
    SELECT format('GRANT %%s ON SCHEMA %%I TO %%s', a.privilege_type, n.nspname, a.grantee::regrole)
    FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = %(schema)s AND a.grantee NOT IN (0, n.nspowner)
    UNION ALL
    SELECT format('GRANT %%s ON %%I.%%I TO %%s', a.privilege_type, n.nspname, c.relname, a.grantee::regrole)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE a.grantee NOT IN (0, c.relowner) AND c.relkind IN ('r', 'v')
      AND (n.nspname = %(schema)s OR n.nspname = %(views)s AND c.relowner = to_regrole(%(role)s))
"""
_APPLIED = sql.SQL(
    "INSERT INTO {live}._yoyo_migration SELECT * FROM {old}._yoyo_migration o"
    " WHERE NOT EXISTS (SELECT FROM {live}._yoyo_migration n WHERE n.migration_hash = o.migration_hash)"
)


def lock_live(conn: Connection) -> None:
    """Hold up every batch and timer of the service until the transaction ends."""
    conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
    conn.execute("LOCK TABLE offsets, timer_runs IN ACCESS EXCLUSIVE MODE")


def wake_again(conn: Connection, shadow: str, subjects: Sequence[str], due_at: datetime) -> None:
    """Have the service decide these subjects again once it goes on."""
    statement = sql.SQL(
        "INSERT INTO {} (partition, subject, rule, due_at) SELECT p, s, %s, %s"
        " FROM unnest(%b::integer[], %b::text[]) AS w (p, s) ON CONFLICT DO NOTHING"
    ).format(sql.Identifier(shadow, "timers"))
    partitions = [partition_of(subject, DATA_PARTITIONS) for subject in subjects]
    conn.execute(statement, (RULE, due_at, partitions, list(subjects)))


def exchange(conn: Connection, plan: Plan) -> None:
    """Live becomes old, the shadow becomes live, and the views stand on it, with the grants there were."""
    role = plan.schema.role.name
    live, shadow, old = map(sql.Identifier, (plan.live, plan.shadow, plan.old))
    grants = conn.execute(_GRANTS, {"schema": plan.live, "views": ANALYTICS_SCHEMA, "role": role}).fetchall()
    views = conn.execute(_VIEWS, (ANALYTICS_SCHEMA, role)).fetchall()
    if views:
        names = sql.SQL(", ").join(sql.Identifier(ANALYTICS_SCHEMA, name) for _, name in views)
        conn.execute(sql.SQL("DROP VIEW {}").format(names))
    conn.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(live, old))
    conn.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(shadow, live))
    _make_views(conn, plan, role)
    conn.execute(_APPLIED.format(live=live, old=old))
    for (grant,) in grants:
        conn.execute(grant.encode())
    conn.execute("SELECT pg_notify('dropfix', %s)", (plan.live,))


def _make_views(conn: Connection, plan: Plan, role: str) -> None:
    conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    for statements in _view_files(plan):
        conn.execute(statements)
    publish_views(conn)
    conn.execute("RESET ROLE")


def _view_files(plan: Plan) -> Iterator[bytes]:
    """The service's last folder, in the order in which migrations apply."""
    for path in sorted(plan.schema.folders[-1].glob("*.sql")):
        yield path.read_bytes()
