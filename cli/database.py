"""The database that a command works on: the one that is named, else that of the stack that runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict

from cli.errors import USAGE, CommandError
from cli.places import running_stack
from runtime.database import Connection
from runtime.settings import read_secret

DatabaseUrl = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_URL", help="Address of the database; else that of the stack that runs."),
]
URL_SETTING, FILE_SETTING = "DATABASE_URL", "DATABASE_PASSWORD_FILE"
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]


def database_address(database_url: str | None, data_dir: Path | None) -> str:
    """The address; raises CommandError where there is none. A data folder that is named goes before the environment."""
    if database_url and data_dir is None:
        return checked(database_url)
    _, report = running_stack(data_dir)
    try:
        return report.addresses["database"]
    except KeyError:
        raise CommandError(
            "the stack that runs has no database of its own", remedy="name it with --database-url", code=USAGE
        ) from None


def checked(url: str) -> str:
    """The address, if it is one of PostgreSQL; raises CommandError before anything is tried with it."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise CommandError(
            "DATABASE_URL is not an address of PostgreSQL", remedy="it starts with postgresql://", code=USAGE
        )
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # what it says repeats parts of the address, and so of the password
        raise CommandError(
            "DATABASE_URL cannot be read as an address of PostgreSQL",
            remedy="it looks like postgresql://user:password@host:5432/name, special characters as %XX",
            code=USAGE,
        ) from None
    return url


def take_password_from_file() -> None:
    """Give `DATABASE_URL` the password it lacks, from the file that `DATABASE_PASSWORD_FILE` names, as services do."""
    url, named = os.environ.get(URL_SETTING), os.environ.get(FILE_SETTING)
    if not (url and named):
        return
    try:
        os.environ[URL_SETTING] = with_password(checked(url), read_secret(FILE_SETTING, Path(named)))
    except ValueError as error:
        raise CommandError(str(error), code=USAGE) from error


def with_password(url: str, password: str) -> str:
    """The same address with a password."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{quote(password, safe='')}@{host}"))


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """A transaction there; what PostgreSQL refuses becomes a CommandError."""
    with database_faults(), psycopg.connect(address) as connection:
        yield connection


@contextmanager
def database_faults() -> Iterator[None]:
    """What PostgreSQL refuses becomes a CommandError."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise CommandError(f"the database does not answer: {error}".strip(), remedy="look at --database-url") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise CommandError(
            f"this role may not do that: {error}".strip(), remedy="use the role that owns the database"
        ) from error
