"""At most once: whatever dies, and whatever the mail server does."""

from datetime import timedelta

import pytest

from services.dunning.armoury import arm_database
from tests.integration.dunning.service import Dunning, SmtpServer
from tests.unit.dunning.build import DAY, HOUR, START

FIRST = START + HOUR + timedelta(minutes=1)


@pytest.mark.parametrize("place", ["mail_announced", "mail_claimed"])
def test_killed_before_data_it_sends_once_after_the_restart(dunning: Dunning, place: str) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start(failpoints=f"{place}=kill")
    dunning.wait_for_end()
    assert dunning.mails() == []
    dunning.start()
    dunning.until_mails(1)
    assert [state for _, _, state, _, _ in dunning.ledger()] == ["sent"]


@pytest.mark.parametrize(("place", "arrived"), [("mail_data_started", 0), ("mail_replied", 1)])
def test_killed_after_data_had_begun_it_is_unknown_and_never_sent_again(
    dunning: Dunning, place: str, arrived: int
) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start(failpoints=f"{place}=kill")
    dunning.wait_for_end()
    dunning.start()
    dunning.until("a person is to look at it", lambda: dunning.episode()[:2] == ("held", "needs_review"))
    dunning.set_clock(FIRST + 8 * DAY)
    dunning.settle()
    assert dunning.events() == ["opened", "email_due", "email_unknown", "held"]
    assert len(dunning.mails()) == arrived


def test_an_unknown_email_is_sent_again_only_when_a_person_asks(dunning: Dunning) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start(failpoints="mail_data_started=kill")
    dunning.wait_for_end()
    dunning.start()
    dunning.until("a person is to look at it", lambda: dunning.episode()[1] == "needs_review")
    ((episode_id,),) = dunning.rows("SELECT episode_id FROM episodes")
    dunning.decide("dunning.resend", {"episode_id": episode_id, "step": 1}, at=FIRST, name="again")
    dunning.until_mails(1)
    assert [(step, attempt, state) for step, attempt, state, _, _ in dunning.ledger()] == [
        (1, "", "unknown"),
        (1, "again", "sent"),
    ]


def test_a_worker_that_froze_before_data_finds_that_another_has_sent(dunning: Dunning) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start(failpoints="mail_claimed=freeze:12")
    dunning.until("it is claimed", lambda: [row[2] for row in dunning.ledger()] == ["sending"])
    dunning.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1")
    other = dunning.another()
    try:
        dunning.until_mails(1)
        dunning.until("the first one woke up", dunning.woke, seconds=60)
        dunning.settle()
        assert len(dunning.mails()) == 1
    finally:
        other.close()


def test_a_server_that_refuses_for_now_is_asked_again(dunning: Dunning, smtp_server: SmtpServer) -> None:
    smtp_server.replies = ["451 greylisted"]
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("it was refused for now", lambda: [row[2] for row in dunning.ledger()] == ["waiting"])
    dunning.execute("UPDATE dunning_io.mails SET not_before = now()")
    dunning.until("it went", lambda: [(row[2], row[3]) for row in dunning.ledger()] == [("sent", 2)])
    assert len(smtp_server.taken) == 1


def test_an_address_that_is_refused_for_good_is_held(dunning: Dunning, smtp_server: SmtpServer) -> None:
    smtp_server.replies = ["550 no such user"]
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("the episode is held", lambda: dunning.episode()[:2] == ("held", "refused"))
    assert dunning.events() == ["opened", "email_due", "email_failed", "held"]
    assert smtp_server.taken == []


def test_a_connection_cut_after_data_leaves_it_unknown(dunning: Dunning, smtp_server: SmtpServer) -> None:
    smtp_server.replies = ["cut"]
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("a person is to look at it", lambda: dunning.episode()[1] == "needs_review")
    dunning.set_clock(FIRST + 8 * DAY)
    dunning.settle()
    assert [row[2] for row in dunning.ledger()] == ["unknown"]
    assert len(smtp_server.conversations) == 1


def test_without_an_answer_to_its_request_nothing_goes(dunning: Dunning) -> None:
    dunning.poller.silent = True
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("a fresh read was asked for", lambda: dunning.waits_for() == "a fresh read was asked for")
    assert dunning.mails() == []
    assert dunning.ledger() == []


@pytest.mark.parametrize("outcome", ["unreadable", "deleted"])
def test_a_customer_that_cannot_be_read_is_not_mailed(dunning: Dunning, outcome: str) -> None:
    dunning.poller.outcome = outcome
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("the read failed", lambda: (dunning.waits_for() or "").startswith("the fresh read failed"))
    assert dunning.mails() == []


def test_what_the_read_found_arrives_before_the_email_goes(dunning: Dunning) -> None:
    version = dunning.fail()
    dunning.poller.outcome, dunning.poller.versions = "changed", {"in_1": version + 1}
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until("it waits for the version", lambda: "in_1" in (dunning.waits_for() or ""))
    assert dunning.pay(at=FIRST) == version + 1
    dunning.until("the episode is over", lambda: dunning.episode()[0] == "recovered")
    assert dunning.mails() == []


def test_a_cloned_database_sends_nothing_until_it_is_armed(dunning: Dunning) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until_mails(1)
    dunning.execute("UPDATE dunning_io.arming SET database_oid = database_oid + 1")
    dunning.set_clock(FIRST + 3 * DAY)
    dunning.until("it says so", lambda: "dropfix dunning arm" in (dunning.waits_for() or ""))
    dunning.settle()
    assert (len(dunning.mails()), len(dunning.poller.answered)) == (1, 1)
    assert arm_database(dunning.database, dunning.kafka, prefix=dunning.prefix, by="a test") is None
    dunning.until_mails(2)


def test_arming_needs_the_log_to_be_read_to_its_end(dunning: Dunning) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until_mails(1)
    assert dunning.stop() == 0
    dunning.execute("UPDATE offsets SET next_offset = 0 WHERE topic = 'dunning.event.v1'")
    reason = arm_database(dunning.database, dunning.kafka, prefix=dunning.prefix, by="a test", seconds=1)
    assert "are not read yet" in (reason or "")


def test_an_email_in_the_log_that_the_ledger_does_not_know_disarms(dunning: Dunning) -> None:
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.start()
    dunning.until_mails(1)
    assert dunning.stop() == 0
    dunning.execute("DELETE FROM dunning_io.mails", "DELETE FROM emails", "DELETE FROM subjects", "DELETE FROM timers")
    dunning.execute("UPDATE offsets SET next_offset = 0, last_ce_id = NULL", "DELETE FROM locks")
    dunning.start()
    dunning.settle()
    ((reason,),) = dunning.rows("SELECT reason FROM dunning_io.arming WHERE disarmed_at IS NOT NULL")
    assert "not in this database's ledger" in reason
    dunning.set_clock(FIRST + 3 * DAY)
    dunning.until("it says so", lambda: "dropfix dunning arm" in (dunning.waits_for() or ""))
    assert len(dunning.mails()) == 1
