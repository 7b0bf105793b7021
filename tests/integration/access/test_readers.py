"""Who reads `analytics` sees what is theirs, and can do nothing else: tried through psql, with real logins."""

import pytest
from psycopg import sql

from runtime.access import ANALYST, OPERATOR, READER, analyst_role
from tests.integration.access.deployment import Deployment, psql, refusal

DENIED = "42501"

FORBIDDEN = [
    "INSERT INTO customers (workspace_id) VALUES ('x')",
    "UPDATE customers SET name = 'x'",
    "DELETE FROM customers",
    "TRUNCATE mirror.customers",
    "CREATE TABLE analytics.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE OR REPLACE FUNCTION analytics.workspaces() RETURNS text[] LANGUAGE sql AS 'SELECT null::text[]'",
    "ALTER VIEW analytics.customers SET (security_invoker = false)",
    "ALTER TABLE mirror.customers DISABLE ROW LEVEL SECURITY",
    "SELECT * FROM control.connections",
    "SELECT control.adopt_connection('a', 'b', 'c')",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
]


def workspaces_seen(deployment: Deployment, url: str) -> dict[str, set[str]]:
    """By view: the workspaces whose rows come out of it."""
    seen = {}
    for view in deployment.views:
        answer = psql(url, f"SELECT DISTINCT workspace_id FROM {view}")
        assert answer.returncode == 0, answer.stderr
        seen[view] = set(answer.stdout.split())
    return seen


def test_an_analyst_sees_the_rows_of_its_workspace_alone_in_every_view(
    deployment: Deployment, our_analyst: str, their_analyst: str
) -> None:
    assert workspaces_seen(deployment, our_analyst) == {view: {deployment.ours} for view in deployment.views}
    assert workspaces_seen(deployment, their_analyst) == {view: {deployment.theirs} for view in deployment.views}


def test_nothing_that_an_analyst_is_shown_speaks_of_another_workspace(deployment: Deployment, our_analyst: str) -> None:
    for view in deployment.views:
        shown = psql(our_analyst, f"SELECT * FROM {view}").stdout
        assert deployment.ours in shown
        assert deployment.theirs not in shown
        assert "con_their_live" not in shown


def test_an_operator_sees_the_rows_of_every_workspace(deployment: Deployment) -> None:
    both = {deployment.ours, deployment.theirs}
    assert workspaces_seen(deployment, deployment.operator_url) == dict.fromkeys(deployment.views, both)


def test_an_analyst_without_a_workspace_sees_nothing(deployment: Deployment) -> None:
    with deployment.acting_as(ANALYST) as db:
        for view in deployment.views:
            assert db.execute(sql.SQL("SELECT count(*) FROM analytics.{}").format(sql.Identifier(view))).fetchone() == (
                0,
            )


def test_a_person_who_is_in_two_workspaces_sees_both(
    deployment: Deployment, our_analyst: str, their_analyst: str
) -> None:
    role = f"person_{deployment.ours}"
    deployment.rows(f"CREATE ROLE {role} IN ROLE {analyst_role(deployment.ours)}, {analyst_role(deployment.theirs)}")
    try:
        with deployment.acting_as(role) as db:
            found = db.execute("SELECT DISTINCT workspace_id FROM analytics.customers").fetchall()
        assert {workspace for (workspace,) in found} == {deployment.ours, deployment.theirs}
    finally:
        deployment.rows(f"DROP ROLE {role}")


def test_test_and_live_mode_of_one_account_stand_side_by_side(deployment: Deployment, our_analyst: str) -> None:
    """Every object has the same id in both modes, and in the other company's connection."""
    for view in deployment.views_by_connection:
        shown = psql(our_analyst, f"SELECT connection_id, count(*) FROM {view} GROUP BY 1 ORDER BY 1").stdout.split()
        assert [line.partition(",")[0] for line in shown] == ["con_our_live", "con_our_test"], view
    balances = psql(our_analyst, "SELECT connection_id, mrr FROM mrr_by_customer ORDER BY 1").stdout.split()
    assert balances == ["con_our_live,1", "con_our_test,2"]
    recovered = psql(our_analyst, "SELECT connection_id, at_stake FROM dunning_recovery ORDER BY 1").stdout.split()
    assert recovered == ["con_our_live,1", "con_our_test,2"]


@pytest.mark.parametrize("who", ["operator", "analyst"])
def test_a_reader_changes_nothing_and_reads_nothing_else(deployment: Deployment, our_analyst: str, who: str) -> None:
    url = deployment.operator_url if who == "operator" else our_analyst
    for statement in FORBIDDEN:
        answer = psql(url, "SET default_transaction_read_only = off", statement)
        assert answer.returncode != 0, statement
        assert "permission denied" in answer.stderr or "must be owner" in answer.stderr, (statement, answer.stderr)


@pytest.mark.parametrize("role", [OPERATOR, "analyst"])
def test_a_reader_reaches_no_table_but_through_the_views(deployment: Deployment, our_analyst: str, role: str) -> None:
    with deployment.acting_as(analyst_role(deployment.ours) if role == "analyst" else role) as db:
        for table in deployment.tables:
            for statement in ("SELECT FROM {} LIMIT 1", "DELETE FROM {}"):
                refused = refusal(db, sql.SQL(statement).format(table.identifier))
                assert refused is not None, table
                assert refused.sqlstate == DENIED


@pytest.mark.parametrize("role", [OPERATOR, "analyst"])
def test_a_reader_becomes_nobody_else(deployment: Deployment, our_analyst: str, their_analyst: str, role: str) -> None:
    own = analyst_role(deployment.ours) if role == "analyst" else role
    others = {
        *(schema.role.name for schema in deployment.schemas),
        analyst_role(deployment.theirs),
        *({READER, OPERATOR} if role == "analyst" else {ANALYST, analyst_role(deployment.ours)}),
    }
    for other in others:
        with deployment.acting_as(own) as db:
            refused = refusal(db, sql.SQL("SET ROLE {}").format(sql.Identifier(other)))
        assert refused is not None, other
        assert refused.sqlstate == DENIED


def test_a_guess_about_other_rows_is_not_answered_by_an_error(deployment: Deployment, our_analyst: str) -> None:
    """A cast that fails names the value it fails at: it must only ever meet rows of the analyst's own."""
    for view in deployment.views:
        answer = psql(our_analyst, f"SELECT 1 FROM {view} v WHERE v.workspace_id::int > 0")
        assert "invalid input syntax" in answer.stderr, view
        assert deployment.ours in answer.stderr, view
        assert deployment.theirs not in answer.stderr, view


def test_short_names_work_and_nothing_runs_for_ever(our_analyst: str) -> None:
    shown = psql(our_analyst, "SELECT current_setting('statement_timeout'), count(*) FROM customers").stdout
    assert shown.strip() == "5min,2"


def test_the_workspace_is_looked_up_once_and_by_the_index(deployment: Deployment, our_analyst: str) -> None:
    with deployment.acting_as(analyst_role(deployment.ours)) as db:
        db.execute("SET enable_seqscan = off")
        plan = "\n".join(line for (line,) in db.execute("EXPLAIN SELECT * FROM analytics.customers").fetchall())
    assert "Index Cond: (workspace_id = ANY ((InitPlan" in plan
