"""A fresh read of a customer: asked for on a topic, answered on another, its raw records before the answer."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.log import record_of
from schemas.catalogue import RAW_TOPICS, STRIPE_REFRESH_RESULT, dead_letter_topic
from schemas.envelope import parse_envelope
from services.dunning.decoding import decode
from services.dunning.facts import Facts, Observed, merge
from services.dunning.protocol import FRESH
from tests.integration.poller.asking import NO_POLLS, Asking
from tests.integration.poller.running import Account, Published, RunningPoller, latest, read_topic, version_of


def newest_versions(records: list[Published]) -> dict[str, int]:
    return {object_id: version_of(record) for object_id, record in latest(records).items()}


def test_what_did_not_change_is_answered_with_the_versions_of_its_last_records(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    before = stopped_poller.records()
    customer, invoice = asking.customer, asking.invoice
    asked_at = datetime.now(UTC)
    answer = asking.answered(asking.ask(customer, invoice))

    assert (answer.outcome, answer.reason) == ("unchanged", None)
    assert asked_at <= answer.read_at <= datetime.now(UTC)
    assert {customer, invoice} <= answer.versions.keys()
    published = newest_versions(before)
    assert answer.versions == {object_id: published[object_id] for object_id in answer.versions}
    assert len(stopped_poller.records()) == len(before)
    assert asking.purposes()["refresh"] == 2, "one list of subscriptions, one of open invoices"
    assert stopped_poller.rows("SELECT count(*) FROM poller.refreshes") == [(0,)]


def test_what_changed_is_in_the_log_before_the_answer_names_its_version(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    asking.act("void", invoice=invoice)
    answer = asking.answered(asking.ask(customer, invoice))

    assert answer.outcome == "changed"
    published = latest(stopped_poller.records())
    assert version_of(published[invoice]) == answer.versions[invoice]
    assert published[invoice].envelope.extra["change"] == "updated"
    assert b'"void"' in published[invoice].value
    assert published[invoice].envelope.subject == f"{asking.connection_id}/{customer}"


def test_who_waits_for_the_answer_finds_every_version_that_it_names(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    asking.act("pay_out_of_band", invoice=invoice)
    asking.answered(asking.ask(customer, invoice))

    facts = Facts()
    for topic in (*RAW_TOPICS.values(), STRIPE_REFRESH_RESULT):
        for raw in read_topic(stopped_poller.broker, topic):
            record = record_of(raw, topic.name)
            if record.subject != f"{asking.connection_id}/{customer}":
                continue
            observed = decode(record)
            assert isinstance(observed, Observed)
            facts = merge(facts, observed)
    refresh = facts.refresh
    assert refresh is not None
    assert datetime.now(UTC) - refresh.read_at < FRESH
    assert {object_id: facts.versions.get(object_id) for object_id in refresh.versions} == refresh.versions


def test_a_deleted_customer_is_answered_as_deleted_and_published(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    asking.act("delete_customer", customer=customer)
    answer = asking.answered(asking.ask(customer, invoice))
    assert answer.outcome == "deleted"
    published = latest(stopped_poller.records())
    assert published[customer].envelope.extra["change"] == "deleted"
    assert customer in answer.versions
    assert answer.versions == {object_id: version_of(published[object_id]) for object_id in answer.versions}


def test_a_revoked_key_is_answered_at_once_and_so_is_who_asks_later(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    stripe_account.simulator.keys.named("full").state = "revoked"
    first = asking.answered(asking.ask(customer, invoice))
    assert first.outcome == "unreadable"
    assert "does not accept the key" in (first.reason or "")
    stopped_poller.wait(asking.connection_id, "stopped")
    reads = stripe_account.stats["reads"]
    second = asking.answered(asking.ask(customer, invoice))
    assert second.outcome == "unreadable"
    assert "stopped" in (second.reason or "")
    assert stripe_account.stats["reads"] == reads


def test_nobody_who_asks_is_left_without_an_answer(stripe_account: Account, stopped_poller: RunningPoller) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    reads = stripe_account.stats["reads"]
    unknown = asking.ask(customer, invoice, to="con_nowhere")
    foreign = asking.ask(customer, invoice, workspace_id="ws_other")
    old = asking.ask(customer, invoice, at=datetime.now(UTC) - timedelta(hours=2))
    nobody = asking.ask("cus_nobody")
    assert "no such connection" in (asking.answered(unknown).reason or "")
    assert "no such connection" in (asking.answered(foreign).reason or "")
    assert "120 minutes old" in (asking.answered(old).reason or "")
    assert stripe_account.stats["reads"] <= reads + 2
    assert "does not know" in (asking.answered(nobody).reason or "")
    assert {answer.outcome for answer in asking.answers()} == {"unreadable"}
    by_request = {str(a.request_id): r for a, r in zip(asking.answers(), asking.answer_records(), strict=True)}
    assert parse_envelope(by_request[foreign].headers).workspace_id == "ws_other"


def test_a_server_that_does_not_answer_is_said(stripe_account: Account, stopped_poller: RunningPoller) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    stripe_account.fail(faults=[{"kind": "500"}])
    answer = asking.answered(asking.ask(customer, invoice))
    assert answer.outcome == "unreadable"
    assert "has a fault" in (answer.reason or "")
    stripe_account.fail()
    stopped_poller.until(
        "it is read again", lambda: asking.answered(asking.ask(customer, invoice)).outcome == "unchanged"
    )


def test_what_is_no_request_is_a_dead_letter_and_holds_nobody_up(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    asking.ask("cus_1/../../v1/charges")
    customer, invoice = asking.customer, asking.invoice
    assert asking.answered(asking.ask(customer, invoice)).outcome == "unchanged"
    letters = dead_letter_topic("poller")
    stopped_poller.until("the dead letter is there", lambda: len(read_topic(stopped_poller.broker, letters)) == 1)


@pytest.mark.parametrize(
    "where", ["poller_after_publish", "poller_before_answer", "poller_before_commit", "relay_after_send"]
)
def test_a_poller_that_is_killed_answers_when_it_is_back(
    stripe_account: Account, stopped_poller: RunningPoller, where: str
) -> None:
    asking = Asking.live(stripe_account, stopped_poller)
    customer, invoice = asking.customer, asking.invoice
    asking.act("void", invoice=invoice)
    stopped_poller.stop()
    killed = stopped_poller.start(DROPFIX_FAILPOINTS=f"{where}=kill", **NO_POLLS)
    request_id = asking.ask(customer, invoice)
    assert killed.wait(60) == -signal.SIGKILL, stopped_poller.log

    stopped_poller.start(**NO_POLLS)
    answer = asking.answered(request_id)
    assert answer.outcome == "changed"
    ids = {r.envelope.id for r in stopped_poller.records() if r.envelope.object_id == invoice}
    assert len(ids) == 2, "the open invoice and the void one, however often"
    assert newest_versions(stopped_poller.records())[invoice] == answer.versions[invoice]
    again = [r for r in asking.answer_records() if parse_envelope(r.headers).id]
    assert len({parse_envelope(r.headers).id for r in again}) == 1
    assert len({r.value for r in again}) == 1, "an answer that is published twice says the same"
