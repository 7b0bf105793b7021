"""Emails through a real Kafka, a real PostgreSQL and a real SMTP conversation."""

from datetime import timedelta

from schemas.catalogue import dead_letter_topic
from tests.integration.dunning.service import Dunning
from tests.unit.dunning.build import DAY, HOUR, START, decision

FIRST = START + HOUR + timedelta(minutes=1)


def test_three_emails_go_at_their_days_and_then_no_more(dunning: Dunning) -> None:
    dunning.start()
    dunning.fail()
    subjects = []
    for count, day in enumerate((0, 3, 7), start=1):
        dunning.set_clock(FIRST + day * DAY)
        subjects = [subject for _, subject in dunning.until_mails(count)]
    assert subjects == [
        "Your payment to Acme Analytics did not go through",
        "Still unpaid: $49.00 to Acme Analytics",
        "Last reminder: $49.00 to Acme Analytics",
    ]
    dunning.set_clock(FIRST + 20 * DAY)
    dunning.settle()
    assert dunning.episode() == ("exhausted", None, 3)
    assert dunning.events() == ["opened", *["email_due", "email_sent"] * 3, "exhausted"]
    assert len(dunning.mails()) == 3


def test_no_email_goes_once_the_money_came_back(dunning: Dunning) -> None:
    dunning.start()
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.until_mails(1)
    dunning.pay(at=START + 2 * DAY)
    dunning.set_clock(FIRST + 8 * DAY)
    dunning.settle()
    assert dunning.episode() == ("recovered", "paid", 1)
    assert len(dunning.mails()) == 1
    rows = dunning.rows("SELECT after_step, at_stake, recovered, recovery_rate FROM analytics.dunning_recovery")
    assert rows == [(1, 4900, 4900, 1)]


def test_what_was_found_at_connect_is_proposed_and_nobody_is_mailed(dunning: Dunning) -> None:
    dunning.start()
    dunning.fail(change="backfilled")
    for day in (0, 3, 7, 20):
        dunning.set_clock(FIRST + day * DAY)
        dunning.settle()
    assert dunning.episode() == ("proposed", None, 0)
    assert (dunning.events(), dunning.mails(), dunning.ledger()) == (["proposed"], [], [])
    dunning.decide("dunning.start", at=FIRST + 20 * DAY)
    dunning.set_clock(FIRST + 20 * DAY + HOUR)
    dunning.until_mails(1)


def test_test_mode_mails_the_allow_list_and_captures_everything_else(dunning: Dunning) -> None:
    dunning.start()
    dunning.fail(livemode=False)
    dunning.set_clock(FIRST)
    dunning.until("it is captured", lambda: [row[2] for row in dunning.ledger()] == ["captured"])
    shown = "SELECT state, body_text FROM analytics.dunning_emails"
    dunning.until("its record was read back", lambda: [row[0] for row in dunning.rows(shown)] == ["captured"])
    ((_, text),) = dunning.rows(shown)
    assert "$49.00" in text
    assert dunning.mails() == []
    dunning.decide("dunning.allow_list", {"entries": ["@example.com"]}, at=FIRST)
    dunning.settle()
    dunning.set_clock(FIRST + 3 * DAY)
    assert dunning.until_mails(1) == [("ada@example.com", "Still unpaid: $49.00 to Acme Analytics")]


def test_a_failure_recorded_by_hand_is_mailed_and_ends_when_it_is_settled(dunning: Dunning) -> None:
    dunning.start()
    recorded = {"user_id": "u_1", "amount": 1500, "currency": "eur", "email": "eve@example.com", "name": "Eve"}
    dunning.produce([decision("dunning.recorded", recorded, at=START, name="dec_1")])
    dunning.set_clock(FIRST)
    assert dunning.until_mails(1) == [("eve@example.com", "Your payment to Acme Analytics is open")]
    dunning.produce([decision("dunning.settled", {"user_id": "u_1"}, at=START + DAY)])
    dunning.set_clock(FIRST + 8 * DAY)
    dunning.settle()
    assert dunning.episode() == ("recovered", "paid", 1)
    assert len(dunning.mails()) == 1


def test_a_poisoned_decision_goes_to_the_dead_letters_and_the_rest_goes_on(dunning: Dunning) -> None:
    dunning.start()
    dunning.produce([decision("dunning.policy", {"days": [5, 1]}, at=START)])
    dunning.fail()
    dunning.set_clock(FIRST)
    dunning.until_mails(1)
    (letter,) = dunning.published(dead_letter_topic("dunning"))
    assert b"rising order" in dict(letter.headers)["dlq_reason"]


def test_every_column_of_every_view_says_what_it_means(dunning: Dunning) -> None:
    bare = dunning.rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'analytics'::regnamespace AND left(c.relname, 7) = 'dunning'"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert bare == []
