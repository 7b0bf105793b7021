"""Emails through a real Kafka, a real PostgreSQL and a real SMTP conversation."""

from datetime import timedelta

from tests.integration.dunning.service import Dunning
from tests.unit.dunning.build import DAY, HOUR, START

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
