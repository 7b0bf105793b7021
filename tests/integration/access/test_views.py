"""What is held of every view, whoever adds one: looked up in the catalogue of a migrated database."""

from tests.integration.access.deployment import Deployment

NOT_OF_A_WORKSPACE = {"mrr.clocks"}
"""Tables beneath the views that hold nothing of anybody."""


def test_every_view_and_every_column_says_what_it_means(deployment: Deployment) -> None:
    silent = deployment.rows(
        "SELECT c.relname, a.attname FROM pg_class c"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind IN ('v', 'm', 'r', 'p')"
        " AND (coalesce(obj_description(c.oid), '') = '' OR coalesce(col_description(c.oid, a.attnum), '') = '')"
    )
    assert silent == []


def test_every_view_runs_with_the_rights_of_its_reader(deployment: Deployment) -> None:
    others = deployment.rows(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
        " AND relkind NOT IN ('c', 'i') AND NOT (relkind = 'v' AND 'security_invoker=true' = ANY (reloptions))"
    )
    assert others == []


def test_every_row_says_whose_it_is(deployment: Deployment) -> None:
    for view in deployment.views:
        names = {column.name for column in deployment.columns(f"analytics.{view}")}
        assert "workspace_id" in names, view
        assert ("connection_id" in names) == (view in deployment.views_by_connection), view


def test_every_table_beneath_a_view_has_row_security(deployment: Deployment) -> None:
    secured = deployment.rows(
        "SELECT format('%s.%s', schemaname, tablename) FROM pg_policies JOIN pg_class c"
        " ON c.oid = format('%I.%I', schemaname, tablename)::regclass AND c.relrowsecurity"
        " WHERE policyname IN ('every_workspace', 'own_workspaces') GROUP BY 1 HAVING count(*) = 2"
    )
    assert {name for (name,) in secured} == set(deployment.tables_beneath) - NOT_OF_A_WORKSPACE


def test_tables_without_a_workspace_hold_nothing_of_anybody(deployment: Deployment) -> None:
    without = {
        table
        for table in deployment.tables_beneath
        if "workspace_id" not in {column.name for column in deployment.columns(table)}
    }
    assert without == NOT_OF_A_WORKSPACE
    assert [column.name for column in deployment.columns("mrr.clocks")] == ["partition", "ahead"]
