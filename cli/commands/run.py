"""`dropfix run`: the services against real Stripe, on servers of its own or those that the environment names."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from cli.launch import announce, embedded_stack, prepare, service_ports, service_specs, stoppable, surroundings_of
from cli.output import done, progress, suggest
from cli.places import default_data_dir
from deploy.embedded.stack import EmbeddedStack, Servers


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(run)


def run(
    data_dir: Annotated[Path | None, typer.Option(help="Where everything it writes goes; kept between starts.")] = None,
) -> None:
    """Run DropFix for a real Stripe account.

    Kafka, PostgreSQL and a mail sink are started here, except where KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL (a role that
    owns the database) or SMTP_URL name servers that are there. STRIPE_API_BASE points at another Stripe-compatible
    server. Ctrl-C stops everything; the next start goes on where it was.
    """
    asyncio.run(stoppable(_run(data_dir or default_data_dir("run"))))


async def _run(data_dir: Path) -> None:
    servers = Servers(
        kafka="KAFKA_BOOTSTRAP_SERVERS" not in os.environ,
        database="DATABASE_URL" not in os.environ,
        mail="SMTP_URL" not in os.environ,
    )
    async with embedded_stack(data_dir, servers=servers) as stack:
        await _serve(stack)


async def _serve(stack: EmbeddedStack) -> None:
    surroundings = surroundings_of(stack, clock=os.environ.get("DROPFIX_CLOCK", "real"))
    await prepare(stack, surroundings)
    ports = service_ports(stack)
    await stack.run(service_specs(surroundings, ports))
    console = announce(stack, ports)
    done("the services")
    link = surroundings.secrets.first_run_link
    progress.print()
    if link.exists():
        progress.print(f"  [bold]Set up[/]   {link.read_text().strip()}  [dim](works once, for a day)[/]")
    else:
        progress.print(f"  [bold]Console[/]  {console}")
    progress.print()
    suggest("then connect Stripe in Settings → Integrations, or with `dropfix stripe connect`")
    await asyncio.Event().wait()
