"""What people decided, as signals go by it: how far back they open, and the end of their connection."""

import msgspec
import pytest

from services.detector import core
from services.detector.core import DISCONNECTED, findings
from services.detector.facts import Facts
from services.detector.in_force import MICROSECONDS, InForce
from services.detector.rules.base import Policy
from tests.unit.detector.builders import DAY, HOUR, NOW, Subject, charge, ended, invoice, subscription

OPENED = NOW - 3 * DAY + HOUR
"""When the failed attempt of the builders was made."""


def disconnected(at: int) -> Policy:
    return Policy(disconnected_at=at)


def steps(subject: Subject, policy: Policy, now: int) -> list[str]:
    outcome = core.decide(subject.state, policy, now)
    subject.state = outcome.state
    return [f"{one.signal.finding.code} {one.step}" for one in outcome.publications]


def test_a_disconnect_resolves_what_is_open_and_says_so() -> None:
    subject = Subject().observe(invoice(), charge())
    assert steps(subject, Policy(), NOW) == ["payment_failed opened"]
    assert steps(subject, disconnected(NOW + HOUR), NOW + HOUR) == ["payment_failed resolved"]
    (signal,) = subject.state.signals.values()
    assert (signal.finding.resolved_at, signal.finding.resolution) == (NOW + HOUR, DISCONNECTED)
    assert signal.finding.sentence.endswith("disconnected on 21 September 2026; what became of it is not known.")


def test_what_was_over_before_stays_as_it_ended() -> None:
    subject = Subject().observe(ended("paid", NOW - DAY), charge())
    (finding,) = findings(subject.state, disconnected(NOW), NOW)
    assert (finding.resolved_at, finding.resolution) == (NOW - DAY, "paid")


def test_what_ended_only_after_it_was_disconnected_ended_with_it() -> None:
    subject = Subject().observe(ended("paid", NOW - HOUR), charge())
    (finding,) = findings(subject.state, disconnected(NOW - DAY), NOW)
    assert (finding.resolved_at, finding.resolution) == (NOW - DAY, DISCONNECTED)


def test_nothing_opens_after_it() -> None:
    lapsed = subscription(status="canceled", ended_at=NOW - HOUR, cancellation_details={"reason": "payment_failed"})
    subject = Subject().observe(invoice(), charge(), lapsed)
    assert [one.code for one in findings(subject.state, disconnected(NOW - DAY), NOW)] == ["payment_failed"]


def test_a_disconnect_that_lies_ahead_is_waited_for() -> None:
    subject = Subject().observe(invoice(), charge())
    outcome = core.decide(subject.state, disconnected(NOW + HOUR), NOW)
    assert [one.step for one in outcome.publications] == ["opened"]
    assert outcome.timers[DISCONNECTED] == NOW + HOUR
    assert DISCONNECTED not in core.decide(outcome.state, disconnected(NOW + HOUR), NOW + HOUR).timers


@pytest.mark.parametrize("known_late", [True, False])
def test_it_does_not_matter_when_it_is_learned_of(known_late: bool) -> None:
    subject = Subject().observe(invoice(), charge())
    steps(subject, Policy() if known_late else disconnected(NOW - DAY), NOW)
    steps(subject, disconnected(NOW - DAY), NOW + HOUR)
    (signal,) = subject.state.signals.values()
    assert (signal.state, signal.finding.resolved_at) == ("resolved", NOW - DAY)


def first_seen(at: int) -> Facts:
    return msgspec.structs.replace(Facts(), first_seen=at * MICROSECONDS)


def test_how_far_back_signals_open_goes_by_what_was_in_force_at_the_first_observation() -> None:
    in_force = InForce(histories=((NOW * MICROSECONDS, 60), ((NOW + DAY) * MICROSECONDS, 10)))
    assert in_force.policy(first_seen(NOW - 1), NOW + 9 * DAY).history_days == Policy().history_days
    assert in_force.policy(first_seen(NOW), NOW + 9 * DAY).history_days == 60
    assert in_force.policy(first_seen(NOW + DAY), NOW + 9 * DAY).history_days == 10


def test_a_longer_history_opens_what_is_older() -> None:
    old = NOW - 40 * DAY
    subject = Subject().observe(invoice(created=old), charge(created=old + HOUR))
    assert findings(subject.state, Policy(), NOW) == []
    (finding,) = findings(subject.state, Policy(history_days=60), NOW)
    assert finding.opened_at == old + HOUR
