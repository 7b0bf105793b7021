"""Whose key it is: one account is one connection, whether or not the server names the account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.poller.running import Account, RunningPoller, account

HOUR = 3600


@pytest.fixture
def nameless_account() -> Iterator[Account]:
    """A company on a server that has no page of the account, and no address that names it."""
    yield from account(nameless=True)


@pytest.fixture
def other_nameless_account() -> Iterator[Account]:
    yield from account(nameless=True, seed=6)


@pytest.fixture
def nameless(
    nameless_account: Account, database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> Iterator[RunningPoller]:
    """A poller that was given that server."""
    poller = RunningPoller.prepare(
        admin_url=database_url,
        kafka_bootstrap=kafka_bootstrap,
        prefix=topic_prefix,
        base=nameless_account.address,
        folder=tmp_path,
    )
    poller.start()
    yield poller
    poller.stop()


def retired(poller: RunningPoller, connection_id: str) -> list[tuple[str, str | None]]:
    """(state, what it was handed to), as the console has it."""
    return poller.rows("SELECT state, adopted_by FROM control.connections WHERE connection_id = %s", connection_id)


def test_a_second_key_of_an_account_that_nobody_names_continues_its_connection(
    nameless_account: Account, nameless: RunningPoller
) -> None:
    first = nameless.connect(nameless_account.key())
    assert nameless.wait(first, "live")["account_id"] is None
    before = len(nameless.records())
    second = nameless.connect(nameless_account.key("disputes"))
    nameless.wait(second, "stopped")
    assert retired(nameless, second) == [("retired", first)]
    nameless.until("the new key is used", lambda: nameless.status(first)["permissions"].get("dispute") == "granted")
    nameless.wait(first, "live")
    assert len(nameless.records()) == before


def test_it_does_so_after_the_newest_objects_were_missed(nameless_account: Account, nameless: RunningPoller) -> None:
    first = nameless.connect(nameless_account.key())
    nameless.wait(first, "live")
    nameless.stop()
    nameless_account.advance(3 * 24 * HOUR)
    nameless.rows("UPDATE poller.connections SET phase = 'stopped' WHERE connection_id = %s", first)
    second = nameless.connect(nameless_account.key("disputes"))
    nameless.start()
    nameless.wait(second, "stopped")
    assert retired(nameless, second) == [("retired", first)]


def test_a_key_of_another_account_that_nobody_names_is_a_connection_that_says_what_it_may_be(
    nameless_account: Account, other_nameless_account: Account, nameless: RunningPoller
) -> None:
    first = nameless.connect(nameless_account.key())
    nameless.wait(first, "live")
    nameless.stop()
    nameless.start(STRIPE_API_BASE=other_nameless_account.address)
    second = nameless.connect(other_nameless_account.key())
    status = nameless.wait(second, "live")
    assert any("figures count twice" in warning for warning in status["warnings"])
    assert retired(nameless, second) == [("submitted", None)]


def test_two_keys_of_one_account_submitted_together_become_one_connection(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    submitted = [stopped_poller.connect(stripe_account.key(name)) for name in ("full", "disputes")]
    stopped_poller.start()
    stopped_poller.until(
        "one is live and one retired",
        lambda: sorted(str(stopped_poller.status(each).get("state")) for each in submitted) == ["live", "stopped"],
    )
    states = {retired(stopped_poller, each)[0][0] for each in submitted}
    assert sorted(states) == ["retired", "submitted"]
    assert len({record.envelope.connection_id for record in stopped_poller.records()}) == 1


def test_a_key_of_another_account_is_a_connection_of_its_own_and_says_so(
    stripe_account: Account, poller: RunningPoller
) -> None:
    first = poller.connect(stripe_account.key())
    poller.wait(first, "live")
    for other in account(seed=6):
        second = poller.connect(other.key(), base=other.address)
        status = poller.wait(second, "live")
        assert any("another account than" in warning for warning in status["warnings"])
        assert retired(poller, second) == [("submitted", None)]


def test_a_live_key_after_a_test_key_starts_a_clean_set_and_says_so(
    stripe_account: Account, poller: RunningPoller
) -> None:
    first = poller.connect(stripe_account.key())
    poller.wait(first, "live")
    second = poller.connect(stripe_account.key("live"))
    status = poller.wait(second, "live")
    assert status["livemode"] is True
    assert any("test ones are apart" in warning for warning in status["warnings"])
    published = {record.envelope.connection_id for record in poller.records()}
    assert published == {first, second}


def test_a_key_that_may_read_nothing_is_said_to_be_valid(stripe_account: Account, poller: RunningPoller) -> None:
    powerless = stripe_account.simulator.keys.mint("powerless", permissions=())
    status = poller.wait(poller.connect(powerless.secret), "refused")
    assert "is valid, but may read nothing" in status["reason"]
    assert "paste it again" in status["remedy"]
    assert set(status["permissions"].values()) == {"missing"}
