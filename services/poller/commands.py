"""What the poller adds to `dropfix`: how late a change can be seen, what it asked Stripe, what became of an object."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.poller.audit.explain import Step
from services.poller.audit.look_back import History, Request, histories, requests_made
from services.poller.budget import allowed_reads
from services.poller.kinds import OBJECTS
from services.poller.steady.bounds import ROWS, bound_seconds, in_words
from services.poller.steady.plan import Sizes, tier_of

commands = typer.Typer(help="The poller: what it asks Stripe, and how late it sees a change.", no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)
NOT_THERE = 3
SHOWN = 90
"""Characters of a value that are shown; `--json` has it whole."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DatabaseUrl = Annotated[str, typer.Option("--database-url", envvar="DATABASE_URL", help="Address of the database.")]
KafkaServers = Annotated[str, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Kafka's addresses.")]
ConnectionId = Annotated[str | None, typer.Option("--connection", help="Of this connection alone.")]
Purpose = Annotated[str | None, typer.Option(help="Made for this alone: hot, slot, sweep, whole, focused, refresh, …")]
RequestId = Annotated[str | None, typer.Option("--request", help="Stripe's id of one request: req_…")]
Failed = Annotated[bool, typer.Option("--failed", help="Those alone that were refused or got no answer.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")]
ObjectId = Annotated[str, typer.Argument(help="Stripe's id of the object: in_…, sub_…, cus_…")]


@commands.callback()
def poller() -> None:
    """The poller: what it asks Stripe, and how late it sees a change."""


@commands.command("bounds")
def bounds(
    subscriptions: Annotated[int, typer.Option(min=0, help="Subscriptions of the account, ended ones included.")],
    transactions: Annotated[int, typer.Option(min=0, help="Succeeded charges in 30 days.")],
    search: Annotated[bool, typer.Option(help="Whether the account has Stripe's search.")] = True,
    as_json: AsJson = False,
) -> None:
    """Say how late each kind of change can be seen in an account of a size."""
    sizes = Sizes(subscriptions, subscriptions, subscriptions, subscriptions * 3 // 100)
    allowed = allowed_reads(transactions)
    found = {row.change: bound_seconds(row, sizes, allowed=allowed, search=search) for row in ROWS}
    if as_json:
        tier = tier_of(sizes, allowed=allowed)
        typer.echo(json.dumps({"tier": tier, "reads_allowed": allowed, "bounds_seconds": found}, indent=2))
        return
    table = Table("change", "seen within")
    for change, seconds in found.items():
        table.add_row(change, in_words(seconds))
    _out.print(table)


@commands.command("calls")
def calls(
    database: DatabaseUrl,
    connection_id: ConnectionId = None,
    purpose: Purpose = None,
    request_id: RequestId = None,
    failed: Failed = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the requests made to Stripe, as its own log shows them (Developers → Logs)."""
    found = requests_made(
        database, connection_id=connection_id, purpose=purpose, request_id=request_id, failed=failed, limit=limit
    )
    print_calls(found, as_json=as_json)


@commands.command("explain")
def explain(object_id: ObjectId, database: DatabaseUrl, kafka: KafkaServers, as_json: AsJson = False) -> None:
    """Say how an object came to be known: which requests saw it, what changed, which records carry it."""
    from runtime.kafka import Broker
    from runtime.settings import ServiceSettings, load_settings

    broker = Broker.of(load_settings(ServiceSettings, kafka_bootstrap_servers=kafka, database_url=database))
    print_histories(object_id, histories(database, broker, object_id), as_json=as_json)


def print_calls(found: Sequence[Request], *, as_json: bool) -> None:
    """Requests a line each, as Stripe's own log has them, or as JSON."""
    if as_json:
        typer.echo(json.dumps([asdict(request) for request in found], indent=2, default=str))
        return
    for request in found:
        _out.print(
            f"{request.called_at:%Y-%m-%d %H:%M:%S} [bold]{escape(status_of(request))}[/]"
            f" GET {escape(request.endpoint + parameters_of(request))}"
            f"  [dim]{request.purpose} · {request.objects} objects · {request.milliseconds} ms"
            f" · {request.request_id or 'no id'} · {request.connection_id}[/]"
        )
    if found:
        _err.print(f"{found[0].reads_used:,} of {found[0].reads_allowed:,} reads used in 30 days by then, times in UTC")


def print_histories(object_id: str, found: Sequence[History], *, as_json: bool) -> None:
    """What is known of an object; exit code 3 where nothing is."""
    if not found:
        _err.print(f"no connection has seen {object_id}", markup=False)
        raise typer.Exit(NOT_THERE)
    if as_json:
        typer.echo(json.dumps([asdict(history) for history in found], indent=2, default=str))
        return
    for history in found:
        _print_history(history)


def _print_history(history: History) -> None:
    topic = f"stripe.{history.kind}.raw.v1"
    state = "deleted" if history.deleted else history.status or "there"
    of = OBJECTS[history.kind].permission
    _out.print(f"[bold]{history.object_id}[/] ({of}) of {history.subject}: {state}; {len(history.steps)} record(s)")
    for step in history.steps:
        again = ", published again" if step.repeat else ""
        where = f"{topic}/{step.partition}/{step.offset}"
        _out.print(f"{step.observed_at:%Y-%m-%d %H:%M:%S} [bold]{step.change}[/]{again}  [dim]{where} · {step.id}[/]")
        _out.print(f"  {_seen_by(step, history)}", markup=False)
        for change in step.changes:
            _out.print(f"  {change.path}: {_shown(change.before)} → {_shown(change.after)}", markup=False)
    if history.last_seen is not None:
        last = f"last seen {history.last_seen.called_at:%Y-%m-%d %H:%M:%S}: {_described(history.last_seen)}"
        _out.print(last, markup=False)
    if history.due_at is not None:
        _out.print(f"read alone again {datetime.fromtimestamp(history.due_at, UTC):%Y-%m-%d %H:%M:%S}")


def _seen_by(step: Step, history: History) -> str:
    poll = f"request {step.request + 1} of the work begun {step.lease:%Y-%m-%d %H:%M:%S} by the machine's clock"
    call = history.calls.get(step.call_id)
    return f"{_described(call)} ({poll})" if call else f"{poll}; its entry in the audit has expired"


def _described(request: Request) -> str:
    identity = request.request_id or "no id"
    return f"GET {request.endpoint}{parameters_of(request)} for {request.purpose}, {status_of(request)}, {identity}"


def parameters_of(request: Request) -> str:
    """The query as a person reads it; expansions are told by their number."""
    shown = [f"{name}={value}" for name, value in request.parameters.items() if name != "expand"]
    if expand := request.parameters.get("expand"):
        shown.append(f"expand×{expand.count(',') + 1}")
    return f"?{'&'.join(shown)}" if shown else ""


def status_of(request: Request) -> str:
    """The status, and why where it was refused."""
    return " ".join(filter(None, (str(request.status or "no answer"), request.error)))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
