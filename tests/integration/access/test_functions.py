"""The functions of `analytics` know no more than the views: tried by real logins."""

import pytest

from runtime.access import analyst_role
from tests.integration.access.deployment import Deployment, psql

ASKED = {
    "mrr_as_of": "'2026-11-24'",
    "mrr_as_known": "'2026-11-24', '2026-12-31'",
    "mrr_customers_as_of": "'2026-11-24'",
    "mrr_customers_as_known": "'2026-11-24', '2026-12-31'",
    "mrr_retention": "'2026-11-24', '2026-11-24'",
}
"""By function: of when there is something."""


def functions(deployment: Deployment) -> list[str]:
    """Those that give rows."""
    rows = deployment.rows(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace AND proretset ORDER BY 1"
    )
    return [name for (name,) in rows]


def test_every_function_is_tried_here_and_says_what_it_gives(deployment: Deployment) -> None:
    assert functions(deployment) == sorted(ASKED)
    silent = deployment.rows(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace"
        " AND coalesce(obj_description(oid, 'pg_proc'), '') = ''"
    )
    assert silent == []


@pytest.mark.parametrize("function", sorted(ASKED))
def test_an_analyst_is_answered_of_its_own_workspace_alone(
    deployment: Deployment, our_analyst: str, their_analyst: str, function: str
) -> None:
    asked = f"SELECT DISTINCT workspace_id FROM {function}({ASKED[function]})"
    assert psql(our_analyst, asked).stdout.split() == [deployment.ours]
    assert psql(their_analyst, asked).stdout.split() == [deployment.theirs]
    assert set(psql(deployment.operator_url, asked).stdout.split()) == {deployment.ours, deployment.theirs}


@pytest.mark.parametrize("function", sorted(ASKED))
def test_a_function_runs_with_the_rights_of_whoever_calls_it(deployment: Deployment, function: str) -> None:
    """What it reads is secured by row; with rights of its own it would see everything."""
    rows = deployment.rows(
        "SELECT prosecdef, proconfig FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace AND proname = %s",
        function,
    )
    assert rows == [(False, None)]


def test_what_adds_days_up_is_called_by_no_reader(deployment: Deployment, our_analyst: str) -> None:
    with deployment.acting_as(analyst_role(deployment.ours)) as db:
        allowed = db.execute("SELECT has_schema_privilege('mrr', 'USAGE')").fetchone()
    assert allowed == (False,)
