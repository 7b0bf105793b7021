"""`dropfix mrr rates load` and `dropfix mrr rates show`: what the operator says of rates of exchange."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from runtime.database import Connection
from services.mrr.errors import InvalidRates
from services.mrr.looking import database_faults
from services.mrr.options import USAGE, AsJson, DatabaseUrl, DataDir, database_of
from services.mrr.rates import SHOWN, read_rates, save_rates

rates = typer.Typer(help="Rates of exchange: MRR in one currency.", no_args_is_help=True)
_SOLD_IN = "SELECT DISTINCT currency FROM mrr.balances WHERE workspace_id = %s AND mrr > 0"
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

_Workspace = Annotated[
    str | None, typer.Option(help="Whose rates: the id of a workspace; needed where there are several.")
]


@rates.command("load")
def load(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: currency,reporting,rate,valid_from.", exists=True, dir_okay=False)],
    workspace: _Workspace = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Read rates of exchange; they take the place of all that there were."""
    try:
        found = read_rates(file.read_text(encoding="utf-8").splitlines())
    except (InvalidRates, UnicodeDecodeError) as error:
        for fault in error.faults[:SHOWN] if isinstance(error, InvalidRates) else ["it is not text in UTF-8"]:
            _err.print(f"{file.name}: {fault}", markup=False)
        _err.print("nothing was loaded; the rates that there were stay")
        raise typer.Exit(USAGE) from None
    with database_faults(), psycopg.connect(database_of(context, database, data_dir)) as conn:
        whose = _workspace_of(conn, workspace)
        save_rates(conn, whose, found, at=datetime.now(UTC))
        sold_in = {currency for (currency,) in conn.execute(_SOLD_IN, (whose,))}
    reporting = sorted({rate.reporting for rate in found})
    into = ", ".join(reporting)
    _out.print(f"{len(found)} rates to {into} are loaded for {whose}; analytics.mrr_daily_reported goes by them")
    for target in reporting:
        known = {target, *(rate.currency for rate in found if rate.reporting == target)}
        if missing := ", ".join(sorted(sold_in - known)):
            _err.print(f"there is MRR in {missing}, and no rate to {target}: it is not in that figure", markup=False)


@rates.command("show")
def show(
    context: typer.Context,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the rates that are loaded."""
    with database_faults(), psycopg.connect(database_of(context, database, data_dir)) as conn:
        rows = conn.execute(
            "SELECT workspace_id, currency, reporting, rate, valid_from FROM mrr_io.rates ORDER BY 1, 3, 2, 5"
        ).fetchall()
    names = ("workspace_id", "currency", "reporting", "rate", "valid_from")
    if as_json:
        typer.echo(json.dumps([dict(zip(names, map(str, row), strict=True)) for row in rows], indent=2))
        return
    table = Table(*names)
    for row in rows:
        table.add_row(*map(str, row))
    _out.print(table)


def _workspace_of(conn: Connection, named: str | None) -> str:
    """The workspace that is named, or the only one that has a ledger."""
    known = [row[0] for row in conn.execute("SELECT DISTINCT workspace_id FROM mrr.zones ORDER BY 1")]
    if named is None and len(known) == 1:
        return str(known[0])
    if named in known:
        return str(named)
    listed = ", ".join(known) or "none yet"
    _err.print(f"name the workspace whose rates they are with --workspace; those with a ledger: {listed}")
    raise typer.Exit(USAGE)
