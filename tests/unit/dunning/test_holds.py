"""What holds an episode, or keeps its emails from going out, and what lets it go on."""

import pytest

from services.dunning.core import SubjectState
from services.dunning.episode import Episode, episodes_of
from services.dunning.facts import Facts
from services.dunning.letter import letter_of
from services.dunning.protocol import is_captured
from tests.unit.dunning.build import (
    DAY,
    HOUR,
    START,
    Stage,
    customer,
    dispute,
    subscription,
)


def test_a_subscription_set_to_end_holds_the_emails_and_the_founder_is_told() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    assert (stage.one(START + 2 * HOUR).state, stage.one(START + 2 * HOUR).reason) == ("held", "canceling")


def test_a_setting_lets_the_emails_go_on_though_the_subscription_is_set_to_end() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"stop_when_canceling": False}, at=START - DAY)
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    assert stage.one(START + 2 * HOUR).state == "due"


def test_a_cancellation_that_is_taken_back_lets_the_emails_go_on() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(subscription(cancel_at_period_end=True), at=START + HOUR)
    stage.see(subscription(cancel_at_period_end=False), at=START + 2 * HOUR)
    assert stage.one(START + 3 * HOUR).state == "due"


def test_without_an_address_the_episode_is_held() -> None:
    stage = Stage.armed()
    stage.see(customer(email=None), at=START)
    stage.fail()
    assert (stage.one(START + HOUR).state, stage.one(START + HOUR).reason) == ("held", "no_address")


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced", "complained"])
def test_a_suppressed_customer_is_held_and_says_why(reason: str) -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"reason": reason}, at=START + HOUR, about=True)
    assert stage.one(START + 2 * HOUR).reason == reason


def test_a_suppressed_address_holds_whoever_has_it_until_it_is_lifted() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"email": "ADA@example.com", "reason": "bounced"}, at=START)
    assert stage.one(START + HOUR).reason == "bounced"
    stage.decide("dunning.suppress", {"email": "ada@example.com", "lifted": True}, at=START + HOUR)
    assert stage.one(START + 2 * HOUR).state == "due"


def test_a_customer_that_is_suppressed_by_id_and_address_is_held_whichever_address_it_has() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"email": "ada@old.example", "reason": "bounced"}, at=START, about=True)
    assert stage.one(START + HOUR).reason == "bounced"


def test_suppressing_one_address_holds_nobody_else() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.suppress", {"email": "bob@example.com"}, at=START)
    assert stage.one(START + HOUR).state == "due"


def test_an_address_that_was_refused_for_good_is_held_until_it_changes() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="failed")
    assert stage.one(START + 3 * DAY).reason == "refused"
    stage.see(customer(email="ada@new.example"), at=START + 3 * DAY)
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.step) == ("due", 2)
    assert stage.letter(episode).recipient == "ada@new.example"


def test_an_open_dispute_holds_the_episode_until_it_is_settled() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.see(dispute(), at=START)
    assert stage.one(START + HOUR).reason == "disputed"
    stage.see(dispute(status="won"), at=START + DAY)
    assert stage.one(START + DAY).state == "due"


def test_what_is_below_the_threshold_is_not_mailed() -> None:
    stage = Stage.armed()
    stage.decide("dunning.policy", {"thresholds": {"usd": 5000}}, at=START - DAY)
    stage.fail()
    assert stage.one(START + HOUR).reason == "below_threshold"


def test_a_person_holds_and_releases() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.hold", at=START + HOUR, about=True)
    assert stage.one(START + 2 * HOUR).reason == "held"
    stage.decide("dunning.release", at=START + 4 * DAY, about=True)
    episode = stage.one(START + 4 * DAY)
    assert (episode.state, episode.step) == ("due", 2)


def test_an_email_of_unknown_fate_holds_the_episode_until_a_person_has_looked() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="unknown")
    episode = stage.one(START + 3 * DAY)
    assert (episode.state, episode.reason) == ("held", "needs_review")
    stage.decide("dunning.leave", {"episode_id": episode.id, "step": 1}, at=START + 3 * DAY, about=True)
    after = stage.one(START + 3 * DAY + HOUR)
    assert (after.state, after.step) == ("due", 2)


