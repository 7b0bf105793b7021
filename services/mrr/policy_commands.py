"""`dropfix mrr policies`, `set-policy`, `compare`: what counts, from when, and what another policy would make of it."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from pipeline.errors import PipelineError
from runtime.database import Connection
from runtime.errors import RuntimeFault
from runtime.kafka import Broker
from runtime.settings import BrokerSettings, load_settings
from schemas.events.mrr_policy import NOT_MODELLED
from schemas.money import format_amount
from services.mrr.comparing import Comparison, Differs, Months, Total, compare, differences
from services.mrr.errors import UnknownPolicy
from services.mrr.governance import zone_of_workspace
from services.mrr.looking import (
    BATCH,
    Seen,
    count_of,
    every_ledger,
    looking,
    now_of,
    policy_of_workspace,
    with_what_is_in_force,
    workspaces_of,
)
from services.mrr.options import NOT_THERE, USAGE, AsJson, DatabaseUrl, DataDir, Workspace, database_of
from services.mrr.policy import DEFAULT, PRESETS, Policy, own_policy, preset
from services.mrr.replaying import read_again, read_until

SHOWN = 20
"""How many customers are shown; --json has them all."""

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


class Api(Protocol):
    """The console's API with the operator's token."""

    def post(self, path: str, body: dict[str, Any]) -> Any: ...


def add_to(commands: typer.Typer) -> None:
    """Mount them."""
    commands.command("policies")(policies)
    commands.command("set-policy")(set_policy)
    commands.command("compare")(compare_policies)


def policies(as_json: AsJson = False) -> None:
    """List the policies there are, and what each counts as MRR."""
    if as_json:
        typer.echo(json.dumps({name: policy.model_dump() for name, policy in PRESETS.items()}, indent=2))
        return
    table = Table(
        Column("policy", no_wrap=True), "past due", "cancellation counts", "counts from", "discounts taken off"
    )
    for policy in PRESETS.values():
        grace = policy.past_due_grace_days
        discounts = [name for name, counted in policy.discounts.model_dump().items() if counted]
        table.add_row(
            f"{policy.version}{' (default)' if policy is DEFAULT else ''}",
            "counts" if grace is None else f"counts for {grace} days",
            "at its end" if policy.churn_at == "period_end" else "when asked for",
            "the start" if policy.activate_at == "start" else "the first payment",
            ", ".join(discounts),
        )
    _out.print(table)
    for line in _otherwise(PRESETS):
        _out.print(line, markup=False)
    _out.print("A policy of your own is a file with these choices and others: docs/analysts.md, Policies.")


def _otherwise(names: Iterable[str]) -> Iterator[str]:
    """What the tools that presets are named for do otherwise, and no policy can say."""
    for name in names:
        yield from (f"Not as in {name}: {what}." for what in NOT_MODELLED.get(name, ()))


def set_policy(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help="A preset (`dropfix mrr policies`), or a file: .json or .toml.")],
    *,
    counts_from: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="From the beginning of this day on, in the workspace's zone.")
    ],
    workspace: Workspace = None,
    why: Annotated[str | None, typer.Option(help="Why, for whoever reads it later.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Have another policy count from a day on: the difference becomes movements of kind policy, and nothing is edited.

    Setting the one before from the same day on takes it back; where others were set from later days, set those again.
    """
    wanted = _policy(policy)
    api: Callable[[Path | None], Api] = context.obj
    detail = {"policy": wanted.model_dump(mode="json"), "counts_from": counts_from.date().isoformat()}
    body = {"kind": "mrr.policy", "detail": detail, "workspace": workspace, "why": why}
    decision = api(data_dir).post("/api/decisions", body)
    if as_json:
        typer.echo(json.dumps(decision, indent=2))
        return
    _out.print(
        f"{wanted.version} counts from {counts_from.date()} on; ledgers go by it from {decision['effective_at']}"
    )
    _err.print(
        f"to take it back, set what counted before ({DEFAULT.name}, where nothing was set) from the same day:"
        f" dropfix mrr set-policy PRESET|FILE --counts-from {counts_from.date()}"
        + (f" --workspace {workspace}" if workspace else ""),
        markup=False,
    )


def compare_policies(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="A preset (`dropfix mrr policies`), or a file: .json or .toml.")],
    *,
    workspace: Workspace = None,
    from_log: Annotated[
        bool,
        typer.Option("--from-log", help="Read the topics again (KAFKA_BOOTSTRAP_SERVERS), not the facts kept of them."),
    ] = False,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what another policy would make of all that was read, by month and by customer, and why. Changes nothing."""
    other = _policy(to)
    with looking(database_of(context, database, data_dir)) as conn:
        name = _workspace(workspaces_of(conn), workspace)
        now = now_of(conn)
        months = Months(zone_of_workspace(conn, name, now), now)
        current, found = policy_of_workspace(conn, name), Comparison()
        for seen in _replayed(conn, name) if from_log else _kept(conn, name):
            found.add(seen.state.subject, compare(seen.state.subject, seen.state.facts, seen.in_force, other, months))
    if as_json:
        typer.echo(json.dumps(_encoded(name, other, found), indent=2))
    else:
        _print(current, other, found)


def _kept(conn: Connection, workspace: str) -> Iterator[Seen]:
    """Every ledger's facts, as the service keeps them."""
    with _watched("ledgers", count_of(conn, workspace)) as advance:
        for seen in every_ledger(conn, workspace):
            yield seen
            advance(1)


