"""What mrr adds to `dropfix`: `dropfix mrr policies` and `dropfix mrr explain`."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Column, Table

from schemas.money import format_amount
from schemas.partition import partition_of
from services.mrr.core import State, microseconds
from services.mrr.explain import Explanation, explain, records_behind
from services.mrr.policy import DEFAULT, PRESETS
from services.mrr.processor import INPUTS
from services.mrr.store import decode_state

NOT_THERE = 3
commands = typer.Typer(help="MRR: what it is, and why.", no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


@commands.command("policies")
def policies(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
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


@commands.command("explain")
def explain_customer(
    customer: Annotated[str, typer.Argument(help="Stripe's id of the customer: cus_…")],
    database: Annotated[str, typer.Option(envvar="DATABASE_URL", help="Address of the database.")],
    at: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="At the end of this day (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how a customer's MRR comes about: items, factors, discounts, and the records behind it."""
    instant = _end_of(at)
    states = _states(database, customer)
    if not states:
        _err.print(f"mrr knows no customer {customer}; `dropfix status` says whether it has read everything yet")
        raise typer.Exit(NOT_THERE)
    found = [(state, explain(state, DEFAULT, instant), _places(state, instant)) for state in states]
    if as_json:
        typer.echo(json.dumps([_encoded(*one) for one in found], indent=2))
        return
    for state, explanations, places in found:
        _print(state, explanations, places)


def _end_of(day: datetime | None) -> int:
    if day is None:
        return microseconds(datetime.now(UTC))
    return microseconds(day.replace(hour=23, minute=59, second=59, tzinfo=UTC))


def _states(database: str, customer: str) -> list[State]:
    """The customer in every connection that has it."""
    with psycopg.connect(database, options="-c search_path=mrr") as conn:
        rows = conn.execute(
            "SELECT subject, workspace_id, state FROM customers WHERE split_part(subject, '/', 2) = %s ORDER BY 1",
            (customer,),
        ).fetchall()
    return [decode_state(*row) for row in rows]


def _places(state: State, instant: int) -> list[dict[str, Any]]:
    partition = partition_of(state.subject, INPUTS[0].partitions)
    return [{**record, "partition": partition} for record in records_behind(state, instant)]


def _encoded(state: State, explanations: list[Explanation], places: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "subject": state.subject,
        "policy": DEFAULT.version,
        "mrr": [one.encode() for one in explanations],
        "records": places,
    }


def _print(state: State, explanations: list[Explanation], places: list[dict[str, Any]]) -> None:
    _out.print(f"[bold]{state.subject}[/] by the policy {DEFAULT.version}")
    for one in explanations:
        _out.print(f"  {format_amount(one.mrr, one.currency)} a month")
        for item in one.items:
            _out.print(f"    {item.subscription} {item.item}: {format_amount(item.mrr, one.currency)} ({item.basis})")
            for step in item.steps:
                _out.print(f"      {step}")
    for place in places:
        where = f"{place['topic']}/{place['partition']}/{place['offset']}"
        _out.print(f"  [dim]{place['observed_at']} {place['object']}: {where}[/]")
