"""A connection that is live: what happens in the account is in the topics within the bounds of its tier."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.poller.kinds import Kind
from services.poller.reading.pages import ReadObject
from tests.integration.poller.running import Account, RunningPoller, account, content, latest

READ_KINDS: tuple[Kind, ...] = ("customer", "subscription", "invoice", "charge", "payment_intent")
HOUR = 3600
FAST = 3000.0
"""Simulated seconds in a second: a poll is always due, so polls follow one another."""


def is_given_back(charge: ReadObject) -> bool:
    """Nothing shows a refund, nor, to a key without that permission, a dispute: the documents say so."""
    found = json.loads(charge.raw)
    return bool(found["amount_refunded"] or found["disputed"])


def differences(stripe_account: Account, poller: RunningPoller, connection_id: str) -> dict[str, list[str]]:
    """Objects that the poller holds in another state than the account is in, by kind."""
    held = poller.fingerprints(connection_id)
    found: dict[str, list[str]] = {}
    for kind in READ_KINDS:
        seen = stripe_account.listing(kind)
        listed = {object_id: read.fingerprint for object_id, read in seen.items()}
        ids = listed.keys() | (held[kind].keys() if kind == "customer" else set())
        ids -= {object_id for object_id, read in seen.items() if kind == "charge" and is_given_back(read)}
        if wrong := [object_id for object_id in ids if listed.get(object_id) != held[kind].get(object_id)]:
            found[kind] = wrong
    return found


def live_on(stripe_account: Account, poller: RunningPoller, connection_id: str, *, hours: int, polls: int) -> None:
    """Let the account live for some hours, and the poller look so many times."""
    stripe_account.advance(hours * HOUR)
    until = poller.ticks(connection_id) + polls
    poller.until("the polls are made", lambda: poller.ticks(connection_id) >= until, seconds=180)


def check_topics(stripe_account: Account, poller: RunningPoller) -> None:
    """The latest record of every object is its present state, and no record repeats the state before it."""
    newest = latest(poller.records())
    for kind in READ_KINDS:
        for object_id, read in stripe_account.listing(kind).items():
            assert newest[object_id].kind == kind
            found = content(newest[object_id])
            assert found["id"] == object_id
            assert found.get("status") == read.facts.status
    ids = [record.envelope.id for record in poller.records()]
    assert len(ids) == len(set(ids))


def test_a_small_account_is_followed_with_one_list_call_a_poll(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    poller.run_time(FAST)
    for _ in range(3):
        live_on(stripe_account, poller, connection_id, hours=7, polls=3)
        missed = differences(stripe_account, poller, connection_id)
        assert "subscription" not in missed
    # What the one page does not show comes twice a day.
    poller.until("everything is seen", lambda: not differences(stripe_account, poller, connection_id), seconds=120)
    poller.stop()
    check_topics(stripe_account, poller)
    calls, ticks = poller.calls(), poller.ticks(connection_id)
    assert calls["whole"] <= ticks
    assert calls["hot"] == calls["slot"] == calls["sweep"] == 0
    assert poller.status(connection_id)["calls_last_poll"] <= 1


@pytest.fixture
def larger_account() -> Iterator[Account]:
    """Over a hundred subscriptions, and enough transactions for four calls a poll."""
    yield from account(customers=260, days=45)


@pytest.fixture
def larger(
    larger_account: Account, database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> Iterator[RunningPoller]:
    poller = RunningPoller.prepare(
        admin_url=database_url,
        kafka_bootstrap=kafka_bootstrap,
        prefix=topic_prefix,
        base=larger_account.address,
        folder=tmp_path,
    )
    poller.start()
    yield poller
    poller.stop()


def test_an_ordinary_account_is_followed_with_four_list_calls_a_poll(
    larger_account: Account, larger: RunningPoller
) -> None:
    connection_id = larger.connect(larger_account.key("disputes"))
    larger.wait(connection_id, "live")
    larger.run_time(FAST)
    for _ in range(2):
        # Two turns of the slot's cycle: more than the bound of everything but the sweep of customers.
        live_on(larger_account, larger, connection_id, hours=9, polls=24)
        missed = differences(larger_account, larger, connection_id)
        assert missed.keys() <= {"customer", "subscription", "payment_intent"}, missed
    larger.until("everything is seen", lambda: not differences(larger_account, larger, connection_id), seconds=120)
    larger.stop()
    check_topics(larger_account, larger)
    calls, ticks = larger.calls(), larger.ticks(connection_id)
    # Pages of a burst beside: nine hours of the account come at once here.
    assert calls["hot"] + calls["slot"] + calls["sweep"] <= 4 * ticks + 12
    assert larger_account.stats["refused_methods"] == {}


def test_a_poller_that_was_away_misses_nothing(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    poller.stop()
    stripe_account.advance(72 * HOUR)
    poller.run_time(FAST)
    poller.start()
    poller.until("everything is seen", lambda: not differences(stripe_account, poller, connection_id), seconds=150)
    poller.stop()
    check_topics(stripe_account, poller)


def test_disconnecting_stops_the_reading_at_once(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    poller.run_time(FAST)
    poller.until("it polls", lambda: poller.ticks(connection_id) > 3)
    poller.disconnect(connection_id)
    poller.wait(connection_id, "stopped")
    reads = stripe_account.stats["reads"]
    stripe_account.advance(HOUR)
    poller.until("time passes", lambda: poller.rows("SELECT pg_sleep(2)") != [])
    assert stripe_account.stats["reads"] == reads
    assert poller.status(connection_id)["reason"] == "Disconnected."


def test_disconnecting_in_the_first_minute_stops_it(stripe_account: Account, poller: RunningPoller) -> None:
    stripe_account.fail(latency_ms=200)
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "first_minute")
    poller.disconnect(connection_id)
    poller.wait(connection_id, "stopped", seconds=10)
    poller.rows("SELECT pg_sleep(1)")
    reads = stripe_account.stats["reads"]
    poller.rows("SELECT pg_sleep(2)")
    assert stripe_account.stats["reads"] == reads


def test_two_pollers_share_connections_and_never_work_one_together(
    stripe_account: Account, poller: RunningPoller
) -> None:
    poller.start()
    first = poller.connect(stripe_account.key())
    poller.wait(first, "live")
    poller.run_time(FAST)
    until = poller.ticks(first) + 10
    poller.until("polls are made", lambda: poller.ticks(first) >= until)
    stripe_account.advance(HOUR)
    poller.processes[0].kill()
    until = poller.ticks(first) + 5
    poller.until("the other goes on", lambda: poller.ticks(first) >= until)
    ids = [record.envelope.id for record in poller.records()]
    assert len(ids) == len(set(ids))
