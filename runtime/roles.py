"""The roles of PostgreSQL: one per service, least privilege, made by the database's owner.

A service's role owns its schema and `<schema>_io` (the outbox and what else must survive a swap), may create views
in `analytics`, and reads nothing of another service but what that service grants in its own migrations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from runtime.database import Connection

ANALYTICS_SCHEMA = "analytics"


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """A service's name in PostgreSQL."""

    service: str
    schema: str

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
        _make_role(admin, role, passwords.get(role.service))
    _make_schema(admin, ANALYTICS_SCHEMA, None)
    admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    for role in roles:
        _make_schema(admin, role.schema, role.name)
        _make_schema(admin, role.io_schema, role.name)
        admin.execute(
            sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(
                sql.Identifier(ANALYTICS_SCHEMA), sql.Identifier(role.name)
            )
        )


def _make_role(admin: Connection, role: ServiceRole, password: str | None) -> None:
    known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role.name,)).fetchone()
    if known is None:
        try:
            with admin.transaction():
                admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role.name)))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            pass  # another database of this server is being prepared at the same time
    if password is not None:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role.name), sql.Literal(password)))
    database = admin.info.dbname
    admin.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(role.name))
    )


def _make_schema(admin: Connection, schema: str, owner: str | None) -> None:
    admin.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    if owner is not None:
        _let_admin_act_for(admin, owner)
        admin.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), sql.Identifier(owner)))


def _let_admin_act_for(admin: Connection, role: str) -> None:
    """On a managed server the owner of a database is no superuser: it must be a member to hand a schema over."""
    member = admin.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", (role,)).fetchone()
    if member is None or not member[0]:
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
