"""`dropfix`: the commands, and how every one of them ends."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.errors import FAILED, USAGE, CommandError
from cli.output import progress

if TYPE_CHECKING:
    from cli.console_api import ConsoleApi

EPILOG = (
    "Exit codes: 0 done · 1 it could not be done · 2 the command line or the settings are wrong · "
    "3 what was asked about does not run · 4 a check did not hold."
)

DEBUG = "DROPFIX_DEBUG"
DATABASE_OF = "dropfix.database_of"
"""Under which name a service's own commands find, in `context.meta`, what tells them the database."""

app = typer.Typer(
    name="dropfix",
    help="Churn signals, exact MRR and dunning from a read-only Stripe key.\n\nStart with `dropfix demo`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog=EPILOG,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dropfix {version('dropfix')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Everything is a command below."""
    context.obj = _console_of
    context.meta[DATABASE_OF] = _database_of
    if context.invoked_subcommand != "service" and os.environ.get("DATABASE_PASSWORD_FILE"):
        from cli.database import take_password_from_file  # a service reads the file itself

        take_password_from_file()


def _console_of(data_dir: Path | None) -> "ConsoleApi":
    """How a service's own commands reach the console: what decides something goes through it."""
    from cli.console_api import ConsoleApi

    return ConsoleApi.of(data_dir)


def _database_of(database_url: str | None, data_dir: Path | None) -> str:
    """The database that a service's own commands look at."""
    from cli.database import database_address

    return database_address(database_url, data_dir)


def _assemble() -> None:
    """Mount the commands: those of the project first, then what each service brings."""
    from cli.commands import analyst, demo, dlq, rebuild, run, servers, status, stripe, tables, workspace
    from cli.services import all_services

    for module in (demo, run, status, servers, tables, rebuild):
        module.add_to(app)
    app.add_typer(stripe.app, name="stripe")
    app.add_typer(workspace.app, name="workspace")
    app.add_typer(analyst.app, name="analyst")
    app.add_typer(dlq.app, name="dlq")
    for service in all_services():
        brought = service.commands()
        if brought is not None:
            app.add_typer(brought.commands, name=service.name)


def main() -> None:
    """The command. What is expected to go wrong ends in one message, never in a stack trace."""
    from runtime.errors import RuntimeFault, SettingsError

    _assemble()
    try:
        app(prog_name="dropfix", standalone_mode=True)
    except CommandError as error:
        _tell(str(error), error.remedy)
        sys.exit(error.code)
    except RuntimeFault as error:
        _tell(str(error), "")
        sys.exit(USAGE if isinstance(error, SettingsError) else FAILED)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        _tell(f"this should not have happened: {type(error).__name__}: {error}", f"{DEBUG}=1 shows where")
        sys.exit(1)


def _tell(message: str, remedy: str) -> None:
    progress.print(f"[red]✗[/] {escape(message)}")
    if remedy:
        progress.print(f"  {remedy}", markup=False)
