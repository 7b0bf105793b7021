"""Who reads `analytics`: operators see every workspace, an analyst sees one.

| role | |
|---|---|
| `dropfix_operator` | logs in; sees every workspace's rows, and nothing but `analytics` |
| `dropfix_analyst_<workspace_id>` | logs in; sees that workspace's rows, and nothing but `analytics` |
| `dropfix_reader` | cannot log in; what sees every workspace: the operator and the console are members |
| `dropfix_analyst` | cannot log in; what sees its own workspaces: every analyst is a member |

The views run with the rights of who reads them (`security_invoker`), and the tables beneath have row security, so that
PostgreSQL itself keeps workspaces apart and can still use the tables' indexes. Readers hold SELECT on those tables but
no USAGE of their schemas: they reach them through the views alone. Services own their tables and are not touched by it.
A role that is made a member of several analysts' roles sees the workspaces of them all.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from runtime.database import Connection
from runtime.errors import AccessError
from runtime.roles import ANALYTICS_SCHEMA, let_admin_act_for, make_role, set_password

OPERATOR = "dropfix_operator"
READER = "dropfix_reader"
ANALYST = "dropfix_analyst"

LONGEST_ROLE_NAME = 63
"""Bytes; PostgreSQL cuts what is longer, and two analysts would be one."""

_FUNCTIONS = (Path(__file__).parent / "sql" / "access.sql").read_bytes()

_PERSON_SETTINGS = {
    "search_path": "analytics",
    "timezone": "UTC",
    "default_transaction_read_only": "on",
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "1min",
}
"""What a person's session starts with: short names work, and a forgotten query or transaction ends by itself."""

_PERSON_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Analyst:
    """A workspace's role; `sessions` are those open now, in any database of the server."""

    workspace_id: str
    role: str
    sessions: int


def analyst_role(workspace_id: str) -> str:
    """The name of a workspace's role; raises AccessError where PostgreSQL could not hold it."""
    role = f"{ANALYST}_{workspace_id}"
    if len(role.encode()) > LONGEST_ROLE_NAME:
        raise AccessError(f"the workspace id {workspace_id!r} is too long for the name of a role")
    return role


def prepare_readers(admin: Connection, members: Iterable[str], *, operator_password: str | None = None) -> None:
    """Make the roles of readers and what `analytics` needs of functions; `members` read every workspace too.

    Idempotent. Comes after `prepare_roles`, in the same transaction.
    """
    for group in (READER, ANALYST):
        make_role(admin, group, "NOLOGIN")
        _grant_schema(admin, group)
    if make_role(admin, OPERATOR, f"LOGIN CONNECTION LIMIT {_PERSON_CONNECTIONS}"):
        _set_defaults(admin, OPERATOR)
    if operator_password is not None:
        set_password(admin, OPERATOR, operator_password)
    for member in (OPERATOR, *members):
        _make_member(admin, member, READER)
    admin.execute(_FUNCTIONS)


def publish_views(connection: Connection) -> None:
    """Open the views that this role owns to their readers, and secure the tables beneath them.

    For whoever makes views: every migration ends with it, and so does a swap, whose tables are new.
    """
    connection.execute("SELECT analytics.publish()")


def create_analyst(admin: Connection, workspace_id: str) -> str:
    """Make a workspace's role and return its password, which is kept nowhere; a role that is there gets a new one."""
    role, password = analyst_role(workspace_id), secrets.token_urlsafe(24)
    if make_role(admin, role, f"LOGIN CONNECTION LIMIT {_PERSON_CONNECTIONS}"):
        _set_defaults(admin, role)
    _make_member(admin, role, ANALYST)
    set_password(admin, role, password)
    return password


def drop_analyst(admin: Connection, workspace_id: str) -> None:
    """End a workspace's role and its sessions; raises AccessError where there is none."""
    role = analyst_role(workspace_id)
    if not any(analyst.role == role for analyst in list_analysts(admin)):
        raise AccessError(f"the workspace {workspace_id} has no analyst's role")
    let_admin_act_for(admin, role)
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def list_analysts(admin: Connection) -> list[Analyst]:
    """Every workspace's role that this server has, in the order of the workspaces."""
    rows = admin.execute(
        "SELECT rolname, (SELECT count(*) FROM pg_stat_activity WHERE usename = rolname)"
        " FROM pg_roles WHERE starts_with(rolname::text, %s) ORDER BY rolname",
        (f"{ANALYST}_",),
    )
    return [Analyst(role.removeprefix(f"{ANALYST}_"), role, sessions) for role, sessions in rows]


def _grant_schema(admin: Connection, role: str) -> None:
    statement = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}")
    admin.execute(statement.format(sql.Identifier(ANALYTICS_SCHEMA), sql.Identifier(role)))


def _set_defaults(admin: Connection, role: str) -> None:
    for name, value in _PERSON_SETTINGS.items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        admin.execute(statement.format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value)))


def _make_member(admin: Connection, member: str, group: str) -> None:
    found = admin.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", (member, group)).fetchone()
    if found is None or not found[0]:
        admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(member)))