def _replayed(conn: Connection, workspace: str) -> Iterator[Seen]:
    """Every ledger's facts, as the topics give them up to where the service has read."""
    until = read_until(conn)
    try:
        broker = Broker.of(load_settings(BrokerSettings))
        with _watched("records", sum(until.values())) as advance:
            states = list(read_again(broker, until, workspace, advance))
    except (PipelineError, RuntimeFault) as error:
        _refuse(str(error))
    for place in range(0, len(states), BATCH):
        yield from with_what_is_in_force(conn, states[place : place + BATCH])


def _policy(named: str) -> Policy:
    path = Path(named)
    try:
        if path.suffix not in {".json", ".toml"}:
            return preset(named)
        return own_policy(json.loads(path.read_text()) if path.suffix == ".json" else tomllib.loads(path.read_text()))
    except UnknownPolicy as error:
        _refuse(str(error))
    except (OSError, ValueError) as error:
        _refuse(f"{named} cannot be read: {error}")


def _workspace(known: list[str], named: str | None) -> str:
    if named is None and len(known) == 1:
        return known[0]
    if not known:
        _err.print("mrr has no ledger yet; `dropfix status` says how far it has read")
        raise typer.Exit(NOT_THERE)
    if named not in known:
        _refuse(f"say which workspace, with --workspace: {', '.join(known)}")
    return named or ""


def _refuse(message: str) -> NoReturn:
    _err.print(message, markup=False)
    raise typer.Exit(USAGE)


@contextmanager
def _watched(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error: how many of how many."""
    columns = (TextColumn("comparing"), BarColumn(), TextColumn(f"{{task.completed:,}} of {{task.total:,}} {what}"))
    with Progress(*columns, TimeElapsedColumn(), console=_err, transient=True) as bar:
        task = bar.add_task("comparing", total=total)
        yield lambda read: bar.advance(task, read)


def _encoded(workspace: str, other: Policy, found: Comparison) -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "to": other.model_dump(),
        "months": [
            {
                "scope": scope,
                "month": month.isoformat(),
                "currency": currency,
                "mrr": total.mrr,
                "would_be": total.other,
                "difference": total.other - total.mrr,
                "customers_differing": total.customers,
            }
            for (scope, month, currency), total in sorted(found.totals.items())
        ],
        "customers": [
            {
                "subject": one.subject,
                "month": one.month.isoformat(),
                "currency": one.currency,
                "mrr": one.mrr,
                "would_be": one.other,
                "difference": one.other - one.mrr,
                "reasons": [
                    {"choice": why.choice, "is": why.from_value, "would_be": why.to_value, "change": why.change}
                    for why in one.reasons
                ],
            }
            for one in found.differing
        ],
    }


def _print(current: Policy, other: Policy, found: Comparison) -> None:
    choices = differences(current, other)
    told = "; ".join(f"{name}: {mine} → {theirs}" for name, (mine, theirs) in choices.items())
    _out.print(f"[bold]{other.version}[/] beside {current.version}: {told or 'the same choices'}")
    for line in _otherwise([other.name] if other == PRESETS.get(other.name) else []):
        _out.print(line, markup=False)
    several = len({scope for scope, _, _ in found.totals}) > 1
    table = Table("month", *(["account"] if several else []), *_numbers("MRR", "would be", "difference", "customers"))
    for (scope, month, currency), total in sorted(found.totals.items(), key=lambda one: (one[0][1], one[0])):
        table.add_row(f"{month:%Y-%m}", *([scope] if several else []), *_amounts(total, currency), str(total.customers))
    _out.print(table)
    latest = _latest(found.differing)
    if not latest:
        _out.print("no customer's MRR would differ at the end of any month")
        return
    _out.print(f"{len(latest)} customers would differ, the largest differences first (at their last such month's end):")
    for one in latest[:SHOWN]:
        mrr, would_be = (format_amount(amount, one.currency) for amount in (one.mrr, one.other))
        whys = (f"{why.choice}: {why.from_value} → {why.to_value}" for why in one.reasons)
        _out.print(f"  {one.month:%Y-%m} {escape(one.subject)}: {mrr} → {would_be}  [dim]{'; '.join(whys)}[/]")
    if len(latest) > SHOWN:
        _err.print("--json has all of them, month by month")


def _latest(differing: list[Differs]) -> list[Differs]:
    last = {(one.subject, one.currency): one for one in sorted(differing, key=lambda one: one.month)}
    return sorted(last.values(), key=lambda one: (-abs(one.other - one.mrr), one.subject))


def _numbers(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]


def _amounts(total: Total, currency: str) -> list[str]:
    return [format_amount(amount, currency) for amount in (total.mrr, total.other, total.other - total.mrr)]
