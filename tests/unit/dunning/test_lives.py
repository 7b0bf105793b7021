"""How episodes begin and end: by themselves or as proposals, stopped, exhausted, and begun anew."""

from datetime import timedelta

import pytest

from tests.unit.dunning.build import (
    DAY,
    HOUR,
    START,
    Stage,
    charge,
    customer,
    invoice,
    seconds,
    subscription,
)


def test_an_episode_stopped_by_hand_stays_stopped_whatever_its_invoice_does() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.stop", at=START + HOUR, about=True)
    stage.see(charge("ch_2", at=START + 3 * DAY), at=START + 3 * DAY)
    stage.see(invoice(attempt_count=2), at=START + 3 * DAY)
    episode = stage.one(START + 4 * DAY)
    assert (episode.state, episode.reason) == ("closed", "stopped")


def test_a_new_invoice_after_a_stop_opens_a_new_episode() -> None:
    stage = Stage.armed()
    stage.fail()
    stage.decide("dunning.stop", at=START + HOUR, about=True)
    stage.fail("in_2", at=START + 10 * DAY)
    assert [one.state for one in stage.episodes(START + 10 * DAY + HOUR)] == ["closed", "due"]


def exhausted() -> Stage:
    stage = Stage.armed()
    stage.fail()
    for step, day in enumerate((0, 3, 7), start=1):
        stage.mailed(step, at=START + day * DAY + HOUR)
    return stage


def test_an_exhausted_episode_stays_so_when_its_invoice_fails_again() -> None:
    stage = exhausted()
    stage.see(invoice(attempt_count=5), at=START + 9 * DAY)
    assert stage.one(START + 10 * DAY).state == "exhausted"


def test_a_new_invoice_after_exhaustion_opens_a_new_episode() -> None:
    stage = exhausted()
    stage.fail("in_2", at=START + 20 * DAY)
    assert [one.state for one in stage.episodes(START + 20 * DAY + HOUR)] == ["exhausted", "due"]


@pytest.mark.parametrize(("days", "state"), [(29, "recovered"), (31, "exhausted")])
def test_money_counts_as_recovered_for_thirty_days_after_the_last_email(days: int, state: str) -> None:
    stage = exhausted()
    stage.pay(at=START + 7 * DAY + HOUR + timedelta(days=days))
    assert stage.one(START + 60 * DAY).state == state


def test_what_was_found_at_connect_is_proposed_and_never_mailed_whatever_its_retries_do() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    stage.see(charge("ch_2", at=START + 3 * DAY), at=START + 3 * DAY)
    stage.see(invoice(attempt_count=2), at=START + 3 * DAY, change="updated")
    assert stage.one(START + 30 * DAY).state == "proposed"


def test_an_invoice_already_overdue_at_connect_is_proposed() -> None:
    stage = Stage.armed()
    sent = invoice(collection_method="send_invoice", attempted=False, due_date=seconds(START - 5 * DAY))
    stage.see(sent, at=START, change="backfilled")
    assert stage.one(START + DAY).state == "proposed"


def test_an_invoice_that_falls_due_after_connect_starts_by_itself() -> None:
    stage = Stage.armed()
    sent = invoice(collection_method="send_invoice", attempted=False, due_date=seconds(START + DAY))
    stage.see(sent, at=START, change="backfilled")
    assert stage.one(START + DAY + HOUR).state == "due"


def test_what_failed_before_arming_stays_a_proposal() -> None:
    stage = Stage()
    stage.see(customer(), at=START)
    stage.see(subscription(), at=START)
    stage.fail()
    stage.decide("dunning.sender", {"address": "b@acme.example", "passed": True}, at=START + DAY)
    stage.decide("dunning.sending", {"mode": "on"}, at=START + DAY)
    assert stage.one(START + 2 * DAY).state == "proposed"


def test_a_sender_that_did_not_pass_its_test_arms_nothing() -> None:
    stage = Stage()
    stage.decide("dunning.sender", {"address": "b@acme.example"}, at=START - DAY)
    stage.decide("dunning.sending", {"mode": "on"}, at=START - DAY)
    stage.see(customer(), at=START)
    stage.fail()
    assert stage.one(START + DAY).state == "proposed"


def test_a_proposal_that_is_started_counts_its_days_from_then() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    proposed = stage.one(START + 20 * DAY)
    stage.decide("dunning.start", at=START + 20 * DAY, about=True)
    episode = stage.one(START + 20 * DAY + HOUR)
    assert (episode.id, episode.state, episode.step) == (proposed.id, "due", 1)
    stage.mailed(1, at=START + 20 * DAY + HOUR)
    assert stage.one(START + 21 * DAY).due_at == START + 23 * DAY


def test_a_proposal_that_is_skipped_is_closed() -> None:
    stage = Stage.armed()
    stage.fail(change="backfilled")
    stage.decide("dunning.skip", at=START + DAY, about=True)
    assert (stage.one(START + 2 * DAY).state, stage.one(START + 2 * DAY).reason) == ("closed", "skipped")


def test_a_new_failure_starts_by_itself_beside_a_proposal() -> None:
    stage = Stage.armed()
    stage.fail("in_1", change="backfilled")
    stage.fail("in_2", at=START + DAY)
    assert [one.state for one in stage.episodes(START + DAY + HOUR)] == ["proposed", "due"]
