"""Test emails of a sender: a decision asks for one, the mail server is really talked to, and the outcome is shown."""

from datetime import timedelta

import pytest

from schemas.catalogue import STRIPE_REFRESH_REQUEST
from tests.integration.dunning.service import Dunning, SmtpServer
from tests.unit.dunning.build import DAY, HOUR, START, decision

NOW = START - 10 * DAY
SHOWN = "SELECT decision_id, state, sender, recipient, reply FROM analytics.dunning_sender_tests ORDER BY decision_id"


def ask(dunning: Dunning, name: str = "dec_test", *, to: str = "founder@acme.example") -> None:
    """Somebody asks for a test email; time stands at NOW."""
    dunning.produce([decision("dunning.test_send", {"to": to}, at=NOW, name=name)])


def until_settled(dunning: Dunning, *states: str) -> None:
    dunning.until(f"the tests are {states}", lambda: [row[1] for row in dunning.rows(SHOWN)] == list(states))


def test_a_test_email_goes_to_whom_it_was_asked_for_and_looks_like_the_others(dunning: Dunning) -> None:
    ask(dunning)
    dunning.start()
    until_settled(dunning, "sent")
    assert dunning.mails() == [("founder@acme.example", "Test email from Acme Analytics")]
    ((_, _, sender, recipient, reply),) = dunning.rows(SHOWN)
    assert (sender, recipient) == ("billing@acme.example", "founder@acme.example")
    assert reply.startswith("250")


def test_an_email_is_tried_in_the_words_that_the_workspace_gave_it(dunning: Dunning) -> None:
    words = {"subject": "{company} waits for {total}", "body": "Dear customer, {what} is open.", "button": "Pay now"}
    email = {"variant": "retry", "tone": "reminder"}
    dunning.produce([decision("dunning.text", {**email, "text": words}, at=NOW, name="dec_words")])
    dunning.produce([decision("dunning.test_send", {"to": "founder@acme.example", **email}, at=NOW, name="dec_test")])
    dunning.start()
    until_settled(dunning, "sent")
    assert dunning.mails() == [("founder@acme.example", "[Test] Acme Analytics waits for $49.00")]


def test_each_decision_is_mailed_once_also_after_a_restart(dunning: Dunning) -> None:
    ask(dunning)
    dunning.start()
    until_settled(dunning, "sent")
    assert dunning.stop() == 0
    dunning.start()
    ask(dunning, "dec_test_2")
    until_settled(dunning, "sent", "sent")
    assert len(dunning.mails()) == 2


def test_what_the_server_refuses_is_told_and_not_tried_again(dunning: Dunning, smtp_server: SmtpServer) -> None:
    smtp_server.replies = ["550 no such mailbox"]
    ask(dunning)
    dunning.start()
    until_settled(dunning, "failed")
    dunning.settle()
    assert len(smtp_server.conversations) == 1
    assert "no such mailbox" in dunning.rows(SHOWN)[0][4]


def test_one_that_may_have_arrived_is_unknown(dunning: Dunning, smtp_server: SmtpServer) -> None:
    smtp_server.replies = ["cut"]
    ask(dunning)
    dunning.start()
    until_settled(dunning, "unknown")
    assert smtp_server.taken == []


def test_killed_meanwhile_it_is_unknown_and_not_sent_by_the_restart(dunning: Dunning) -> None:
    ask(dunning)
    dunning.start(failpoints="test_email_claimed=kill")
    dunning.wait_for_end()
    dunning.start()
    until_settled(dunning, "unknown")
    dunning.settle()
    assert dunning.mails() == []


def test_one_that_was_asked_for_long_ago_is_not_sent(dunning: Dunning) -> None:
    ask(dunning)
    dunning.set_clock(NOW + DAY)
    dunning.start()
    until_settled(dunning, "failed")
    assert "too long ago" in dunning.rows(SHOWN)[0][4]
    assert dunning.mails() == []


def test_without_a_mail_server_it_says_so_and_no_fresh_read_is_asked_for(
    dunning: Dunning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMTP_URL")
    dunning.start()
    ask(dunning)
    until_settled(dunning, "failed")
    assert "set SMTP_URL" in dunning.rows(SHOWN)[0][4]
    dunning.fail()
    dunning.set_clock(START + HOUR + timedelta(minutes=1))
    dunning.until("the email waits", lambda: "SMTP_URL" in (dunning.waits_for() or ""))
    assert dunning.published(STRIPE_REFRESH_REQUEST) == []
