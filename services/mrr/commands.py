"""What mrr adds to `dropfix`: `dropfix mrr explain`, and what there is of policies."""

import json
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape

from schemas.money import format_amount
from services.mrr.core import State, instant_of, microseconds
from services.mrr.explain import Explanation, explain, records_behind
from services.mrr.looking import Seen, end_of, ledgers_of, looking, now_of
from services.mrr.options import NOT_THERE, USAGE, AsJson, DatabaseUrl, DataDir, database_of
from services.mrr.policy_commands import add_to
from services.mrr.rates_commands import rates
from services.mrr.rounding import half_up

_NO_DAY = 9000
"""The first year whose days are not looked at: the calendar's own end lies too near."""
commands = typer.Typer(help="MRR: what it is, and why.", no_args_is_help=True)
add_to(commands)
commands.add_typer(rates, name="rates")
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


def _looked_at(day: datetime | None) -> datetime | None:
    if day is not None and day.year >= _NO_DAY:
        raise typer.BadParameter(f"{day.date()} is too far ahead: the last day is {_NO_DAY - 1}-12-31")
    return day


@commands.command("explain")
def explain_customer(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="Stripe's id of the customer: cus_…; or the product's of a user.")],
    *,
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], callback=_looked_at, help="At the end of this day (in the workspace's zone)."
        ),
    ] = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say how a customer's MRR comes about: items, factors, discounts, rounding, movements, and the records behind."""
    with looking(database_of(context, database, data_dir)) as conn:
        ledgers, now = ledgers_of(conn, customer), now_of(conn)
    if not ledgers:
        unknown = f"mrr knows no customer {customer}; `dropfix status` says whether it has read everything yet"
        _err.print(unknown, markup=False)
        raise typer.Exit(NOT_THERE)
    found = [(seen.state, *_explained(seen, _instant_of(at, seen.zone, now))) for seen in ledgers]
    if as_json:
        typer.echo(json.dumps([_encoded(*one) for one in found], indent=2))
        return
    for one in found:
        _print(*one)


def _instant_of(at: datetime | None, zone: str, now: datetime) -> datetime:
    """The end of the day that was asked for, of today the present; nothing is foreseen of a day ahead."""
    if at is None:
        return now
    today = now.astimezone(ZoneInfo(zone)).date()
    if at.date() > today:
        _err.print(f"{at.date()} is ahead: the last day is today, {today} in {zone}", markup=False)
        raise typer.Exit(USAGE)
    return min(end_of(at.date(), zone), now)


def _explained(seen: Seen, at: datetime) -> tuple[list[Explanation], list[dict[str, Any]]]:
    instant = microseconds(at)
    return explain(seen.state, seen.in_force, instant), list(records_behind(seen.state, instant))


def _encoded(state: State, explanations: list[Explanation], records: list[dict[str, Any]]) -> dict[str, Any]:
    return {"subject": state.subject, "mrr": [one.encode() for one in explanations], "records": records}


def _print(state: State, explanations: list[Explanation], records: list[dict[str, Any]]) -> None:
    _out.print(f"[bold]{escape(state.subject)}[/]")
    if not explanations:
        _out.print("  nothing of it ever counted")
    for one in explanations:
        _print_currency(one)
    for record in records:
        where = f"{record['topic']}/{record['partition']}/{record['offset']}"
        _out.print(f"  [dim]{record['observed_at']} {escape(record['object'])}: {where}[/]")


def _print_currency(one: Explanation) -> None:
    _out.print(f"  {format_amount(one.mrr, one.currency)} a month by the policy {one.policy}")
    if one.another_stands:
        _out.print("    another's number stands for it: it is one person with a user or a customer, or disconnected")
    for item in one.items:
        where = f"{item.subscription} {item.item}".strip()
        _out.print(f"    {escape(where)}: {format_amount(item.mrr, one.currency)} ({item.basis})")
        for step in item.steps:
            _out.print(f"      {step}", markup=False)
        _out.print(f"      [dim]{', '.join(one.place(cause) for cause in item.behind)}[/]")
    if one.items:
        _out.print(f"    {one.exact} minor units exactly, rounded once, half up: {half_up(one.exact)}")
    for row in one.rows:
        before, after = (format_amount(amount, one.currency) for amount in (row.before, row.after))
        _out.print(
            f"    {instant_of(row.at).isoformat()} {row.kind}: {before} → {after} [dim]{one.place(row.cause)}[/]"
        )
