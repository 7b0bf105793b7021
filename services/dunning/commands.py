"""What dunning adds to `dropfix`: look at episodes, decide about them, record a failure by hand, arm the database.

What decides something goes to the console, which puts it on `control.decision.v1`; `dropfix` itself hands over how to
reach it (`context.obj`). What looks, and arming, use dunning's own tables: in the database that is named, else in that
of the stack that runs (`context.meta`, from `dropfix` too).
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, LiteralString, NoReturn, Protocol

import psycopg
import typer
from psycopg.rows import dict_row
from psycopg.sql import SQL
from rich.console import Console
from rich.table import Column, Table

from schemas.events.dunning import HOLDS
from schemas.money import format_amount, minor_units
from services.dunning.armoury import arm_database

FAILED, USAGE, NOT_THERE = 1, 2, 3
commands = typer.Typer(help="Dunning: episodes, emails, and what you decide about them.", no_args_is_help=True)
PIPED_WIDTH = 240
"""Columns of a table that no terminal shows: wide enough that whatever reads it gets every id whole."""


def _width() -> int | None:
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH


_out = Console(highlight=False, soft_wrap=True, width=_width())
_err = Console(stderr=True, highlight=False, soft_wrap=True)

DATABASE_OF = "dropfix.database_of"
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url", envvar="DATABASE_URL", help="Address of the database; else that of the stack that runs."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]
Workspace = Annotated[str | None, typer.Option(help="The workspace, where there are several.")]
EpisodeId = Annotated[str, typer.Argument(help="The episode's id, or how it begins: see `dropfix dunning list`.")]
Why = Annotated[str | None, typer.Option(help="Why, for whoever reads it later.")]


class Api(Protocol):
    """The console's API with the operator's token."""

    def post(self, path: str, body: dict[str, Any]) -> Any: ...


@commands.command("list")
def list_episodes(
    context: typer.Context,
    database: DatabaseUrl = None,
    state: Annotated[str | None, typer.Option(help="Only those: proposed, waiting, due, held, exhausted, …")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the episodes, the newest first."""
    found = _episodes(_address(context, database, data_dir), "%s::text IS NULL OR state = %s", (state, state))
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
        return
    _out.print(table_of(found, width=_out.width))


