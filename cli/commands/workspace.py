"""`dropfix workspace`: what a company has set, and what was decided of it, by whom and why."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.console_api import ConsoleApi
from cli.errors import FAILED, USAGE, CommandError
from cli.output import done, out, print_json, suggest

app = typer.Typer(
    help="A company's settings: zone, thresholds, sender, sending; and what was decided.", no_args_is_help=True
)
OUTCOME_WITHIN_S = 45.0
"""Longer than one answer of a mail server may take."""
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
    decisions = [_decide(api, known, kind, detail, why) for kind, detail in wanted.items() if detail]
    if as_json:
        print_json(decisions or {key: value for key, value in known.items() if key != "history"})
    elif decisions:
        for decision in decisions:
            done(f"{decision['kind']} counts from {decision['effective_at']} on")
        suggest("`dropfix workspace history` shows what was decided")
    else:
        _show(known)


@app.command("test-sender")
def prove_sender(
    to: Annotated[str, typer.Option(help="Whom of the company the test email goes to.")],
    arrived: Annotated[bool, typer.Option("--arrived", help="Say that it arrived, so that the sender counts.")] = False,
    why: Annotated[str | None, typer.Option(help="Why, for whoever reads it later.")] = None,
    workspace: Workspace = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send a test email from the sender that is set, and show what the mail server said; or say that one arrived."""
    api = ConsoleApi.of(data_dir)
    known = _known(api, workspace)
    if known["sender"] is None:
        raise CommandError("there is no sender yet", remedy="dropfix workspace settings --sender ADDRESS", code=USAGE)
    if arrived:
        sender = {field: value for field, value in known["sender"].items() if value is not None}
        _decide(api, known, "dunning.sender", {**sender, "passed": True}, why)
        done(f"emails may go from {sender['address']}")
        return
    asked = _decide(api, known, "dunning.test_send", {"to": to}, why)["decision_id"]
    test = _outcome(api, known["workspace_id"], asked)
    if as_json:
        print_json(test)
    elif test["state"] == "sent":
        done(f"the mail server took it: {test['reply']}")
        suggest(f"look whether it arrived, then `dropfix workspace test-sender --to {to} --arrived`")
    if test["state"] != "sent":
        raise CommandError(f"the test email did not go: {test['reply'] or test['state']}", code=FAILED)


def _decide(api: ConsoleApi, known: dict[str, Any], kind: str, detail: dict[str, Any], why: str | None) -> Any:
    return api.post("/api/decisions", {"kind": kind, "detail": detail, "workspace": known["workspace_id"], "why": why})


def _outcome(api: ConsoleApi, workspace: str, asked: str) -> dict[str, Any]:
    """What became of the test, waiting for it; it may still be under way at the end of that."""
    deadline = time.monotonic() + OUTCOME_WITHIN_S
    while True:
        test: dict[str, Any] = next(
            (one for one in _known(api, workspace)["sender_tests"] if one["decision_id"] == asked),
            {"state": "waiting", "reply": "dunning has not read the decision yet; see `dropfix status`"},
        )
        if test["state"] not in {"waiting", "sending"} or time.monotonic() > deadline:
            return test
        time.sleep(0.3)


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
