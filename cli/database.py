"""The database that a command works on: the one that is named, else that of the stack that runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from cli.errors import USAGE, CommandError
from cli.places import running_stack
from runtime.database import Connection

DatabaseUrl = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_URL", help="Address of the database; else that of the stack that runs."),
]
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]


def database_address(database_url: str | None, data_dir: Path | None) -> str:
    """The address; raises CommandError where there is none. A data folder that is named goes before the environment."""
    if database_url and data_dir is None:
        return database_url
    _, report = running_stack(data_dir)
    try:
        return report.addresses["database"]
    except KeyError:
        raise CommandError(
            "the stack that runs has no database of its own", remedy="name it with --database-url", code=USAGE
        ) from None


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """A transaction there; what PostgreSQL refuses becomes a CommandError."""
    try:
        with psycopg.connect(address) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise CommandError(f"the database does not answer: {error}".strip(), remedy="look at --database-url") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise CommandError(
            f"this role may not do that: {error}".strip(), remedy="use the role that owns the database"
        ) from error
