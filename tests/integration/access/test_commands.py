"""`dropfix analyst` and `dropfix tables`, run as a person runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import FAILED, NOT_RUNNING, USAGE
from tests.integration.access.deployment import Deployment, psql, remove_analysts

ROOT = Path(__file__).parents[3]


def dropfix(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


@pytest.fixture
def workspace(deployment: Deployment) -> Iterator[str]:
    """A workspace that the console knows, without an analyst, with a row that the mirror keeps."""
    name = f"ws_{os.urandom(8).hex()}"
    deployment.rows("INSERT INTO control.workspaces VALUES (%s, %s, now())", name, f"Company {name}")
    yield name
    remove_analysts(deployment.url, [name])
    deployment.rows("DELETE FROM control.workspaces WHERE workspace_id = %s", name)


def test_an_analyst_is_made_once_and_its_connection_string_works(deployment: Deployment, workspace: str) -> None:
    made = dropfix("analyst", "create", workspace, url=deployment.url)
    assert made.returncode == 0, made.stderr
    url = made.stdout.strip()
    assert url.startswith(f"postgresql://dropfix_analyst_{workspace}:")
    assert psql(url, "SELECT count(*) FROM customers").stdout.strip() == "0"
    again = dropfix("analyst", "create", workspace, url=deployment.url)
    assert again.returncode == FAILED
    assert "--new-password" in again.stderr
    assert psql(url, "SELECT 1").returncode == 0


def test_another_password_ends_the_one_before(deployment: Deployment, workspace: str) -> None:
    first = dropfix("analyst", "create", f"Company {workspace}", url=deployment.url).stdout.strip()
    second = json.loads(dropfix("analyst", "create", workspace, "--new-password", "--json", url=deployment.url).stdout)
    assert "password authentication failed" in psql(first, "SELECT 1").stderr
    assert psql(second["url"], "SELECT 1").stdout.strip() == "1"


def test_an_analyst_that_was_dropped_is_let_in_no_more(deployment: Deployment, workspace: str) -> None:
    url = dropfix("analyst", "create", workspace, url=deployment.url).stdout.strip()
    listed = json.loads(dropfix("analyst", "list", "--json", url=deployment.url).stdout)
    assert {row["workspace_id"]: row["role"] for row in listed}[workspace] == f"dropfix_analyst_{workspace}"
    assert dropfix("analyst", "drop", workspace, url=deployment.url).returncode == 0
    assert psql(url, "SELECT 1").returncode != 0
    assert dropfix("analyst", "drop", workspace, url=deployment.url).returncode == FAILED
    listed = json.loads(dropfix("analyst", "list", "--json", url=deployment.url).stdout)
    assert {row["workspace_id"]: row["role"] for row in listed}[workspace] is None


def test_a_workspace_that_is_not_there_is_answered_with_those_that_are(deployment: Deployment, workspace: str) -> None:
    answer = dropfix("analyst", "create", "nobody", url=deployment.url)
    assert answer.returncode == USAGE
    assert workspace in answer.stderr


def test_who_does_not_own_the_database_makes_no_analyst(deployment: Deployment, workspace: str) -> None:
    answer = dropfix("analyst", "create", workspace, url=deployment.operator_url)
    assert answer.returncode == FAILED
    assert "use the role that owns the database" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_without_tables_says_what_to_do(database_url: str) -> None:
    for command in (("analyst", "list"), ("tables",)):
        answer = dropfix(*command, url=database_url)
        assert answer.returncode in {FAILED, NOT_RUNNING}
        assert "dropfix migrate" in answer.stderr


def test_a_reader_looks_up_what_a_column_means(deployment: Deployment) -> None:
    shown = dropfix("tables", "signals", url=deployment.operator_url)
    assert "resolved_at" in shown.stdout
    names = {view["name"] for view in json.loads(dropfix("tables", "--json", url=deployment.operator_url).stdout)}
    assert names == set(deployment.views)


@pytest.mark.parametrize(
    ("form", "name"), [("--markdown", "tables.md"), ("--analysts", "analysts.md"), ("--dbt", "dbt/sources.yml")]
)
def test_the_page_of_tables_is_current(deployment: Deployment, form: str, name: str) -> None:
    """`make docs` writes it."""
    page, file = dropfix("tables", form, url=deployment.url).stdout, ROOT / "docs" / name
    if os.environ.get("DROPFIX_WRITE_DOCS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(page)
    assert page == file.read_text(), f"docs/{name} is stale: run `make docs`"
