"""`dropfix demo`: the whole of it on this machine, with a simulated Stripe account that lives."""

import asyncio
import json
import os
import secrets
import time
import webbrowser
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console_api import CONSOLE_SETTING, OPERATOR_SETTING, ConsoleApi
from cli.database import checked
from cli.demo_account import CUSTOMERS_DOMAIN, EMAIL, check_elsewhere, connect
from cli.demo_account import check as check_account
from cli.errors import USAGE, CommandError
from cli.first_minute import FirstMinute
from cli.launch import (
    announce,
    embedded_stack,
    prepare,
    service_ports,
    service_specs,
    stoppable,
    surroundings_of,
)
from cli.left import Looker
from cli.output import done, progress, suggest
from cli.places import default_data_dir
from cli.services import all_services
from cli.specs import Surroundings, simulator_spec
from cli.stepping import RUNS_UP_TO, SteppingClock
from deploy.embedded.places import write_whole
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.stack import EmbeddedStack, Servers
from runtime.clock import Anchor, write_clock
from runtime.kafka import Broker

OwnFolder = Annotated[Path | None, typer.Option(help="Where everything it writes goes; kept between starts.")]
Customers = Annotated[int, typer.Option(min=1, help="Customers of the simulated company.")]
Seed = Annotated[int, typer.Option(help="Another seed, another company.")]
Speed = Annotated[
    float, typer.Option(min=0, help="Simulated seconds in a second; above 60 time steps from event to event.")
]
Headless = Annotated[bool, typer.Option("--headless", help="Do not open the browser.")]
Check = Annotated[
    bool, typer.Option("--check", help="Start afresh without a browser, compare the numbers with the truth, and end.")
]
CheckAsJson = Annotated[bool, typer.Option("--json", help="With --check: print the result as JSON.")]
CheckedConsole = Annotated[
    str | None,
    typer.Option(
        envvar=CONSOLE_SETTING,
        help="With --check: start nothing, and check the deployment of this console, empty or the demo's.",
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option(envvar=OPERATOR_SETTING, help="With --console: the file of the operator's token.")
]
CheckedDatabase = Annotated[
    str | None, typer.Option(envvar="DATABASE_URL", help="With --console: its database; the operator may look.")
]
Simulator = Annotated[
    str | None, typer.Option(help="With --console: the simulator that its poller reads, as http://host:12111.")
]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What was asked for. `speed` is simulated seconds in a second; 0 stands still."""

    data_dir: Path
    customers: int
    seed: int
    speed: float
    check: bool
    open_browser: bool
    as_json: bool


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(demo)


def demo(
    data_dir: OwnFolder = None,
    customers: Customers = 2000,
    seed: Seed = 1,
    speed: Speed = 1.0,
    headless: Headless = False,
    check: Check = False,
    as_json: CheckAsJson = False,
    console: CheckedConsole = None,
    token_file: TokenFile = None,
    database_url: CheckedDatabase = None,
    stripe: Simulator = None,
) -> None:
    """Show DropFix at work: a real Kafka, PostgreSQL and mail sink, all services, and a simulated Stripe account.

    Nothing but this folder and a cache of downloads is written, nothing is sent anywhere. Ctrl-C stops everything;
    the next start goes on where it was.
    """
    if console is not None:
        if not (check and database_url and stripe):
            raise CommandError(
                f"a console ({CONSOLE_SETTING}) goes with --check, --database-url and --stripe",
                remedy="the numbers are read in the database, the truth is the simulator's",
                code=USAGE,
            )
        api = ConsoleApi.at(console, token_file)
        asyncio.run(check_elsewhere(api, database_url=checked(database_url), stripe=stripe, as_json=as_json))
        return
    root = data_dir or default_data_dir("demo")
    wanted = Demo(
        data_dir=root,
        customers=customers,
        seed=seed,
        speed=0.0 if check else speed,
        check=check,
        open_browser=not (headless or check),
        as_json=as_json,
    )
    asyncio.run(stoppable(_run(wanted)))


async def _run(wanted: Demo) -> None:
    async with embedded_stack(wanted.data_dir, servers=Servers()) as stack:
        done("Kafka, PostgreSQL and a mail sink")
        await _show(stack, wanted)


async def _show(stack: EmbeddedStack, wanted: Demo) -> None:
    began = time.monotonic()
    clock = stack.data.root / "clock.json"
    account = _account(stack, wanted)
    _set_clock(clock, account, wanted)
    ports = service_ports(stack, "simulator")
    stripe = f"http://{LOOPBACK}:{ports['simulator']}"
    surroundings = replace(
        surroundings_of(stack, clock=str(clock), stripe_api_base=stripe),
        further={"DROPFIX_PUBLIC_URL": f"http://{LOOPBACK}:{ports['console']}"},
    )
    options = _simulator_options(account, wanted)
    await asyncio.gather(
        stack.run([simulator_spec(clock, port=ports["simulator"], options=options)]), prepare(stack, surroundings)
    )
    done(f"a Stripe account with {account['customers']:,} customers")
    await stack.run(service_specs(surroundings, ports))
    console = announce(stack, ports, simulator=stripe)
    done(f"the services, {time.monotonic() - began:.0f} s after the servers")
    api = ConsoleApi(console, surroundings.secrets.operator_token.read_text().strip())
    first = FirstMinute(api, stack.addresses.database or "", began=time.monotonic())
    link = await asyncio.to_thread(connect, api, stripe=stripe, password=account["password"])
    if wanted.check:
        await check_account(first, stripe=stripe, as_json=wanted.as_json)
        return
    await _present(stack, wanted, console, link)
    await _let_time_pass(surroundings, wanted, clock, mail_page=f"http://{LOOPBACK}:{ports['dunning']}/readyz")


async def _let_time_pass(surroundings: Surroundings, wanted: Demo, clock: Path, *, mail_page: str) -> None:
    """The clock file runs by itself up to 60 times real time; above that it is stepped from here."""
    if wanted.speed <= RUNS_UP_TO:
        await asyncio.Event().wait()
    broker = Broker(surroundings.bootstrap_servers, prefix=os.environ.get("DROPFIX_TOPIC_PREFIX", ""))
    looker = Looker(surroundings.admin_url, broker, all_services(), mail_page=mail_page)
    try:
        await SteppingClock(clock, looker, speed=wanted.speed).run()
    finally:
        looker.close()


def _account(stack: EmbeddedStack, wanted: Demo) -> dict[str, Any]:
    """The simulated company of this folder: the same at every start, so that its history goes on."""
    file = stack.data.root / "demo.json"
    if file.exists():
        known: dict[str, Any] = json.loads(file.read_text())
        return known
    account = {
        "customers": wanted.customers,
        "seed": wanted.seed,
        "anchor": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "password": secrets.token_urlsafe(9),
    }
    write_whole(file, json.dumps(account))
    return account


def _set_clock(clock: Path, account: dict[str, Any], wanted: Demo) -> None:
    """Time goes on from where it stood, or from now if that is later; a check's time stands at the anchor."""
    now = datetime.now(UTC)
    stood = datetime.fromisoformat(account["anchor"])
    if clock.exists():
        stood = Anchor.decode(clock.read_text()).at(now)
    simulated = stood if wanted.check or wanted.speed != 1.0 else max(now, stood)
    rate = wanted.speed if wanted.speed <= RUNS_UP_TO else 0.0
    write_clock(clock, Anchor(real=now, simulated=simulated, rate=rate))


def _simulator_options(account: dict[str, Any], wanted: Demo) -> tuple[str, ...]:
    options = ["--seed", str(account["seed"]), "--customers", str(account["customers"]), "--anchor", account["anchor"]]
    if wanted.check:
        options += ["--search-lag", "0"]  # time stands, and so would the index
    return (*options, "--email-domain", CUSTOMERS_DOMAIN)


async def _present(stack: EmbeddedStack, wanted: Demo, console: str, link: str) -> None:
    account = json.loads((stack.data.root / "demo.json").read_text())
    progress.print()
    progress.print(f"  [bold]Dashboard[/]   {link}")
    progress.print(f"  [bold]Sign in[/]     {console}  [dim]{EMAIL} · {account['password']}[/]")
    progress.print(f"  [bold]Mail[/]        {stack.addresses.mail}")
    progress.print()
    suggest("`dropfix status` in another terminal shows what runs; Ctrl-C here stops it")
    if wanted.open_browser:
        await asyncio.to_thread(webbrowser.open, link)