def test_an_email_of_unknown_fate_is_sent_again_only_because_a_person_asks() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.mailed(1, at=START + HOUR, state="unknown")
    episode = stage.one(START + DAY)
    stage.decide("dunning.resend", {"episode_id": episode.id, "step": 1}, at=START + DAY, name="again", about=True)
    due = stage.one(START + DAY)
    assert (due.state, due.step, due.attempt) == ("due", 1, "again")
    stage.mailed(1, at=START + DAY, attempt="again")
    assert (stage.one(START + DAY).state, stage.one(START + DAY).step) == ("waiting", 2)


def test_switching_sending_off_holds_what_is_open() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.sending", {"mode": "off"}, at=START + HOUR)
    assert stage.one(START + 2 * HOUR).reason == "sending_off"


@pytest.mark.parametrize(
    ("entries", "captured"),
    [((), True), (("@example.com",), False), (("ADA@example.com",), False), (("@other.example",), True)],
)
def test_test_mode_mails_only_the_allow_list(entries: tuple[str, ...], captured: bool) -> None:
    stage = Stage.armed(livemode=False)
    stage.fail()
    stage.decide("dunning.allow_list", {"entries": entries}, at=START - DAY)
    assert is_captured(stage.state(), stage.image, stage.one(START + HOUR)) is captured


def recorded(amount: int, email: str, **more: object) -> dict[str, object]:
    return {"user_id": "u_1", "amount": amount, "currency": "eur", "email": email, **more}


def of_the_user(stage: Stage) -> tuple[SubjectState, tuple[Episode, ...]]:
    facts = Facts(workspace_id="ws_1", user_id="u_1")
    return SubjectState("ws_1/u_1", facts), episodes_of("ws_1/u_1", facts, stage.image, START + HOUR)


@pytest.mark.parametrize(
    ("mode", "entries", "captured"),
    [({"livemode": False}, (), True), ({"livemode": False}, ("@example.com",), False), ({}, (), False)],
)
def test_a_failure_recorded_by_hand_in_test_mode_mails_only_the_allow_list(
    mode: dict[str, object], entries: tuple[str, ...], captured: bool
) -> None:
    stage = Stage.armed()
    stage.decide("dunning.allow_list", {"entries": entries}, at=START - DAY)
    stage.decide("dunning.recorded", recorded(1500, "eve@example.com", **mode), at=START)
    state, (episode,) = of_the_user(stage)
    assert episode.livemode is bool(mode.get("livemode", True))
    assert is_captured(state, stage.image, episode) is captured


def test_failures_recorded_in_test_and_in_live_mode_share_no_email_and_no_address() -> None:
    stage = Stage.armed()
    stage.decide("dunning.recorded", recorded(1500, "eve@example.com"), at=START, name="live")
    stage.decide("dunning.recorded", recorded(99, "me@acme.example", livemode=False), at=START, name="test")
    state, episodes = of_the_user(stage)
    told = {
        episode.livemode: (episode.totals(), letter_of(state.facts, stage.image, episode, START + HOUR))
        for episode in episodes
    }
    assert {mode: totals for mode, (totals, _) in told.items()} == {True: {"eur": 1500}, False: {"eur": 99}}
    recipients = {mode: found.recipient for mode, (_, found) in told.items() if found is not None}
    assert recipients == {True: "eve@example.com", False: "me@acme.example"}


def test_shadow_mode_runs_everything_and_sends_nothing() -> None:
    stage = Stage.armed()
    stage.decide("dunning.sending", {"mode": "shadow"}, at=START - DAY)
    stage.fail()
    assert stage.one(START + HOUR).state == "due"
    assert is_captured(stage.state(), stage.image, stage.one(START + HOUR))
    stage.mailed(1, at=START + HOUR, state="captured")
    assert stage.one(START + 3 * DAY).step == 2
