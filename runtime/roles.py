"""The roles of PostgreSQL: one per service, least privilege, made by the database's owner.

A service's role owns its schema and `<schema>_io` (the outbox and what else must survive a swap), may create views
in `analytics`, and reads nothing of another service but what that service grants in its own migrations. Who reads the
views is in `runtime.access`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from runtime.database import Connection

ANALYTICS_SCHEMA = "analytics"
SET_IS_A_RIGHT_OF_ITS_OWN = 160_000
"""PostgreSQL's version from which on."""


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """A service's name in PostgreSQL."""

    service: str
    schema: str
    reads_analytics: bool = False
    """Reads the views of the others, of every workspace, and makes none itself."""

    @property
    def name(self) -> str:
        return f"dropfix_{self.service}"

    @property
    def io_schema(self) -> str:
        """The schema that a swap leaves alone."""
        return f"{self.schema}_io"


def prepare_roles(admin: Connection, roles: Iterable[ServiceRole], passwords: Mapping[str, str]) -> None:
    """Make the roles and schemas that are missing. `passwords` by service; one that is absent is left as it is.

    Idempotent. `admin` owns the database or may create roles; runs in its current transaction.
    """
    admin.execute("SELECT pg_advisory_xact_lock(hashtext('dropfix.roles'))")
    roles = list(roles)
    for role in roles:
        make_role(admin, role.name, "LOGIN")
        if role.service in passwords:
            set_password(admin, role.name, passwords[role.service])
    _make_schema(admin, ANALYTICS_SCHEMA, None)
    admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    database = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
    for role in roles:
        name = sql.Identifier(role.name)
        admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, name))
        _make_schema(admin, role.schema, role.name)
        _make_schema(admin, role.io_schema, role.name)
        analytics = sql.Identifier(ANALYTICS_SCHEMA)
        admin.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(analytics, name))
        change = "REVOKE CREATE ON SCHEMA {} FROM {}" if role.reads_analytics else "GRANT CREATE ON SCHEMA {} TO {}"
        admin.execute(sql.SQL(change).format(analytics, name))


def make_role(admin: Connection, name: str, options: LiteralString) -> bool:
    """Make a role unless it is there; whether it was made, and not by another database's preparation meanwhile."""
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None:
        return False
    try:
        with admin.transaction():
            admin.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), sql.SQL(options)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return False
    return True


def set_password(admin: Connection, role: str, password: str) -> None:
    """Give a role another password; it holds from its next login on."""
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))


def let_admin_act_for(admin: Connection, role: str) -> None:
    """On a managed server the owner of a database is no superuser: it must be a member to act for a role.

    From PostgreSQL 16 on, who made a role administers it without being able to act for it.
    """
    modern = admin.info.server_version >= SET_IS_A_RIGHT_OF_ITS_OWN
    for right in ("SET", "USAGE") if modern else ("MEMBER",):
        found = admin.execute("SELECT pg_has_role(current_user, %s, %s)", (role, right)).fetchone()
        if found is None or not found[0]:
            admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
            return


def _make_schema(admin: Connection, schema: str, owner: str | None) -> None:
    admin.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    if owner is not None:
        let_admin_act_for(admin, owner)
        admin.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), sql.Identifier(owner)))
