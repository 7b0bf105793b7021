"""Bring a stack up: servers, tables, topics, services, in an order that wastes no second."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli.database import checked
from cli.errors import USAGE, CommandError
from cli.output import done, step
from cli.secrets import SecretFiles
from cli.services import all_services
from cli.specs import Surroundings, job_spec, service_spec
from deploy.embedded.errors import EmbeddedError, SettingsRefused
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import ProcessSpec
from deploy.embedded.stack import EmbeddedStack, Servers

CONSOLE_PORT = 8080


@asynccontextmanager
async def embedded_stack(data_dir: Path, *, servers: Servers) -> AsyncIterator[EmbeddedStack]:
    """The servers of a data folder; what goes wrong becomes a CommandError with the remedy in its message."""
    try:
        async with EmbeddedStack(data_dir, servers=servers, tell=step) as stack:
            yield stack
    except SettingsRefused as error:
        raise CommandError(str(error), code=USAGE) from error
    except EmbeddedError as error:
        raise CommandError(str(error)) from error


def surroundings_of(stack: EmbeddedStack, *, clock: str = "real", stripe_api_base: str | None = None) -> Surroundings:
    """What services of this stack stand on: its own servers, else those that the environment names."""
    addresses = stack.addresses
    return Surroundings(
        bootstrap_servers=addresses.kafka or os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        admin_url=addresses.database or checked(os.environ["DATABASE_URL"]),
        smtp_url=addresses.smtp or os.environ.get("SMTP_URL"),
        secrets=SecretFiles(stack.data.secrets),
        clock=clock,
        stripe_api_base=stripe_api_base,
    )


async def prepare(stack: EmbeddedStack, surroundings: Surroundings) -> None:
    """Make tables and topics, side by side."""
    names = [service.name for service in all_services()]
    surroundings.secrets.make_all(names)
    passwords = str(stack.data.secrets)
    await asyncio.gather(
        stack.once(job_spec("migrate", ("migrate", "--passwords", passwords), surroundings)),
        stack.once(job_spec("topics", ("topics", "create"), surroundings)),
    )
    done("tables and topics")


def service_ports(stack: EmbeddedStack, *further: str) -> dict[str, int]:
    """A port for every service, and for what is named beside them: the one of the last start where that is free."""
    names = [service.name for service in all_services()]
    return stack.reserve([*names, *further], wanted={"console": CONSOLE_PORT})


def service_specs(surroundings: Surroundings, ports: Mapping[str, int]) -> list[ProcessSpec]:
    """Every service as a process."""
    return [service_spec(service.name, surroundings, port=ports[service.name]) for service in all_services()]


def announce(stack: EmbeddedStack, ports: Mapping[str, int], **further: str) -> str:
    """Tell `dropfix status` where things are; returns the console's address."""
    console = f"http://{LOOPBACK}:{ports['console']}"
    stack.announce({"console": console, **further})
    return console


async def until_stopped() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    step("stopping")


async def stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Do the work, or give it up at Ctrl-C or SIGTERM, so that everything that was started is stopped."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(until_stopped())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)
