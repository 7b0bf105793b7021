"""The commands: what a person types becomes a decision, and what makes no sense is refused with the reason."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from schemas.events.decisions import check_decision
from services.dunning.commands import DATABASE_OF, amount_of, commands, table_of

RECORD = ["record", "--user", "u_1", "--email", "eve@example.com", "--amount", "49.00", "--currency", "USD"]


class Api:
    """Takes decisions as the console's API does."""

    def __init__(self) -> None:
        self.decided: list[dict[str, Any]] = []

    def post(self, path: str, body: dict[str, Any]) -> Any:
        assert path == "/api/decisions"
        check_decision(body["kind"], body["detail"], connection_id=body["connection_id"])
        self.decided.append(body)
        return {"effective_at": "2026-03-02T10:01:00Z"}


def run(console: Api, *arguments: str) -> Any:
    root = typer.Typer()
    root.add_typer(commands, name="dunning")

    @root.callback()
    def main(context: typer.Context) -> None:
        context.obj = _console_of(console)

    return CliRunner().invoke(root, ["dunning", *arguments])


def _console_of(console: Api) -> Any:
    def found(_: Path | None) -> Api:
        return console

    return found


def test_a_failure_recorded_by_hand_is_a_decision_in_minor_units() -> None:
    console = Api()
    assert run(console, *RECORD, "--pay-url", "https://pay.example").exit_code == 0
    (decided,) = console.decided
    assert decided["kind"] == "dunning.recorded"
    assert decided["detail"] == {
        "user_id": "u_1",
        "email": "eve@example.com",
        "amount": 4900,
        "currency": "usd",
        "pay_url": "https://pay.example",
    }


@pytest.mark.parametrize(("flag", "outcome"), [([], "paid"), (["--unpaid"], "void")])
def test_what_was_recorded_is_settled(flag: list[str], outcome: str) -> None:
    console = Api()
    assert run(console, "settle", "--user", "u_1", *flag).exit_code == 0
    assert console.decided[0]["detail"] == {"user_id": "u_1", "outcome": outcome}


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("49.00", "usd", 4900), ("49", "EUR", 4900), ("500", "jpy", 500), ("1.5", "kwd", 1500)],
)
def test_an_amount_has_the_decimals_of_its_currency(amount: str, currency: str, minor: int) -> None:
    assert amount_of(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("49.001", "usd", "2 decimals"),
        ("5.5", "jpy", "0 decimals"),
        ("-1", "usd", "not below 0"),
        ("0", "usd", "above 0"),
        ("much", "usd", "is no amount"),
        ("NaN", "usd", "is no amount"),
        ("1", "xyz", "is no currency"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused_with_the_reason(amount: str, currency: str, said: str) -> None:
    console = Api()
    result = run(console, "record", "--user", "u", "--email", "e@x.example", "--amount", amount, "--currency", currency)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert console.decided == []


def test_an_address_is_allowed_again() -> None:
    console = Api()
    assert run(console, "allow", "--email", "ada@example.com", "--why", "it works again").exit_code == 0
    (decided,) = console.decided
    assert (decided["kind"], decided["why"]) == ("dunning.suppress", "it works again")
    assert decided["detail"] == {"email": "ada@example.com", "lifted": True}


def test_allowing_somebody_names_whom() -> None:
    console = Api()
    assert run(console, "allow").exit_code == 2
    assert console.decided == []


@pytest.mark.parametrize("width", [80, 100, 240])
@pytest.mark.parametrize("whom", ["cus_Px7Jq2mNabcd12", "auth0|5f7c8ec7c33c6c004bbafe82-of-the-old-tenant"])
def test_ids_are_listed_whole_however_narrow_the_terminal(width: int, whom: str) -> None:
    episode = {
        "episode_id": "3f2a9c1e-0000-5000-8000-000000000000",
        "customer_id": whom,
        "user_id": None,
        "state": "held",
        "reason": "needs_review",
        "mailed": 1,
        "steps": 3,
        "due_at": datetime(2026, 3, 2, 10, tzinfo=UTC),
        "remaining": {"eur": 123456, "usd": 4900},
        "recovered": {"usd": 9900},
    }
    printed = io.StringIO()
    Console(file=printed, width=width).print(table_of([episode], width=width))
    lines = printed.getvalue().splitlines()
    begins = next(line.index("who") for line in lines if "who" in line)
    ends = next(line.index("state") for line in lines if "state" in line)
    assert whom in "".join(line[begins:ends].strip() for line in lines)
    assert width < 240 or whom in printed.getvalue()
    assert all(whole in printed.getvalue() for whole in ("3f2a9c1e", "2026-03-02", "€1,234.56", "$49.00", "$99.00"))
    assert max(map(len, lines)) <= width


def test_without_a_database_that_is_named_that_of_the_running_stack_is_looked_at(tmp_path: Path) -> None:
    asked: list[tuple[str | None, Path | None]] = []

    def database_of(given: str | None, data_dir: Path | None) -> str:
        asked.append((given, data_dir))
        return "postgresql://nobody@127.0.0.1:1/dropfix?connect_timeout=1"

    root = typer.Typer()
    root.add_typer(commands, name="dunning")

    @root.callback()
    def main(context: typer.Context) -> None:
        context.meta[DATABASE_OF] = database_of

    result = CliRunner().invoke(root, ["dunning", "list", "--data-dir", str(tmp_path)], env={"DATABASE_URL": ""})
    assert result.exit_code == 1
    assert "the database does not answer" in result.output
    assert asked == [(None, tmp_path)]
