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

import httpx
import typer

from cli.console_api import ConsoleApi
from cli.errors import CHECK_FAILED, CommandError
from cli.first_minute import Expected, FirstMinute, show
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
from cli.output import done, progress, step, suggest
from cli.places import default_data_dir
from cli.services import all_services
from cli.specs import Surroundings, simulator_spec
from cli.stepping import RUNS_UP_TO, SteppingClock
from deploy.embedded.places import write_whole
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.stack import EmbeddedStack, Servers
from runtime.clock import Anchor, write_clock
from runtime.kafka import Broker

WORKSPACE = "Northwind Analytics"
EMAIL = "founder@northwind.example"
CUSTOMERS_DOMAIN = "customers.example"

ARMING: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "workspace.settings",
        {
            "name": WORKSPACE,
            "timezone": "Europe/Berlin",
            "color": "#0c5f5c",
            "address": "Northwind Analytics, 12 Harbour Street, Hamburg",
        },
    ),
    (
        "dunning.sender",
        {"address": "billing@northwind.example", "name": WORKSPACE, "reply_to": EMAIL, "passed": True},
    ),
    ("dunning.allow_list", {"entries": [f"@{CUSTOMERS_DOMAIN}"]}),
    ("dunning.sending", {"mode": "on"}),
)
"""What a person decides before emails go, as (kind, detail). The account is in test mode, so that only the simulated
customers are on the list, and the server they are handed to is the local sink."""


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
    data_dir: Annotated[Path | None, typer.Option(help="Where everything it writes goes; kept between starts.")] = None,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the simulated company.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another seed, another company.")] = 1,
    speed: Annotated[
        float, typer.Option(min=0, help="Simulated seconds in a second; above 60 time steps from event to event.")
    ] = 1.0,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open the browser.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Start afresh without a browser, compare the numbers with the truth, and end."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print the result as JSON.")] = False,
) -> None:
    """Show DropFix at work: a real Kafka, PostgreSQL and mail sink, all services, and a simulated Stripe account.

    Nothing but this folder and a cache of downloads is written, nothing is sent anywhere. Ctrl-C stops everything;
    the next start goes on where it was.
    """
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
    link = await asyncio.to_thread(_connect, api, account, stack, stripe)
    if wanted.check:
        await _check(first, stripe, as_json=wanted.as_json)
        return
    await _present(stack, wanted, console, link)
    await _let_time_pass(surroundings, wanted, clock, mail_page=f"http://{LOOPBACK}:{ports['dunning']}/readyz")


async def _let_time_pass(surroundings: Surroundings, wanted: Demo, clock: Path, *, mail_page: str) -> None:
    """The clock file runs by itself up to 60 times real time; above that it is stepped from here."""
    if wanted.speed <= RUNS_UP_TO:
        await asyncio.Event().wait()
    broker = Broker(surroundings.bootstrap_servers, prefix=os.environ.get("DROPFIX_TOPIC_PREFIX", ""))
    schemas = [service.schema() for service in all_services()]
    looker = Looker(surroundings.admin_url, broker, schemas, mail_page=mail_page)
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


def _connect(api: ConsoleApi, account: dict[str, Any], stack: EmbeddedStack, stripe: str) -> str:
    """Set the workspace up, arm it and connect the account at the first start; a link that signs in."""
    if not api.get("/api/workspaces")["workspaces"]:
        api.post("/api/setup", {"workspace": WORKSPACE, "email": EMAIL, "password": account["password"]})
    if not api.get("/api/stripe/status")["connections"]:
        for kind, detail in ARMING:
            api.post("/api/decisions", {"kind": kind, "detail": detail, "why": "the demo comes armed, to its own sink"})
        step("connecting the account with its restricted key")
        keys = httpx.get(f"{stripe}/_keys", trust_env=False, timeout=15).json()["keys"]
        api.post("/api/stripe/connect", {"key": next(key["secret"] for key in keys if key["name"] == "full")})
    return str(api.post("/api/sign_in_link", {"email": EMAIL})["url"])


async def _check(first: FirstMinute, stripe: str, *, as_json: bool) -> None:
    truth = await asyncio.to_thread(_truth, stripe)
    conditions = await asyncio.to_thread(first.wait_for, truth)
    show(conditions, as_json=as_json)
    if not all(condition.holds for condition in conditions):
        raise CommandError("the first minute did not show the truth", remedy="see the lines above", code=CHECK_FAILED)


def _truth(stripe: str) -> Expected:
    return Expected.of(httpx.get(f"{stripe}/_truth", trust_env=False, timeout=30).json())


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
