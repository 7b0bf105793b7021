"""`dropfix analyst`: roles of PostgreSQL that see one workspace's rows in `analytics`.

Each command needs a role that owns the database.
"""

from typing import Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import typer

from cli.database import DatabaseUrl, DataDir, connected, database_address
from cli.errors import NOT_RUNNING, USAGE, CommandError
from cli.output import done, out, print_json, suggest
from runtime.access import Analyst, analyst_role, create_analyst, drop_analyst, list_analysts
from runtime.database import Connection

app = typer.Typer(help="Who may query the tables of one workspace, in psql or any tool.", no_args_is_help=True)
Workspace = Annotated[str | None, typer.Argument(help="The workspace's id or name; may be left out where it is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    workspace: Workspace = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Replace the password of an analyst that is there.")
    ] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a workspace's role and print its connection string: once, it is kept nowhere."""
    address = database_address(database_url, data_dir)
    with connected(address) as admin:
        workspace_id, _ = _chosen(admin, workspace)
        if not new_password and _existing(admin, workspace_id):
            raise CommandError(
                f"{analyst_role(workspace_id)} is there already, and its password cannot be shown again",
                remedy="--new-password replaces it; whoever uses the old one is locked out",
            )
        password = create_analyst(admin, workspace_id)
    url = _url_of(address, analyst_role(workspace_id), password)
    if as_json:
        print_json({"workspace_id": workspace_id, "role": analyst_role(workspace_id), "url": url})
        return
    out.print(url, markup=False)
    suggest("keep it: it is not shown again. Try: psql <that> -c 'SELECT * FROM mrr_by_customer LIMIT 5'")


@app.command("list")
def list_all(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the workspaces, and which of them have an analyst's role."""
    with connected(database_address(database_url, data_dir)) as admin:
        workspaces, analysts = _workspaces(admin), {found.workspace_id: found for found in list_analysts(admin)}
    rows = [_described(key, name, analysts.get(key)) for key, name in workspaces]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        who = f"{row['role']}, {row['sessions']} session(s)" if row["role"] else "[dim]no analyst[/]"
        out.print(f"{row['workspace_id']}  [bold]{row['name']}[/]  {who}")


@app.command()
def drop(workspace: Workspace = None, database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Remove a workspace's role and end its sessions."""
    with connected(database_address(database_url, data_dir)) as admin:
        workspace_id, name = _chosen(admin, workspace)
        drop_analyst(admin, workspace_id)
    done(f"no analyst reads {name} any more")


def _described(workspace_id: str, name: str, analyst: Analyst | None) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id,
        "name": name,
        "role": analyst.role if analyst else None,
        "sessions": analyst.sessions if analyst else 0,
    }


def _workspaces(admin: Connection) -> list[tuple[str, str]]:
    """(id, name), the oldest first."""
    try:
        return admin.execute("SELECT workspace_id, name FROM control.workspaces ORDER BY created_at, 1").fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise CommandError("this database has no tables of DropFix", remedy="dropfix migrate") from error


def _chosen(admin: Connection, wanted: str | None) -> tuple[str, str]:
    """(id, name) of the workspace that is meant."""
    known = _workspaces(admin)
    found = [each for each in known if wanted is None or wanted in each]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{key} ({name})" for key, name in known) or "none yet: set one up in the console"
    problem = f"which workspace is {wanted!r}?" if wanted else "which workspace?"
    raise CommandError(problem, remedy=f"there is {names}", code=USAGE if known else NOT_RUNNING)


def _existing(admin: Connection, workspace_id: str) -> bool:
    return any(found.workspace_id == workspace_id for found in list_analysts(admin))


def _url_of(address: str, role: str, password: str) -> str:
    """The same database, reached as this role."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}"))
