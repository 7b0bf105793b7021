"""`dropfix workspace`: what a company has set, and what was decided of it, by whom and why."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.console_api import ConsoleApi
from cli.errors import USAGE, CommandError
from cli.output import done, out, print_json, suggest

app = typer.Typer(
    help="A company's settings: zone, thresholds, sender, sending; and what was decided.", no_args_is_help=True
)
DataDir = Annotated[Path | None, typer.Option(help="The stack's data folder.")]
Workspace = Annotated[str | None, typer.Option(help="The workspace, where there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def settings(
    time_zone: Annotated[str | None, typer.Option(help="Zone of its days, like Europe/Berlin.")] = None,
    name: Annotated[str | None, typer.Option(help="The company's name, as its customers know it.")] = None,
    history_days: Annotated[int | None, typer.Option(help="How many days back signals open.")] = None,
    sender: Annotated[str | None, typer.Option(help="Address that emails are from; it has to pass a test.")] = None,
    sender_name: Annotated[str | None, typer.Option(help="Name of the sender.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="Where replies go.")] = None,
    sending: Annotated[str | None, typer.Option(help="Whether emails go: on, shadow or off.")] = None,
    why: Annotated[str | None, typer.Option(help="Why, for whoever reads it later.")] = None,
    workspace: Workspace = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what is set, or set something: each kind of setting is a decision of its own."""
    api = ConsoleApi.of(data_dir)
    known = _known(api, workspace)
    wanted = {
        "workspace.settings": _given(timezone=time_zone, name=name),
        "signals.thresholds": _given(history_days=history_days),
        "dunning.sender": _sender(known["sender"], address=sender, name=sender_name, reply_to=reply_to),
        "dunning.sending": _given(mode=sending),
    }
    decisions = [
        api.post("/api/decisions", {"kind": kind, "detail": detail, "workspace": known["workspace_id"], "why": why})
        for kind, detail in wanted.items()
        if detail
    ]
    if as_json:
        print_json(decisions or {key: value for key, value in known.items() if key != "history"})
    elif decisions:
        for decision in decisions:
            done(f"{decision['kind']} counts from {decision['effective_at']} on")
        suggest("`dropfix workspace history` shows what was decided")
    else:
        _show(known)


@app.command()
def history(workspace: Workspace = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the latest decisions: what, who, when and why."""
    found = _known(ConsoleApi.of(data_dir), workspace)["history"]
    if as_json:
        print_json(found)
        return
    table = Table("decided", Column("what", no_wrap=True), "how", "who", "why")
    for one in found:
        how = ", ".join(f"{field} {value}" for field, value in one["detail"].items())
        table.add_row(one["decided_at"], one["kind"], how, one["by"], one["why"] or "")
    out.print(table)


def _known(api: ConsoleApi, workspace: str | None) -> dict[str, Any]:
    known: dict[str, Any] = api.get("/api/decisions", **({"workspace": workspace} if workspace else {}))
    return known


def _given(**options: object) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _sender(known: dict[str, Any] | None, **options: str | None) -> dict[str, Any]:
    """The sender as a whole: what is not given stays. Another address has to pass its test again."""
    given = _given(**options)
    if not given:
        return {}
    if "address" not in given and known is None:
        raise CommandError("there is no sender yet", remedy="name its address with --sender", code=USAGE)
    before = {field: value for field, value in (known or {}).items() if value is not None}
    sender = {**before, **given}
    return {**sender, "passed": bool(before.get("passed")) and sender["address"] == before.get("address")}


def _show(known: dict[str, Any]) -> None:
    sender = known["sender"]
    rows = {
        "name": known["settings"]["name"],
        "time zone": known["settings"]["timezone"] or "UTC",
        "signals open back to": f"{known['history_days']} days before a customer is first seen",
        "sender": sender and f"{sender['name']} <{sender['address']}>{'' if sender['passed'] else ' (not tested yet)'}",
        "sending": known["sending"],
    }
    for name, value in rows.items():
        out.print(f"{name:<22}{value or 'not set'}", markup=False)