@commands.command("show")
def show(
    context: typer.Context,
    episode: EpisodeId,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show an episode: its invoices, its emails, what each says of itself."""
    address = _address(context, database, data_dir)
    one = _episode(address, episode)
    emails = _emails(address, one["episode_id"])
    if as_json:
        typer.echo(json.dumps({**one, "emails": emails}, indent=2, default=str))
        return
    _out.print(f"[bold]{one['customer_id'] or one['user_id']}[/]  {_standing(one)}  ({one['episode_id']})")
    if one["waits_for"]:
        _out.print(f"  waits: {one['waits_for']}")
    for invoice in one["invoices"]:
        amount = format_amount(invoice["stake"], invoice["currency"])
        _out.print(f"  {invoice['number'] or invoice['id']}: {amount}, failed {invoice['failed_at']}", end="")
        _out.print(f", {invoice['end']} {invoice['ended_at']}" if invoice["end"] else f" ({invoice['reason'] or '–'})")
        _out.print(f"    [dim]{', '.join(invoice['sources'])}[/]")
    for email in emails:
        _out.print(f"  email {email['step']}: {email['state']} {email['at']} to {email['recipient'] or '–'}")
        _out.print(f"    {email['subject_line'] or ''}  [dim]{email['reason'] or ''}[/]")


@commands.command("record")
def record(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="The user's id, as identify() gives it.")],
    email: Annotated[str, typer.Option(help="Where the emails go.")],
    amount: Annotated[str, typer.Option(help="What is unpaid, as 49.00.")],
    currency: Annotated[str, typer.Option(help="ISO code: usd, eur, jpy, …")],
    name: Annotated[str | None, typer.Option(help="How the user is called in the emails.")] = None,
    pay_url: Annotated[str | None, typer.Option(help="Where it can be paid.")] = None,
    number: Annotated[str | None, typer.Option(help="The invoice's number.")] = None,
    locale: Annotated[str | None, typer.Option(help="How amounts and dates are written: de-DE.")] = None,
    country: Annotated[str | None, typer.Option(help="For the sending hours: DE.")] = None,
    workspace: Workspace = None,
    why: Why = None,
    data_dir: DataDir = None,
) -> None:
    """Record the failed payment of a user without Stripe; its emails start by that."""
    detail = {
        "user_id": user,
        "email": email,
        "amount": amount_of(amount, currency),
        "currency": currency.lower(),
        "name": name,
        "pay_url": pay_url,
        "number": number,
        "locale": locale,
        "country": country,
    }
    _decide(context, data_dir, "dunning.recorded", detail, workspace=workspace, why=why)


@commands.command("settle")
def settle(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="The user's id.")],
    unpaid: Annotated[bool, typer.Option("--unpaid", help="It will not be paid, and no longer be asked for.")] = False,
    workspace: Workspace = None,
    why: Why = None,
    data_dir: DataDir = None,
) -> None:
    """Say that what was recorded by hand is paid."""
    detail = {"user_id": user, "outcome": "void" if unpaid else "paid"}
    _decide(context, data_dir, "dunning.settled", detail, workspace=workspace, why=why)


def _about_an_episode(name: str, kind: str, text: str) -> None:
    """A command that decides something about the customer or user of an episode."""

    def command(
        context: typer.Context,
        episode: EpisodeId,
        database: DatabaseUrl = None,
        why: Why = None,
        data_dir: DataDir = None,
    ) -> None:
        one = _episode(_address(context, database, data_dir), episode)
        _decide(context, data_dir, kind, _whom(one), of=one, why=why)

    commands.command(name, help=text)(command)


_about_an_episode("hold", "dunning.hold", "Send no email until it is released.")
_about_an_episode("release", "dunning.release", "Go on with an episode that is held.")
_about_an_episode("stop", "dunning.stop", "End the episode; its invoices are not asked for again.")
_about_an_episode("start", "dunning.start", "Start an episode that is proposed; its days are counted from now.")
_about_an_episode("skip", "dunning.skip", "Do not start an episode that is proposed.")


@commands.command("resend")
def resend(
    context: typer.Context,
    episode: EpisodeId,
    step: Annotated[int, typer.Option(min=1, help="Which of its emails.")],
    database: DatabaseUrl = None,
    leave: Annotated[bool, typer.Option("--leave", help="Do not send it; leave it as it is, and go on.")] = False,
    why: Why = None,
    data_dir: DataDir = None,
) -> None:
    """Send an email again that failed, or of which nobody knows whether it arrived."""
    one = _episode(_address(context, database, data_dir), episode)
    detail = {**_whom(one), "episode_id": one["episode_id"], "step": step}
    _decide(context, data_dir, "dunning.leave" if leave else "dunning.resend", detail, of=one, why=why)


@commands.command("allow")
def allow(
    context: typer.Context,
    email: Annotated[str | None, typer.Option(help="This address may be mailed again, whoever has it.")] = None,
    episode: Annotated[str | None, typer.Option(help="The customer or user of this episode may be.")] = None,
    database: DatabaseUrl = None,
    workspace: Workspace = None,
    why: Why = None,
    data_dir: DataDir = None,
) -> None:
    """Take back that somebody is not to be mailed: an address that works again, a customer who asks for emails."""
    if (email is None) is (episode is None):
        _fail("whom? name an --email, or an --episode", USAGE)
    if episode is None:
        lifted = {"email": email, "lifted": True}
        _decide(context, data_dir, "dunning.suppress", lifted, workspace=workspace, why=why)
        return
    one = _episode(_address(context, database, data_dir), episode)
    _decide(context, data_dir, "dunning.suppress", {**_whom(one), "lifted": True}, of=one, why=why)


@commands.command("arm")
def arm(
    database: Annotated[str, typer.Option("--database-url", envvar="DATABASE_URL", help="Address of the database.")],
    kafka: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="host:port of the brokers.")],
    prefix: Annotated[str, typer.Option(envvar="DROPFIX_TOPIC_PREFIX", help="Prefix of the topics' names.")] = "",
    by: Annotated[str, typer.Option(help="Who arms it.")] = "operator",
    seconds: Annotated[float, typer.Option(help="How long to wait for dunning to read the log.")] = 60.0,
) -> None:
    """Let this database send, after it was restored or cloned. Make sure first that no other one still sends."""
    reason = arm_database(database, kafka, prefix=prefix, by=by, seconds=seconds)
    if reason is not None:
        _fail(f"not armed: {reason}")
    _err.print("[green]✓[/] this database sends from here on")


def table_of(episodes: Sequence[Mapping[str, Any]], *, width: int) -> Table:
    """Rows of `analytics.dunning_episodes` as a table of so many columns of text. Ids are there to be copied, so none
    is cut: where there is little room the words beside them break, and a long id goes on in the next line."""
    longest = max((len(one["customer_id"] or one["user_id"] or "") for one in episodes), default=0)
    table = Table(
        Column("episode", no_wrap=True),
        Column("who", overflow="fold", width=longest if width >= longest + 100 else min(longest, 18)),
        Column("state"),
        Column("email", no_wrap=True),
        Column("due", width=len("2026-03-02")),
        Column("still unpaid", overflow="fold"),
        Column("recovered", overflow="fold"),
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for one in episodes:
        table.add_row(
            one["episode_id"][:8],
            one["customer_id"] or one["user_id"] or "",
            _standing(one),
            f"{one['mailed']} of {one['steps']}",
            f"{one['due_at']:%Y-%m-%d %H:%M}" if one["due_at"] else "",
            _money(one["remaining"]),
            _money(one["recovered"]),
        )
    return table


def amount_of(amount: str, currency: str) -> int:
    """`49.00` usd is 4900; ends the command where it is no amount of that currency, or nothing."""
    try:
        minor = minor_units(amount, currency.lower())
    except ValueError as error:
        _fail(str(error), USAGE)
    if minor == 0:
        _fail("an amount is above 0", USAGE)
    return minor


def _decide(
    context: typer.Context,
    data_dir: Path | None,
    kind: str,
    detail: Mapping[str, Any],
    *,
    of: Mapping[str, Any] | None = None,
    workspace: str | None = None,
    why: str | None = None,
) -> None:
    """Hand a decision to the console."""
    api_of: Callable[[Path | None], Api] | None = context.find_root().obj
    if api_of is None:
        _fail("this command needs the console; start it as `dropfix dunning …`", USAGE)
    body = {
        "kind": kind,
        "detail": {name: value for name, value in detail.items() if value is not None},
        "connection_id": of["connection_id"] if of else None,
        "workspace": of["workspace_id"] if of else workspace,
        "why": why,
    }
    answer = api_of(data_dir).post("/api/decisions", body)
    _err.print(f"[green]✓[/] decided; it counts from {answer.get('effective_at', 'now')} on")


def _address(context: typer.Context, given: str | None, data_dir: Path | None) -> str:
    """The database that is named, else that of the stack that runs."""
    database_of: Callable[[str | None, Path | None], str] | None = context.meta.get(DATABASE_OF)
    if database_of is not None:
        return database_of(given, data_dir)
    return given or _fail("name the database with --database-url", USAGE)


def _whom(episode: Mapping[str, Any]) -> dict[str, Any]:
    return {"customer_id": episode["customer_id"], "user_id": episode["user_id"]}


def _episode(database: str, name: str) -> dict[str, Any]:
    """The only episode whose id begins so; ends the command where there is none, or several."""
    found = _episodes(database, "starts_with(episode_id, %s)", (name,))
    if len(found) != 1:
        _fail(f"{len(found) or 'no'} episodes begin with {name}; see `dropfix dunning list`", NOT_THERE)
    return found[0]


def _episodes(database: str, condition: LiteralString, values: tuple[object, ...]) -> list[dict[str, Any]]:
    statement = SQL("SELECT * FROM analytics.dunning_episodes WHERE {} ORDER BY opened_at DESC LIMIT 500")
    with _connected(database) as conn:
        return conn.execute(statement.format(SQL(condition)), values).fetchall()


def _emails(database: str, episode_id: str) -> list[dict[str, Any]]:
    with _connected(database) as conn:
        rows = conn.execute(
            "SELECT step, attempt, state, at, recipient, subject_line, reason, message_id, detail, body_text"
            " FROM analytics.dunning_emails WHERE episode_id = %s ORDER BY at",
            (episode_id,),
        )
        return rows.fetchall()


@contextmanager
def _connected(database: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Dunning's views there; ends the command, saying why, where they cannot be looked at."""
    try:
        with psycopg.connect(database, row_factory=dict_row) as conn:
            yield conn
    except psycopg.OperationalError as error:
        _fail(f"the database does not answer: {str(error).strip()}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        _fail("dunning has no tables in this database yet: dropfix migrate")


def _standing(episode: Mapping[str, Any]) -> str:
    reason = episode["reason"]
    return f"{episode['state']}: {HOLDS.get(reason, reason)}" if reason else str(episode["state"])


def _money(amounts: Mapping[str, int]) -> str:
    return " and ".join(format_amount(amount, currency) for currency, amount in sorted(amounts.items()) if amount)


def _fail(message: str, code: int = FAILED) -> NoReturn:
    _err.print(f"[red]✗[/] {message}", markup=True)
    raise typer.Exit(code)
