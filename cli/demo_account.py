"""The simulated account of the demo: set up in a console, connected, and compared with its truth."""

import asyncio
import secrets
import time
from typing import Any

import httpx

from cli.console_api import ConsoleApi
from cli.errors import CHECK_FAILED, FAILED, NOT_RUNNING, USAGE, CommandError
from cli.first_minute import Expected, FirstMinute, show
from cli.output import step, suggest

WORKSPACE = "Northwind Analytics"
EMAIL = "founder@northwind.example"
CUSTOMERS_DOMAIN = "customers.example"

SENDER: dict[str, Any] = {"address": "billing@northwind.example", "name": WORKSPACE, "reply_to": EMAIL}
TEST_WITHIN_S = 60.0
AGAIN_AFTER_S = 2.0
"""How long after a test email that was not taken another one is asked for."""

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
    ("dunning.sender", SENDER),
    ("dunning.allow_list", {"entries": [f"@{CUSTOMERS_DOMAIN}"]}),
    ("dunning.sending", {"mode": "on"}),
)
"""What a person decides before emails go, as (kind, detail), beside the sender's test. The account is in test mode, so
that only the simulated customers are on the list, and the server they are handed to is the local sink."""


def connect(api: ConsoleApi, *, stripe: str, password: str) -> str:
    """Set the workspace up, arm it and connect the account, unless it is there; a link that signs in.

    `stripe` is the simulator's address here; the poller knows it by its own settings.
    """
    if not api.get("/api/workspaces")["workspaces"]:
        api.post("/api/setup", {"workspace": WORKSPACE, "email": EMAIL, "password": password})
    if not api.get("/api/stripe/status", workspace=WORKSPACE)["connections"]:
        for kind, detail in ARMING:
            _decide(api, kind, detail)
        step("connecting the account with its restricted key")
        keys = told_by(stripe, "/_keys")["keys"]
        full = next(key["secret"] for key in keys if key["name"] == "full")
        api.post("/api/stripe/connect", {"key": full, "workspace": WORKSPACE})
    if api.get("/api/decisions", workspace=WORKSPACE)["sender"] == {**SENDER, "passed": False}:
        prove_sender(api)
    return str(api.post("/api/sign_in_link", {"email": EMAIL})["url"])


def prove_sender(api: ConsoleApi) -> None:
    """Have a test email sent, and say that it arrived, once the mail server has it; raises CommandError. One that is
    not taken is asked for again; what did not succeed is tried by the next start."""
    asked, deadline = _ask_for_test(api), time.monotonic() + TEST_WITHIN_S
    while (test := _test_of(api, asked)) is None or test["state"] != "sent":
        if time.monotonic() > deadline:
            raise CommandError(
                f"the test email of the sender did not go: {(test and test['reply']) or 'dunning did not try it'}",
                remedy="start the demo again, which tries it anew; the log of dunning says more",
                code=FAILED,
            )
        time.sleep(0.2)
        if test is not None and test["state"] in {"failed", "unknown"}:
            time.sleep(AGAIN_AFTER_S)
            asked = _ask_for_test(api)
    _decide(api, "dunning.sender", {**SENDER, "passed": True})


def _ask_for_test(api: ConsoleApi) -> str:
    return str(_decide(api, "dunning.test_send", {"to": EMAIL})["decision_id"])


def _test_of(api: ConsoleApi, decision_id: str) -> dict[str, Any] | None:
    tests: list[dict[str, Any]] = api.get("/api/decisions", workspace=WORKSPACE)["sender_tests"]
    return next((test for test in tests if test["decision_id"] == decision_id), None)


def _decide(api: ConsoleApi, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    why = "the demo comes armed, to its own sink"
    body = {"kind": kind, "detail": detail, "why": why, "workspace": WORKSPACE}
    decided: dict[str, Any] = api.post("/api/decisions", body)
    return decided


async def check(first: FirstMinute, *, stripe: str, as_json: bool) -> None:
    """Print the numbers beside the simulator's truth; raises CommandError where they differ or came too late."""
    truth = Expected.of(await asyncio.to_thread(told_by, stripe, "/_truth"))
    conditions = await asyncio.to_thread(first.wait_for, truth)
    show(conditions, as_json=as_json)
    if not all(condition.holds for condition in conditions):
        raise CommandError("the first minute did not show the truth", remedy="see the lines above", code=CHECK_FAILED)


async def check_elsewhere(api: ConsoleApi, *, database_url: str, stripe: str, as_json: bool) -> None:
    """The check on a deployment that runs: its console, its database, and the simulator that its poller reads."""
    told_by(stripe, "/_clock")
    _refuse_another_workspace(api)
    first = FirstMinute(api, database_url, began=time.monotonic())
    link = connect(api, stripe=stripe, password=secrets.token_urlsafe(9))
    await check(first, stripe=stripe, as_json=as_json)
    suggest(f"the dashboard: {link}")


def _refuse_another_workspace(api: ConsoleApi) -> None:
    """The check arms sending and connects an account: nothing that may happen to a company's own workspace."""
    for workspace in api.get("/api/workspaces")["workspaces"]:
        if workspace["name"] != WORKSPACE:
            raise CommandError(
                f"the console at {api.address} has a workspace that is not the demo's: {workspace['name']}",
                remedy="check a deployment that is empty or the demo's own",
                code=USAGE,
            )


def told_by(stripe: str, path: str) -> Any:
    """What the simulator answers; raises CommandError where none does."""
    try:
        return httpx.get(f"{stripe}{path}", trust_env=False, timeout=30).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise CommandError(
            f"no Stripe simulator answers at {stripe} ({type(error).__name__})",
            remedy="start one with `dropfix simulator`, and give its address to the poller as STRIPE_API_BASE",
            code=NOT_RUNNING,
        ) from error
