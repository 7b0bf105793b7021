"""`dropfix stripe`: connect an account, see how it is and what was asked of it, disconnect."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console_api import ConsoleApi
from cli.errors import FAILED, NOT_RUNNING, USAGE, CommandError
from cli.output import done, out, print_json, progress, suggest
from cli.places import running_stack
from services.poller import commands as poller

app = typer.Typer(help="The Stripe account: connect, look, disconnect.", no_args_is_help=True)
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]
Workspace = Annotated[str | None, typer.Option(help="The workspace, where there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ENDED = {"refused", "stopped"}
COMPLETE = {"syncing", "live"}
WAIT_SECONDS = 600.0


@app.command()
def connect(
    given: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    data_dir: DataDir = None,
    workspace: Workspace = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the first minute; return when it is complete.")] = False,
    as_json: AsJson = False,
) -> None:
    """Connect an account by its restricted key, read from a prompt or from standard input, never from an argument."""
    if given:
        raise CommandError(
            "a key is not taken as an argument, where others on this machine could read it",
            remedy="run this without it to be asked for the key, or give the key on standard input",
            code=USAGE,
        )
    api = ConsoleApi.of(data_dir)
    answer = api.post("/api/stripe/connect", {"key": _read_key(), "workspace": workspace})
    if answer.get("warning"):
        progress.print(f"[yellow]![/] {answer['warning']}")
    connection = answer
    if wait:
        connection = _follow(api, answer["connection_id"], answer["workspace_id"])
    if as_json:
        print_json(connection)
        return
    if wait:
        done("the first minute is complete")
        suggest(f"open {api.address}")
    else:
        done(f"the key {answer['key_hint']} was handed to the poller")
        suggest("see how it gets on with `dropfix stripe status`")


def _read_key() -> str:
    """From a prompt that shows nothing, or from what is piped in."""
    if sys.stdin.isatty():
        return str(typer.prompt("Restricted key (rk_…)", hide_input=True))
    key = sys.stdin.readline().strip()
    if not key:
        raise CommandError("no key came in", remedy="pipe it in, or run this in a terminal to be asked for it")
    return key


def _follow(api: ConsoleApi, connection_id: str, workspace_id: str) -> dict[str, Any]:
    """Show the progress until the first minute is complete; the connection then."""
    deadline = time.monotonic() + WAIT_SECONDS
    connection: dict[str, Any] = {"reason": None}
    with progress.status("validating the key") as line:
        while time.monotonic() < deadline:
            answer = api.get("/api/stripe/status", connection_id=connection_id, workspace=workspace_id)
            connection = answer["connections"][0]
            if connection["state"] in ENDED:
                raise CommandError(connection["reason"] or connection["headline"], remedy=connection["remedy"] or "")
            if connection["state"] in COMPLETE:
                return connection
            line.update(_progress_of(connection))
            time.sleep(0.5)
    reason = f": {connection['reason']}" if connection["reason"] else ""
    raise CommandError(f"the first minute is not complete after ten{reason}", remedy="look at `dropfix stripe status`")


def _progress_of(connection: dict[str, Any]) -> str:
    steps = ", ".join(
        f"{step['label']} {step['done']:,}" + (f" of {step['total']:,}" if step.get("total") else "")
        for step in connection["steps"]
        if step.get("done")
    )
    return " ".join(filter(None, (connection["headline"], steps, connection["reason"])))


@app.command()
def status(data_dir: DataDir = None, workspace: Workspace = None, as_json: AsJson = False) -> None:
    """Show the connections: state, what is missing, reads used. Exit code 3 where there is none."""
    parameters = {"workspace": workspace} if workspace else {}
    connections = ConsoleApi.of(data_dir).get("/api/stripe/status", **parameters)["connections"]
    if as_json:
        print_json(connections)
    if not connections:
        raise CommandError("no account is connected", remedy="dropfix stripe connect", code=NOT_RUNNING)
    if not as_json:
        for connection in connections:
            _print(connection)
    if any(connection["state"] in ENDED for connection in connections):
        raise CommandError("a connection needs attention", code=FAILED)


def _print(connection: dict[str, Any]) -> None:
    mode = "live" if connection["livemode"] else "test"
    out.print(
        f"[bold]{connection['headline']}[/]  [dim]{connection['connection_id']} · {mode} · {connection['key_hint']}[/]"
    )
    for text in (connection["reason"], connection["remedy"], *connection["warnings"]):
        if text:
            out.print(f"  {text}")
    if connection.get("safer_key_url"):
        out.print(f"  create one here, with everything filled in: {connection['safer_key_url']}", soft_wrap=True)
    for missing in connection["missing"]:
        out.print(f"  [yellow]missing[/] {missing['resource']}: {missing['without']}")
    if connection.get("reads_allowed"):
        out.print(f"  {connection['reads_used']:,} of {connection['reads_allowed']:,} reads used in 30 days")


@app.command()
def calls(
    connection_id: poller.ConnectionId = None,
    purpose: poller.Purpose = None,
    request_id: poller.RequestId = None,
    failed: poller.Failed = False,
    limit: poller.Limit = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the requests made to Stripe, as its own log shows them (Developers → Logs)."""
    database = _address_of("database", "DATABASE_URL", data_dir)
    poller.calls(database, connection_id, purpose, request_id, failed, limit, as_json)


@app.command()
def explain(object_id: poller.ObjectId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say how an object came to be known: which requests saw it, what changed, which records carry it."""
    database = _address_of("database", "DATABASE_URL", data_dir)
    kafka = _address_of("kafka", "KAFKA_BOOTSTRAP_SERVERS", data_dir)
    poller.explain(object_id, database, kafka, as_json)


def _address_of(server: str, setting: str, data_dir: Path | None) -> str:
    """A server of the stack that is named or runs; else the one that the environment names."""
    named = os.environ.get(setting)
    if named and data_dir is None:
        return named
    _, report = running_stack(data_dir)
    address = report.addresses.get(server) or named
    if not address:
        raise CommandError(
            f"the stack that runs has no {server} of its own", remedy=f"name it by {setting}", code=USAGE
        )
    return address


@app.command()
def disconnect(
    connection_id: Annotated[str, typer.Argument(help="Which one; `dropfix stripe status` names them.")],
    data_dir: DataDir = None,
    workspace: Workspace = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget the key at once and stop reading. What was read stays."""
    if not yes:
        typer.confirm("Forget the key and stop reading this account?", abort=True)
    ConsoleApi.of(data_dir).post("/api/stripe/disconnect", {"connection_id": connection_id, "workspace": workspace})
    done("disconnected; the key is forgotten")
    suggest("revoke it in Stripe too: Developers → API keys")
