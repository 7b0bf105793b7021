"""`dropfix workspace`: the same decisions from the command line."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from cli.commands.workspace import app
from cli.console_api import ConsoleApi
from cli.errors import CommandError
from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.test_recovery_settings import ADDRESS, settle_test

Command = Callable[..., Result]


@pytest.fixture
def command(console: RunningConsole, company: Company, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command about the company of the test."""
    token = (console.folder / "operator").read_text()
    monkeypatch.setattr(ConsoleApi, "of", lambda _: ConsoleApi(console.address, token))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--workspace", company.workspace_id])

    return run


def test_what_is_set_is_shown_and_what_is_given_is_decided(command: Command) -> None:
    assert "time zone             UTC" in command("settings").stdout
    done = command("settings", "--time-zone", "Europe/Berlin", "--history-days", "60", "--why", "we moved", "--json")
    assert done.exit_code == 0, done.output
    assert [one["kind"] for one in json.loads(done.stdout)] == ["workspace.settings", "signals.thresholds"]
    shown = command("settings").stdout
    assert "Europe/Berlin" in shown
    assert "60 days" in shown
    told = json.loads(command("history", "--json").stdout)
    assert {(one["kind"], one["by"], one["why"]) for one in told} == {
        ("workspace.settings", "operator", "we moved"),
        ("signals.thresholds", "operator", "we moved"),
    }
    assert "Europe/Berlin" in command("history").stdout


def test_a_sender_is_named_whole_and_changed_in_parts(command: Command) -> None:
    alone = command("settings", "--sender-name", "Acme")
    assert isinstance(alone.exception, CommandError)
    command("settings", "--sender", "billing@acme.example", "--sender-name", "Acme")
    command("settings", "--reply-to", "help@acme.example")
    known = json.loads(command("settings", "--json").stdout)["sender"]
    assert (known["address"], known["name"], known["reply_to"], known["passed"]) == (
        "billing@acme.example",
        "Acme",
        "help@acme.example",
        False,
    )


def test_a_sender_is_tested_and_counts_once_its_test_arrived(
    command: Command, console: RunningConsole, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = command("test-sender", "--to", company.email)
    assert "no sender yet" in str(nobody.exception)
    command("settings", "--sender", ADDRESS, "--sender-name", "Acme")
    monkeypatch.setattr("cli.commands.workspace.OUTCOME_WITHIN_S", 0.0)
    waits = command("test-sender", "--to", company.email)
    assert "did not go" in str(waits.exception)
    early = command("test-sender", "--to", company.email, "--arrived")
    assert "No test email went" in str(early.exception)
    settle_test(console, company, "sent")
    assert command("test-sender", "--to", company.email, "--arrived").exit_code == 0
    assert json.loads(command("settings", "--json").stdout)["sender"]["passed"] is True


def test_a_wrong_setting_is_named(command: Command) -> None:
    wrong = command("settings", "--time-zone", "Berlin")
    assert isinstance(wrong.exception, CommandError)
    assert "no time zone" in str(wrong.exception)
