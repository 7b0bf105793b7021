"""Decisions: which one stands, what is refused, and that nothing a person decides can end the service."""

from datetime import timedelta
from typing import Any

import pytest

from pipeline.errors import BadRecord
from schemas.events.decisions import KINDS
from services.dunning.decisions import CONCERNING
from services.dunning.decoding import Decided, decode
from services.dunning.emails.render import render
from services.dunning.letter import letter_of
from tests.unit.dunning.build import DAY, HOUR, START, Stage, decision


def test_the_later_decision_stands_whichever_is_read_first() -> None:
    first, second = Stage.armed(), Stage.armed()
    first.decide("dunning.policy", {"days": (0, 5)}, at=START)
    first.decide("dunning.policy", {"days": (0, 9)}, at=START + HOUR)
    second.decide("dunning.policy", {"days": (0, 9)}, at=START + HOUR)
    second.decide("dunning.policy", {"days": (0, 5)}, at=START)
    assert first.image == second.image
    assert first.image.policy.days == (0, 9)


def test_a_setting_that_is_left_out_stays_as_it_was() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"days": (1, 4)}, at=START)
    stage.decide("dunning.policy", {"wait_minutes": 5}, at=START + HOUR)
    assert (stage.image.policy.days, stage.image.policy.wait_minutes) == ((1, 4), 5)
    assert stage.image.settings.name == "Acme Analytics"


def test_a_policy_holds_for_episodes_that_open_after_it() -> None:
    stage = Stage.armed()
    stage.fail("in_1")
    stage.decide("dunning.policy", {"days": (0, 1)}, at=START + HOUR)
    stage.mailed(1, at=START + HOUR)
    assert stage.one(START + 2 * HOUR).due_at == START + 3 * DAY
    stage.pay("in_1", at=START + 2 * HOUR)
    stage.fail("in_2", at=START + 10 * DAY)
    assert stage.episodes(START + 10 * DAY)[1].policy.days == (0, 1)


def test_settings_that_make_no_sense_together_have_no_effect() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"first_hour": 15}, at=START)
    stage.decide("dunning.policy", {"last_hour": 12}, at=START + HOUR)
    assert (stage.image.policy.first_hour, stage.image.policy.last_hour) == (15, 17)


def test_a_decision_that_counts_later_wakes_whoever_is_open_then() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.sending", {"mode": "off"}, at=START + 5 * HOUR, name="off")
    outcome = stage.outcome(START + HOUR)
    assert outcome.state.due
    assert outcome.timers["decision:off"] == START + 5 * HOUR


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("dunning.policy", {"days": [5, 1]}),
        ("dunning.policy", {"days": "soon"}),
        ("dunning.sending", {"mode": "maybe"}),
        ("dunning.sending", {}),
        ("dunning.sender", {"address": "nobody"}),
        ("dunning.hold", {}),
        ("dunning.recorded", {"user_id": "u", "amount": 0, "currency": "usd"}),
        ("dunning.recorded", {"user_id": "u", "amount": 5, "currency": "zzz"}),
        ("dunning.test_send", {"to": "a@b.example", "variant": "retry"}),
        ("dunning.text", {"variant": "retry", "tone": "last", "text": None}),
        ("workspace.settings", {"timezone": "Mars/Olympus"}),
    ],
)
def test_a_decision_that_makes_no_sense_is_a_dead_letter_with_the_reason(kind: str, detail: dict[str, Any]) -> None:
    with pytest.raises(BadRecord) as refused:
        decode(decision(kind, detail, at=START))
    assert kind.partition(".")[2] in str(refused.value) or "customer" in str(refused.value)


def test_a_kind_of_others_is_none_of_ours() -> None:
    told = decode(decision("signals.thresholds", {"history_days": 5}, at=START))
    assert isinstance(told, Decided)
    assert told.ruling is None


def test_every_kind_about_dunning_concerns_it() -> None:
    assert {name for name in KINDS if name.startswith("dunning.")} <= CONCERNING


def test_a_decision_from_the_future_does_not_count_yet() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.hold", at=START + timedelta(hours=2), about=True)
    assert stage.one(START + HOUR).state == "due"
    assert stage.one(START + timedelta(hours=2)).state == "held"


def test_the_words_of_an_email_are_those_that_were_decided_last_until_they_are_taken_back() -> None:
    stage = Stage.armed()
    words = {"subject": "Hello", "body": "Please pay.", "button": "Pay"}
    for at, text in ((START, words), (START + HOUR, {**words, "subject": "Hi"}), (START + DAY, None)):
        stage.decide("dunning.text", {"variant": "retry", "tone": "first", "text": text}, at=at, name=str(at))
    found = [stage.image.until(at).text("retry", "first") for at in (START - HOUR, START, START + HOUR, START + DAY)]
    subjects = [each.subject if each else None for each in found]
    assert subjects == [None, "Hello", "Hi", None]
    assert stage.image.until(START).text("retry", "final") is None


def test_an_email_goes_in_the_words_of_the_workspace() -> None:
    stage = Stage.armed()
    words = {"subject": "{company}: {total}", "body": "Please pay {what}.", "button": "Pay"}
    stage.decide("dunning.text", {"variant": "retry", "tone": "first", "text": words}, at=START)
    stage.fail()
    letter = letter_of(stage.facts, stage.image, stage.one(START + HOUR), START + HOUR)
    assert letter is not None
    assert render(letter).subject == "Acme Analytics: $49.00"
