"""What several of mrr's commands take, and which database they look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from runtime.errors import RuntimeFault

USAGE, NOT_THERE = 2, 3
DATABASE_OF = "dropfix.database_of"
"""Under which name `dropfix` gives, in `context.meta`, what tells the database of the stack that runs."""

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url", envvar="DATABASE_URL", help="Address of the database; else that of the stack that runs."
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Workspace = Annotated[str | None, typer.Option(help="The workspace, where there are several.")]


def database_of(context: typer.Context, given: str | None, data_dir: Path | None) -> str:
    """The database that is named, else that of the stack that runs; raises RuntimeFault where there is neither."""
    known: Callable[[str | None, Path | None], str] | None = context.meta.get(DATABASE_OF)
    if known is not None:
        return known(given, data_dir)
    if not given:
        raise RuntimeFault("name the database with --database-url")
    return given
