"""Comparing policies before switching: by month, by customer, and why."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from typer.testing import CliRunner

from pipeline.records import Record
from runtime.errors import RuntimeFault
from services.mrr.commands import commands
from services.mrr.comparing import Comparison, Months, compare, differences
from services.mrr.errors import UnknownPolicy
from services.mrr.in_force import InForce
from services.mrr.options import DATABASE_OF
from services.mrr.policy import BAREMETRICS, CHARTMOGUL, PROFITWELL, STRIPE, Policy, own_policy
from tests.unit.mrr.build import discount, item, subscription
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import SUBJECT, Story, day
from tests.unit.mrr.test_policies_in_force import switch
from tests.unit.mrr.test_properties import END, POLICIES, lives

MONTHS = Months("UTC", datetime.fromtimestamp(day(100), UTC))


def _discounted() -> Story:
    months = discount(percent=20, duration="repeating", start=day(0), end=day(40))
    return Story().see(subscription(discounts=[months]), 0, change="created")


def test_a_month_in_which_nothing_would_differ_is_told_beside_those_in_which_something_would() -> None:
    found = Comparison()
    found.add(SUBJECT, compare(SUBJECT, _discounted().state().facts, InForce(STRIPE), PROFITWELL, MONTHS))
    months = {month: (total.mrr, total.other, total.customers) for (_, month, _), total in found.totals.items()}
    assert months == {
        date(2026, 1, 1): (1000, 800, 1),
        date(2026, 2, 1): (1000, 1000, 0),
        date(2026, 3, 1): (1000, 1000, 0),
        date(2026, 4, 1): (1000, 1000, 0),
    }


def test_a_difference_says_which_choice_makes_it() -> None:
    (one,) = compare(SUBJECT, _discounted().state().facts, InForce(STRIPE), PROFITWELL, MONTHS).differing
    assert (one.subject, one.month, one.mrr, one.other) == (SUBJECT, date(2026, 1, 1), 1000, 800)
    assert [(why.choice, why.from_value, why.to_value, why.change) for why in one.reasons] == [
        ("discounts.repeating", "not taken off", "taken off", -200)
    ]


def test_several_choices_are_told_apart() -> None:
    months = discount(percent=20, duration="repeating", start=day(0), end=day(90))
    told = Story().see(subscription(status="past_due", discounts=[months]), 0, change="created")
    first = compare(SUBJECT, told.state().facts, InForce(STRIPE), BAREMETRICS, MONTHS).differing[0]
    assert (first.mrr, first.other) == (1000, 0)
    assert {why.choice: why.change for why in first.reasons} == {
        "past_due_grace_days": -1000,
        "discounts.repeating": -200,
    }


def test_what_is_in_force_is_what_it_is_compared_with() -> None:
    in_force = InForce(STRIPE, (switch(PROFITWELL, counts_from=-5, decided=50),))
    assert compare(SUBJECT, _discounted().state().facts, in_force, PROFITWELL, MONTHS).differing == ()


def test_months_are_those_of_the_workspaces_zone() -> None:
    late = Story().see(subscription(start_date=day(30) + 86_000), 31, change="created").state().facts
    tokyo = Months("Asia/Tokyo", MONTHS.now)
    assert min(compare(SUBJECT, late, InForce(STRIPE), STRIPE, MONTHS).months) == date(2026, 1, 1)
    assert min(compare(SUBJECT, late, InForce(STRIPE), STRIPE, tokyo).months) == date(2026, 2, 1)


def test_nothing_was_ever_worth_something_and_nothing_differs() -> None:
    facts = Story().see(subscription(item(quantity=0)), 0, change="created").state().facts
    assert compare(SUBJECT, facts, InForce(STRIPE), PROFITWELL, MONTHS).months == {}


@settings(max_examples=80, deadline=None)
@given(lives(), POLICIES, POLICIES)
def test_each_side_is_what_a_replay_by_its_policy_gives(records: list[Record], policy: Policy, other: Policy) -> None:
    replay = Replay(policy).take(records).tick(END)
    found = Comparison()
    for subject, facts in replay.facts().items():
        found.add(subject, compare(subject, facts, InForce(policy), other, Months("UTC", END)))
    last = max((month for _, month, _ in found.totals), default=None)
    ends = {currency: total for (_, month, currency), total in found.totals.items() if month == last}
    assert {c: total.mrr for c, total in ends.items() if total.mrr} == replay.mrr_at(END)
    assert {c: total.other for c, total in ends.items() if total.other} == Replay(other).take(records).tick(END).mrr_at(
        END
    )


def test_the_choices_in_which_two_policies_differ_are_named() -> None:
    assert differences(STRIPE, CHARTMOGUL) == {
        "activate_at": ("start", "first_payment"),
        "discounts.repeating": ("not taken off", "taken off"),
        "discounts.once": ("not taken off", "taken off"),
    }
    assert differences(STRIPE, BAREMETRICS)["past_due_grace_days"] == ("no limit", "30")


def test_a_policy_of_ones_own_has_a_name_of_its_own() -> None:
    assert own_policy({"version": "ours/2", "past_due_grace_days": 14}).past_due_grace_days == 14
    assert own_policy(STRIPE.model_dump()) == STRIPE
    with pytest.raises(UnknownPolicy, match="is a preset"):
        own_policy({"version": "stripe/1", "past_due_grace_days": 14})
    with pytest.raises(UnknownPolicy, match="past_due_grace_days"):
        own_policy({"version": "ours/2", "past_due_grace_days": -1})


class _Console:
    """The console's API, which keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, _: Path | None) -> "_Console":
        return self

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body))
        return {"decision_id": "dec_1", "effective_at": "2026-03-05T12:01:00Z", **body}


