"""`dropfix status`: what runs, where, how far behind, and how much memory it takes."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
import typer

from cli.errors import FAILED, CommandError
from cli.output import out, print_json
from cli.places import running_stack
from deploy.embedded.state import ProcessReport, StackReport

TIMEOUT_SECONDS = 3.0
MEGABYTE = 1_000_000


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(status)


def status(
    data_dir: Annotated[Path | None, typer.Option(help="The stack's data folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs, where it is reached, and how each service gets on. Exit code 3 where nothing runs."""
    root, report = running_stack(data_dir)
    processes = [_described(process) for process in report.processes]
    addresses = dict(report.addresses)
    if as_json:
        print_json({"data_dir": str(root), "state": report.state, "addresses": addresses, "processes": processes})
    else:
        _print(root, report, addresses, processes)
    if any(process["state"] in {"failed", "unhealthy"} for process in processes):
        raise CommandError("something is not healthy", remedy=f"its log is in {root / 'logs'}", code=FAILED)


def _described(process: ProcessReport) -> dict[str, Any]:
    """One process: the supervisor's view, its own health report, its memory."""
    health = _health(process.health_url) or {}
    return {
        "name": process.name,
        "state": process.state,
        "pid": process.identity.pid if process.identity else None,
        "restarts": process.restarts,
        "memory_pss_bytes": _memory(process),
        "ready": health.get("ready"),
        "lag": health.get("lag"),
        "processed": health.get("processed"),
        "partitions": (health.get("detail") or {}).get("partitions"),
        "seconds_since_progress": health.get("seconds_since_progress"),
        "reasons": health.get("reasons"),
        "address": _origin(process.health_url),
        "log": process.log,
    }


def _health(url: str | None) -> dict[str, Any] | None:
    """The answer of `/readyz`, also where it says not ready; None for what has no such page."""
    if url is None or not url.endswith("/readyz"):
        return None
    try:
        report: dict[str, Any] = httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return report


def _memory(process: ProcessReport) -> int | None:
    """Bytes, shared pages divided among their sharers (PSS) where the system says so."""
    if process.identity is None:
        return None
    try:
        root = psutil.Process(process.identity.pid)
        return sum(_own_memory(each) for each in [root, *root.children(recursive=True)])
    except psutil.Error:
        return None


def _own_memory(process: psutil.Process) -> int:
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))


def _origin(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def _print(root: Path, report: StackReport, addresses: dict[str, str], processes: list[dict[str, Any]]) -> None:
    out.print(f"[bold]{report.state}[/] in {root}")
    for name, address in addresses.items():
        out.print(f"  {name:<10} {_without_password(address)}")
    out.print()
    for process in processes:
        colour = {"healthy": "green", "failed": "red", "unhealthy": "red"}.get(process["state"], "yellow")
        memory = f"{process['memory_pss_bytes'] / MEGABYTE:.0f} MB" if process["memory_pss_bytes"] else ""
        behind = f"{process['lag']:,} behind, {process['processed']:,} done" if process["lag"] is not None else ""
        restarts = f"{process['restarts']} restart(s)" if process["restarts"] else ""
        line = f"{process['name']:<10} [{colour}]{process['state']:<10}[/] {memory:>7}  {behind}  {restarts}"
        out.print(line.rstrip())
        if process["ready"] and process["partitions"] == 0:
            out.print("           [dim]stands by: other workers have every partition[/]")
        for reason in process["reasons"] or ():
            out.print(f"           [yellow]{reason}[/]")
    total = sum(process["memory_pss_bytes"] or 0 for process in processes)
    out.print(f"[dim]{total / MEGABYTE:.0f} MB in all[/]")


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if not parts.password:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
