"""From due to sent: nothing goes without a fresh read, an acknowledgement by the log, and a second look."""

from datetime import timedelta

import msgspec
import pytest

from services.dunning.core import Due, SubjectState, decide
from services.dunning.decoding import decode
from services.dunning.facts import Observed, merge
from services.dunning.protocol import ANSWER, FRESH, LATER, Plan, Work, plan_of
from tests.unit.dunning.build import DAY, HOUR, START, Stage, refresh_result

NOW = START + HOUR
MACHINE = START + 300 * DAY
"""The machine's time has nothing to do with the domain's."""


def story() -> Stage:
    stage = Stage.armed()
    stage.fail()
    return stage


def due_of(stage: Stage) -> Due:
    (due,) = stage.outcome(NOW).state.due
    return due


def answer(stage: Stage, request_id: str = "r1", **more: object) -> None:
    observed = decode(refresh_result(request_id, **{"read_at": MACHINE, **more}))  # type: ignore[arg-type]
    assert isinstance(observed, Observed)
    stage.facts = merge(stage.facts, observed)


def plan(stage: Stage, *, work: Work | None = None, after: timedelta = timedelta(0)) -> Plan:
    work = work or Work(due_of(stage), request_id="r1", requested_at=MACHINE)
    return plan_of(stage.state(), stage.image, work, now=NOW, machine_now=MACHINE + after)


def announced(stage: Stage) -> Work:
    return Work(due_of(stage), request_id="r1", requested_at=MACHINE, announced=True)


def test_a_due_email_asks_for_a_fresh_read_first() -> None:
    stage = story()
    assert plan(stage, work=Work(due_of(stage))).move == "request"


def test_a_read_that_was_made_for_the_email_before_does_not_count() -> None:
    stage = story()
    answer(stage, "for the email before")
    assert plan(stage, work=Work(due_of(stage))).move == "request"
    asked = Work(due_of(stage), request_id="r2", requested_at=MACHINE + timedelta(seconds=1))
    assert plan(stage, work=asked, after=timedelta(seconds=2)).move == "wait"
    answer(stage, "r2", read_at=MACHINE + timedelta(seconds=2))
    assert plan(stage, work=asked, after=timedelta(seconds=3)).move == "announce"


def test_a_read_made_since_for_another_request_counts() -> None:
    stage = story()
    answer(stage, "r1", read_at=MACHINE + timedelta(seconds=2))
    asked = Work(due_of(stage), request_id="r2", requested_at=MACHINE + timedelta(seconds=1))
    assert plan(stage, work=asked, after=timedelta(seconds=3)).move == "announce"


def test_a_request_is_waited_for_and_then_made_again() -> None:
    stage = story()
    assert plan(stage, after=ANSWER).move == "wait"
    assert plan(stage, after=ANSWER + timedelta(seconds=1)).move == "request"


def test_with_a_fresh_read_it_is_announced_before_it_is_sent() -> None:
    stage = story()
    answer(stage)
    assert plan(stage).move == "announce"


def test_it_is_not_sent_before_the_log_has_given_the_announcement_back() -> None:
    stage = story()
    answer(stage)
    work = announced(stage)
    assert plan(stage, work=work).move == "wait"
    stage.mailed(1, at=NOW, state="due")
    assert plan(stage, work=work).move == "send"


def test_a_read_that_grew_old_meanwhile_is_made_again() -> None:
    stage = story()
    answer(stage)
    work = announced(stage)
    stage.mailed(1, at=NOW, state="due")
    assert plan(stage, work=work, after=FRESH).move == "send"
    assert plan(stage, work=work, after=FRESH + timedelta(seconds=1)).move == "request"


def test_what_the_read_left_must_have_arrived_first() -> None:
    stage = story()
    seen = stage.facts.versions["in_1"]
    answer(stage, outcome="changed", versions={"in_1": seen + 1, "cus_1": 1})
    assert plan(stage).move == "wait"
    assert "in_1" in plan(stage).why
    stage.see({**_invoice(stage)}, at=NOW)
    assert plan(stage).move == "announce"


def _invoice(stage: Stage) -> dict[str, object]:
    record = next(record for record in reversed(stage.records) if record.topic == "stripe.invoice.raw.v1")
    decoded: dict[str, object] = msgspec.json.decode(record.value or b"")
    return decoded


def test_a_payment_that_the_read_found_drops_the_email() -> None:
    stage = story()
    work = announced(stage)
    stage.mailed(1, at=NOW, state="due")
    stage.pay(at=NOW - timedelta(minutes=10))
    answer(stage, outcome="changed", versions={"in_1": stage.facts.versions["in_1"]})
    assert plan(stage, work=work).move == "drop"


@pytest.mark.parametrize("outcome", ["unreadable", "deleted"])
def test_a_read_that_failed_sends_nothing_and_is_tried_again_later(outcome: str) -> None:
    stage = story()
    work = announced(stage)
    stage.mailed(1, at=NOW, state="due")
    answer(stage, outcome=outcome)
    assert plan(stage, work=work).move == "wait"
    assert plan(stage, work=work, after=LATER).move == "wait"
    assert plan(stage, work=work, after=LATER + timedelta(seconds=1)).move == "request"


def test_a_decision_between_due_and_sent_counts() -> None:
    stage = story()
    work = announced(stage)
    stage.mailed(1, at=NOW, state="due")
    answer(stage)
    stage.decide("dunning.hold", at=NOW, about=True)
    assert plan(stage, work=work).move == "drop"


def test_outside_the_sending_hours_nothing_goes() -> None:
    stage = story()
    work = announced(stage)
    stage.mailed(1, at=NOW, state="due")
    answer(stage)
    late = START + timedelta(hours=7)
    found = plan_of(stage.state(), stage.image, work, now=late, machine_now=MACHINE)
    assert found.move == "drop"


def test_a_user_without_stripe_needs_no_read() -> None:
    stage = Stage.armed()
    stage.decide(
        "dunning.recorded",
        {"user_id": "u_1", "amount": 1500, "currency": "eur", "email": "eve@example.com"},
        at=START,
    )
    state = SubjectState(subject="ws_1/u_1", facts=msgspec.structs.replace(Stage().facts, workspace_id="ws_1"))
    (due,) = decide(state, stage.image, NOW).state.due
    assert plan_of(state, stage.image, Work(due), now=NOW, machine_now=MACHINE).move == "announce"
