"""Help that a newcomer understands, exit codes that scripts can use, errors that say what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli import main as entry
from cli.errors import FAILED, NOT_RUNNING, USAGE
from schemas.catalogue import TOPICS
from tests.unit.cli.commands import CommandLine

KEY = "rk_test_51PgC6tB7WZ01zgkWsecretPartOfTheKey4f2a"


def all_commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below this one, with the words that lead to it."""
    members = getattr(command, "commands", {})
    if not members:
        yield path, command
    for name, member in members.items():
        yield from all_commands(member, *path, name)


@pytest.fixture(scope="module")
def tree() -> list[tuple[tuple[str, ...], Any]]:
    entry._assemble()
    return list(all_commands(typer.main.get_command(entry.app)))


def test_every_command_and_every_option_says_what_it_is_for(
    tree: list[tuple[tuple[str, ...], Any]],
) -> None:
    assert {path[0] for path, _ in tree} >= {"demo", "run", "status", "stripe", "topics", "migrate", "service"}
    assert [path for path, command in tree if not command.help] == []
    silent = [
        (path, option.name)
        for path, command in tree
        for option in command.params
        if option.param_type_name == "option" and not option.help
    ]
    assert silent == []
    assert any(option.param_type_name == "option" for _, command in tree for option in command.params)


def test_the_database_is_named_by_the_same_option_everywhere(tree: list[tuple[tuple[str, ...], Any]]) -> None:
    named = {
        (path, name)
        for path, command in tree
        for option in command.params
        if option.envvar == "DATABASE_URL"
        for name in option.opts
    }
    assert {name for _, name in named} == {"--database-url"}
    assert {path[0] for path, _ in named} >= {"migrate", "dlq", "dunning", "mrr", "poller"}


def test_no_command_takes_a_stripe_key_from_its_arguments(
    tree: list[tuple[tuple[str, ...], Any]],
) -> None:
    names = {option.name for path, command in tree if path[0] == "stripe" for option in command.params}
    assert names.isdisjoint({"key", "api_key", "secret", "token"})


def test_a_key_given_as_an_argument_is_refused_with_the_way_to_give_it_and_not_repeated(dropfix: CommandLine) -> None:
    ended = dropfix("stripe", "connect", KEY)
    assert ended.code == USAGE
    assert "standard input" in ended.errors
    assert KEY not in ended.errors + ended.output


def test_the_help_of_the_whole_names_the_exit_codes_and_where_to_begin(dropfix: CommandLine) -> None:
    ended = dropfix("--help")
    assert ended.code == 0
    assert "Start with `dropfix demo`" in ended.output
    assert "3 what was asked about does not run" in " ".join(ended.output.split())


def test_the_version_is_told(dropfix: CommandLine) -> None:
    assert dropfix("--version").output.startswith("dropfix ")


@pytest.mark.parametrize("command", [("status",), ("stripe", "status"), ("stripe", "connect")])
def test_what_needs_a_running_stack_says_how_to_start_one(
    dropfix: CommandLine, command: tuple[str, ...], tmp_path: Path
) -> None:
    ended = dropfix(*command, "--data-dir", str(tmp_path))
    assert ended.code == NOT_RUNNING
    assert "no stack of DropFix runs" in ended.errors
    assert "dropfix demo" in ended.errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("demo", "--customers", "0"), "--customers"),
        (("demo", "--speed", "-1"), "--speed"),
        (("demo", "--faster"), "--faster"),
        (("nonsense",), "nonsense"),
        (("service", "nonsense"), "there are poller, mirror, mrr, detector"),
        (("migrate",), "DATABASE_URL"),
        (("migrate", "--database-url", "garbage"), "not an address of PostgreSQL"),
        (("migrate", "--database-url", "postgresql://u@[h/x"), "cannot be read as an address of PostgreSQL"),
        (("topics", "create"), "KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_a_wrong_command_line_ends_with_code_2_and_names_what_is_wrong(
    dropfix: CommandLine, arguments: tuple[str, ...], told: str
) -> None:
    ended = dropfix(*arguments)
    assert ended.code == USAGE, ended
    assert told in ended.errors
    assert "Traceback" not in ended.errors


def test_an_error_may_name_a_folder_with_brackets(dropfix: CommandLine, tmp_path: Path) -> None:
    ended = dropfix("status", "--data-dir", str(tmp_path / "[/red]" / "[bold]"))
    assert ended.code == NOT_RUNNING
    assert "[/red]/[bold]" in ended.errors


def test_what_nobody_expected_is_one_line_and_no_stack_trace(
    dropfix: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise LookupError("a [/thing] is gone")

    monkeypatch.setattr("cli.commands.servers.print_json", fail)
    ended = dropfix("topics", "list", "--json")
    assert ended.code == 1
    assert "this should not have happened: LookupError: a [/thing] is gone" in ended.errors
    assert "DROPFIX_DEBUG=1 shows where" in ended.errors
    assert "Traceback" not in ended.errors


def test_the_topics_are_listed_as_the_catalogue_has_them(dropfix: CommandLine) -> None:
    listed = {topic["name"]: topic for topic in json.loads(dropfix("topics", "list", "--json").output)}
    assert listed.keys() == TOPICS.keys()
    assert listed["stripe.api_call.v1"]["kept_days"] == 90
    assert listed["churn.signal.v1"]["kept_days"] is None
    assert all(topic["about"] and topic["subject"] and topic["key"] for topic in listed.values())
    shown = dropfix("topics", "list").output
    assert all(name in shown for name in TOPICS)


def test_secrets_are_made_once_and_only_their_owner_reads_them(dropfix: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert dropfix("secrets", "make", str(folder)).code == 0
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert made.keys() >= {"vault_private_keys", "vault_public_key", "operator_token", "password_poller"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len(set(made.values())) == len(made)
    assert dropfix("secrets", "make", str(folder)).code == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_a_console_of_the_environment_is_asked_with_the_token_of_its_file(
    dropfix: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPFIX_CONSOLE_URL", "http://127.0.0.1:1")
    told = dropfix("stripe", "status")
    assert (told.code, "DROPFIX_OPERATOR_TOKEN_FILE" in told.errors) == (USAGE, True)
    monkeypatch.setenv("DROPFIX_OPERATOR_TOKEN_FILE", str(tmp_path / "none"))
    told = dropfix("stripe", "status")
    assert (told.code, "cannot be read" in told.errors) == (USAGE, True)
    (tmp_path / "none").write_text("token\n")
    told = dropfix("stripe", "status")
    assert (told.code, "the console at http://127.0.0.1:1 does not answer" in told.errors) == (NOT_RUNNING, True)


def test_a_deployment_is_checked_only_with_all_that_the_check_reads(dropfix: CommandLine) -> None:
    for options in ((), ("--check",), ("--check", "--stripe", "http://127.0.0.1:1")):
        told = dropfix("demo", "--console", "http://127.0.0.1:1", *options)
        assert told.code == USAGE
        assert "--database-url and --stripe" in told.errors


def test_a_password_of_a_file_is_never_told(
    dropfix: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner@127.0.0.1:1/dropfix")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    told = dropfix("tables", "--check")
    assert told.code in {FAILED, USAGE}
    assert "hunter2" not in told.errors + told.output
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "none"))
    told = dropfix("dlq", "list", "mirror")
    assert (told.code, "DATABASE_PASSWORD_FILE names" in told.errors) == (USAGE, True)
