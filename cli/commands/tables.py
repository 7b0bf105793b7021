"""`dropfix tables`: what there is to query."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column as Heading
from rich.table import Table

from cli.analysts import analysts_page, dbt_sources
from cli.database import DatabaseUrl, DataDir, connected, database_address
from cli.errors import NOT_RUNNING, USAGE, CommandError
from cli.output import out, print_json
from cli.questions import questions
from cli.tables import View, read_functions, read_views, tables_page


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(tables)


def tables(
    name: Annotated[str | None, typer.Argument(help="One view; without it, all of them.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page for analysts.")] = False,
    analysts: Annotated[bool, typer.Option("--analysts", help="Print what analysts ask, and the answers.")] = False,
    dbt: Annotated[bool, typer.Option("--dbt", help="Print a sources.yml for dbt.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the tables for analysts: what they and their columns mean."""
    with connected(database_address(database_url, data_dir)) as connection:
        views, functions = read_views(connection), read_functions(connection)
    if not views:
        raise CommandError("this database has no tables of DropFix", remedy="dropfix migrate", code=NOT_RUNNING)
    chosen = [view for view in views if name in {None, view.name}]
    if not chosen:
        raise CommandError(
            f"there is no table {name!r}", remedy=f"there are {', '.join(v.name for v in views)}", code=USAGE
        )
    if as_json:
        print_json([asdict(view) for view in chosen])
    elif analysts:
        typer.echo(analysts_page(chosen, functions, questions()), nl=False)
    elif dbt:
        typer.echo(dbt_sources(chosen), nl=False)
    elif markdown:
        typer.echo(tables_page(chosen), nl=False)
    elif name is None:
        for view in chosen:
            out.print(f"[bold]{view.name}[/]  {escape(view.meaning)}")
    else:
        _print(chosen[0])


def _print(view: View) -> None:
    out.print(view.meaning, markup=False)
    table = Table(Heading("column", no_wrap=True), Heading("type", no_wrap=True), "meaning")
    for column in view.columns:
        table.add_row(column.name, column.type, escape(column.meaning))
    out.print(table, soft_wrap=False)