def test_a_policy_is_set_by_a_decision_that_carries_all_of_it() -> None:
    console = _Console()
    done = CliRunner().invoke(commands, ["set-policy", "baremetrics", "--counts-from", "2026-02-01"], obj=console)
    assert done.exit_code == 0
    ((path, body),) = console.asked
    assert (path, body["kind"]) == ("/api/decisions", "mrr.policy")
    assert body["detail"] == {"policy": BAREMETRICS.model_dump(), "counts_from": "2026-02-01"}
    assert "from 2026-03-05T12:01:00Z" in done.output.replace("\n", " ")


def test_how_it_is_taken_back_names_no_policy_that_may_not_be_the_one_before() -> None:
    asked = ["set-policy", "baremetrics", "--counts-from", "2026-02-01", "--workspace", "ws_1"]
    done = CliRunner().invoke(commands, asked, obj=_Console())
    assert "set what counted before (stripe, where nothing was set) from the same day" in done.output
    assert "dropfix mrr set-policy PRESET|FILE --counts-from 2026-02-01 --workspace ws_1" in done.output


_LOOKING = [["compare", "--to", "profitwell"], ["explain", "cus_1"], ["rates", "show"]]


@pytest.mark.parametrize("asked", _LOOKING, ids=lambda asked: asked[0])
def test_a_database_that_does_not_answer_is_told_in_words(asked: list[str]) -> None:
    done = CliRunner().invoke(commands, [*asked, "--database-url", "postgresql://nobody:secret@127.0.0.1:1/x"])
    assert isinstance(done.exception, RuntimeFault)
    assert "the database does not answer" in str(done.exception)
    assert "secret" not in str(done.exception)


@pytest.mark.parametrize("asked", _LOOKING, ids=lambda asked: asked[0])
def test_without_a_database_that_is_named_that_of_the_running_stack_is_looked_at(
    tmp_path: Path, asked: list[str]
) -> None:
    told: list[tuple[str | None, Path | None]] = []

    def database(given: str | None, data_dir: Path | None) -> str:
        told.append((given, data_dir))
        return "postgresql://nobody@127.0.0.1:1/x?connect_timeout=1"

    root = typer.Typer()
    root.add_typer(commands, name="mrr")

    @root.callback()
    def main(context: typer.Context) -> None:
        context.meta[DATABASE_OF] = database

    done = CliRunner().invoke(root, ["mrr", *asked, "--data-dir", str(tmp_path)], env={"DATABASE_URL": ""})
    assert "the database does not answer" in str(done.exception)
    assert told == [(None, tmp_path)]


@pytest.mark.parametrize("asked", _LOOKING, ids=lambda asked: asked[0])
def test_without_any_database_it_is_asked_for(asked: list[str]) -> None:
    done = CliRunner().invoke(commands, asked, env={"DATABASE_URL": ""})
    assert "name the database with --database-url" in str(done.exception)


@pytest.mark.parametrize("address", ["nonsense", "mysql://u:secret@h/x", "postgresql://u:secret@[h/x"])
@pytest.mark.parametrize("asked", [["explain", "cus_1"], ["rates", "show"]], ids=lambda asked: asked[0])
def test_what_is_no_address_of_a_database_is_told_in_words_that_hold_no_secret(asked: list[str], address: str) -> None:
    done = CliRunner().invoke(commands, [*asked, "--database-url", address])
    assert isinstance(done.exception, RuntimeFault)
    assert "--database-url is no address of PostgreSQL" in str(done.exception)
    assert "secret" not in str(done.exception)


@pytest.mark.parametrize("on", ["9000-01-01", "9999-12-31"])
def test_a_day_too_far_ahead_is_refused_before_anything_is_looked_at(on: str) -> None:
    done = CliRunner().invoke(
        commands, ["explain", "cus_1", "--at", on, "--database-url", "postgresql://127.0.0.1:1/x"]
    )
    assert done.exit_code == 2
    assert "8999-12-31" in done.output


@pytest.mark.parametrize(("suffix", "text"), [("json", '{"version": "ours/1"}'), ("toml", 'version = "ours/1"')])
def test_a_policy_can_be_read_from_a_file(tmp_path: Path, suffix: str, text: str) -> None:
    file, console = tmp_path / f"ours.{suffix}", _Console()
    file.write_text(text)
    done = CliRunner().invoke(commands, ["set-policy", str(file), "--counts-from", "2026-02-01", "--json"], obj=console)
    assert json.loads(done.output)["detail"]["policy"]["version"] == "ours/1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ('{"version": "ours"}', "version"),
        ('{"version": "stripe/1", "day_factor": "30"}', "preset"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_and_nothing_is_decided(tmp_path: Path, text: str, reason: str) -> None:
    file, console = tmp_path / "ours.json", _Console()
    file.write_text(text)
    done = CliRunner().invoke(commands, ["set-policy", str(file), "--counts-from", "2026-02-01"], obj=console)
    assert (done.exit_code, console.asked) == (2, [])
    assert reason in done.output


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    done = CliRunner().invoke(commands, ["set-policy", "quickbooks", "--counts-from", "2026-02-01"], obj=_Console())
    assert done.exit_code == 2
    assert "baremetrics, chartmogul, profitwell, stripe" in done.output.replace("\n", " ")


def test_the_commands_are_listed() -> None:
    assert {one.name for one in commands.registered_commands} == {"policies", "set-policy", "compare", "explain"}
    assert isinstance(commands, typer.Typer)
