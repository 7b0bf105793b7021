"""What the poller adds to `dropfix`: `dropfix poller bounds`, how late a change can be seen."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.poller.budget import allowed_reads
from services.poller.plan import BOUNDS, Sizes, bound_seconds, tier_of

commands = typer.Typer(help="The poller: what it asks Stripe, and how late it sees a change.", no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)


@commands.callback()
def poller() -> None:
    """The poller: what it asks Stripe, and how late it sees a change."""


@commands.command("bounds")
def bounds(
    subscriptions: Annotated[int, typer.Option(min=0, help="Subscriptions of the account, ended ones included.")],
    transactions: Annotated[int, typer.Option(min=0, help="Succeeded charges in 30 days.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how late each kind of change can be seen in an account of a size."""
    sizes = Sizes(subscriptions, subscriptions, subscriptions, subscriptions * 3 // 100)
    allowed = allowed_reads(transactions)
    found = {bound.change: bound_seconds(bound, sizes, allowed=allowed) for bound in BOUNDS}
    if as_json:
        tier = tier_of(sizes, allowed=allowed)
        typer.echo(json.dumps({"tier": tier, "reads_allowed": allowed, "bounds_seconds": found}, indent=2))
        return
    table = Table("change", "seen within")
    for change, seconds in found.items():
        table.add_row(change, words(seconds))
    _out.print(table)


def words(seconds: int) -> str:
    """A bound in minutes or hours; a change that no call of the tier finds comes with the next one that is found."""
    if seconds <= 0:
        return "with the next change"
    return f"{seconds // 60} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
