"""Each service's role does what its service needs, and is refused the rest: every table is tried."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from cli.services import all_services
from tests.integration.access.deployment import Deployment, Refused, Relation, refusal

DENIED = "42501"
SERVICES = [service.name for service in all_services()]

MAY_READ = {
    "poller": {"control.connections", "control.secrets"},
    "console": {"poller.connection_status", "poller.api_calls"},
}
"""By service: tables of others that it may read: keys; what the card shows, and the table beneath `api_calls`."""

Db = psycopg.Connection[tuple[Any, ...]]


def attempt(db: Db, statement: Any, table: Relation) -> Refused | None:
    return refusal(db, sql.SQL(statement).format(table.identifier))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_own_tables_and_what_it_was_granted(deployment: Deployment, service: str) -> None:
    role = f"dropfix_{service}"
    with deployment.acting_as(role) as db:
        read = {table.name for table in deployment.tables if attempt(db, "SELECT FROM {} LIMIT 1", table) is None}
    own = {table.name for table in deployment.tables if table.owner == role}
    assert own
    assert read == own | MAY_READ.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES", "DROP TABLE {}"])
def test_a_service_changes_no_table_of_another(deployment: Deployment, service: str, statement: str) -> None:
    role = f"dropfix_{service}"
    with deployment.acting_as(role) as db:
        for table in deployment.tables:
            if table.owner != role:
                refused = attempt(db, statement, table)
                assert refused is not None, table
                assert refused.sqlstate == DENIED, (table, refused)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_makes_nothing_in_the_schemas_of_others(deployment: Deployment, service: str) -> None:
    own = {
        f"{schema.schema}{suffix}"
        for schema in deployment.schemas
        for suffix in ("", "_io")
        if schema.service == service
    }
    foreign = {table.schema for table in deployment.tables} - own | {"public"}
    with deployment.acting_as(f"dropfix_{service}") as db:
        for schema in foreign:
            refused = refusal(db, sql.SQL("CREATE TABLE {}.planted (a int)").format(sql.Identifier(schema)))
            assert refused is not None, schema
            assert refused.sqlstate == DENIED


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_no_more_than_its_role(deployment: Deployment, service: str) -> None:
    """No attribute of an administrator, and a member of nothing but what reads `analytics`."""
    role = f"dropfix_{service}"
    attributes = deployment.rows(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s",
        role,
    )
    assert attributes == [(False,) * 5]
    groups = deployment.rows(
        "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = %s::regrole", role
    )
    assert groups == ([("dropfix_reader",)] if service == "console" else [])


def test_only_the_console_reads_the_views_of_the_others(deployment: Deployment) -> None:
    for schema in deployment.schemas:
        with deployment.acting_as(schema.role.name) as db:
            for view in deployment.views:
                owner = deployment.rows(
                    "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass", f"analytics.{view}"
                )
                refused = refusal(db, sql.SQL("SELECT FROM analytics.{}").format(sql.Identifier(view)))
                expected = schema.service == "console" or owner == [(schema.role.name,)]
                assert (refused is None) == expected, (schema.service, view)


def test_the_console_sees_every_workspace_and_makes_no_view(deployment: Deployment) -> None:
    with deployment.acting_as("dropfix_console") as db:
        found = db.execute("SELECT DISTINCT workspace_id FROM analytics.signals").fetchall()
        assert {workspace for (workspace,) in found} == {deployment.ours, deployment.theirs}
    made = deployment.refusal("dropfix_console", "CREATE VIEW analytics.planted AS SELECT 1 AS workspace_id")
    assert made is not None
    assert made.sqlstate == DENIED


def test_services_see_all_rows_of_their_own_tables(deployment: Deployment) -> None:
    """Row security is for readers: a service that met it would lose what it knows."""
    for table in deployment.tables:
        if table.name in deployment.tables_beneath and table.name != "mrr.clocks":
            with deployment.acting_as(table.owner) as db:
                count = db.execute(sql.SQL("SELECT count(*) FROM {}").format(table.identifier)).fetchone()
            assert count == (len(deployment.scenes) * deployment.rows_a_scene(table.name),), table


def test_a_secret_is_shown_to_the_role_that_it_is_sealed_to(deployment: Deployment) -> None:
    with deployment.acting_as("dropfix_console") as db:
        db.execute("INSERT INTO control.workspaces VALUES ('ws', 'Acme', now())")
        for name, role in (("signing", "dropfix_poller"), ("smtp", "dropfix_dunning")):
            db.execute(
                "INSERT INTO control.secrets (secret_id, workspace_id, name, sealed_to, sealed, key_id, created_at)"
                " VALUES (%s, 'ws', %s, %s, 'sealed', 'key', now())",
                (name, name, role),
            )
        db.execute("RESET SESSION AUTHORIZATION")
        db.execute("SET SESSION AUTHORIZATION dropfix_poller")
        assert db.execute("SELECT name FROM control.secrets").fetchall() == [("signing",)]


@pytest.mark.parametrize("service", [service for service in SERVICES if service not in {"poller", "console"}])
def test_only_the_poller_moves_a_sealed_key(deployment: Deployment, service: str) -> None:
    for statement in (
        "SELECT control.adopt_connection('a', 'b', '')",
        "SELECT control.reseal_connection('a', '', '', 'b')",
    ):
        refused = refusal_of(deployment, service, statement)
        assert refused is not None
        assert refused.sqlstate == DENIED


def refusal_of(deployment: Deployment, service: str, statement: Any) -> Refused | None:
    return deployment.refusal(f"dropfix_{service}", statement)
