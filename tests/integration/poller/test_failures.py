"""What goes wrong is said on the card, in words, and loses nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.poller.kinds import Kind
from simulator.api.keys import FIVE_READS
from simulator.app import ServerSettings
from tests.integration.poller.running import Account, RunningPoller, account

FAST = 3000.0
READ_KINDS: tuple[Kind, ...] = ("customer", "subscription", "invoice", "charge", "payment_intent")


@pytest.mark.parametrize(
    ("name", "says"),
    [("revoked", "does not accept the key"), ("expired", "expired"), ("publishable", "publishable key")],
)
def test_a_key_that_does_not_work_is_refused_with_its_reason(
    stripe_account: Account, poller: RunningPoller, name: str, says: str
) -> None:
    connection_id = poller.connect(stripe_account.key(name))
    status = poller.wait(connection_id, "refused", seconds=10)
    assert says in status["reason"]
    assert status["remedy"]
    assert stripe_account.stats["reads"] <= 1
    assert poller.records() == []
    assert stripe_account.key(name) not in f"{status}{poller.log}"


def test_the_key_of_another_vault_is_said_and_not_tried(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    poller.rows("UPDATE control.connections SET sealed_key = sealed_key || '\\x00'::bytea")
    poller.until("it is said", lambda: "cannot be opened" in str(poller.status(connection_id).get("reason")))


def test_a_secret_key_works_and_is_answered_with_a_warning(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key("secret"))
    status = poller.wait(connection_id, "live")
    assert any("restricted key" in warning for warning in status["warnings"])


def test_a_missing_permission_is_named_and_the_rest_is_read(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key("no_charges"))
    status = poller.wait(connection_id, "live")
    assert status["permissions"]["charge"] == "missing"
    assert any("“Charges: Read”" in warning for warning in status["warnings"])
    kinds = {record.kind for record in poller.records()}
    assert "charge" not in kinds
    assert {"customer", "subscription", "invoice"} <= kinds


def test_a_key_that_may_read_one_list_still_reads_that(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key("customers_only"))
    status = poller.wait(connection_id, "live")
    assert status["customers_counted"] == len(stripe_account.listing("customer"))
    assert {record.kind for record in poller.records()} == {"customer"}


def test_an_address_where_nothing_answers_is_named(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key(), base="http://127.0.0.1:9/nowhere")
    poller.until(
        "the address is named", lambda: "http://127.0.0.1:9/nowhere" in str(poller.status(connection_id).get("reason"))
    )
    status = poller.status(connection_id)
    assert (status["state"], "STRIPE_API_BASE" in status["remedy"]) == ("validating", True)


def test_a_live_key_is_not_sent_in_the_clear(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key("live"), base="http://stripe.example")
    status = poller.wait(connection_id, "refused", seconds=10)
    assert "https://" in status["reason"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [("html", "web page"), ("half", "the middle"), ("hang", "in time"), ("500", "fault"), ("429", "slow down")],
)
def test_a_server_that_misbehaves_is_said_and_read_when_it_is_well_again(
    stripe_account: Account, poller: RunningPoller, kind: str, says: str
) -> None:
    stripe_account.fail(faults=[{"kind": kind}])
    connection_id = poller.connect(stripe_account.key())
    poller.until("it is said", lambda: says in str(poller.status(connection_id).get("reason")))
    assert poller.records() == []
    stripe_account.fail()
    status = poller.wait(connection_id, "live")
    assert (status["reason"], status["last_error"]) == (None, None)


def test_faults_in_the_first_minute_lose_nothing_and_repeat_nothing(
    stripe_account: Account, poller: RunningPoller
) -> None:
    faults = [{"kind": kind, "path": "/v1/", "times": 3} for kind in ("503", "half", "429", "500", "html", "lock")]
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "first_minute", "syncing", "live")
    stripe_account.fail(faults=faults)
    poller.wait(connection_id, "live")
    published = [record.envelope.object_id for record in poller.records()]
    assert len(published) == len(set(published))
    assert stripe_account.listing("invoice").keys() <= set(published)


def test_a_revoked_key_stops_a_live_connection_within_a_poll(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    stripe_account.simulator.keys.named("full").state = "revoked"
    poller.run_time(FAST)
    status = poller.wait(connection_id, "stopped")
    assert "does not accept the key" in status["reason"]
    reads = stripe_account.stats["reads"]
    poller.rows("SELECT pg_sleep(1)")
    assert stripe_account.stats["reads"] == reads


def test_a_permission_that_is_withdrawn_degrades_its_list_and_the_rest_goes_on(
    stripe_account: Account, poller: RunningPoller
) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    key = stripe_account.simulator.keys.named("full")
    key.permissions = FIVE_READS - {"charge_read"}
    stripe_account.advance(24 * 3600)
    poller.run_time(FAST)
    poller.until(
        "it is said",
        lambda: any("“Charges: Read”" in said for said in poller.status(connection_id)["warnings"]),
        seconds=90,
    )
    status = poller.status(connection_id)
    assert (status["state"], status["permissions"]["charge"]) == ("live", "missing")
    until = poller.ticks(connection_id) + 5
    poller.until("it polls on", lambda: poller.ticks(connection_id) >= until)


def test_a_new_key_of_the_same_account_continues_the_connection(stripe_account: Account, poller: RunningPoller) -> None:
    first = poller.connect(stripe_account.key())
    poller.wait(first, "live")
    before = len(poller.records())
    second = poller.connect(stripe_account.key("disputes"))
    poller.wait(second, "stopped")
    assert poller.rows("SELECT state, adopted_by FROM control.connections WHERE connection_id = %s", second) == [
        ("retired", first)
    ]
    poller.until(
        "the new key is used", lambda: poller.status(first)["permissions"].get("dispute") == "granted", seconds=20
    )
    poller.wait(first, "live")
    assert {record.envelope.connection_id for record in poller.records()} == {first}
    assert len(poller.records()) == before


def other_servers() -> dict[str, dict[str, Any]]:
    return {
        "a path before /v1": {"settings": ServerSettings(prefix="/prefix/deeper")},
        "compact answers": {"settings": ServerSettings(pretty=False)},
    }


@pytest.fixture(params=other_servers())
def other_account(request: pytest.FixtureRequest) -> Iterator[Account]:
    yield from account(customers=40, **other_servers()[request.param])


def test_other_servers_are_read_as_well(
    other_account: Account, database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    poller = RunningPoller.prepare(
        admin_url=database_url,
        kafka_bootstrap=kafka_bootstrap,
        prefix=topic_prefix,
        base=other_account.address,
        folder=tmp_path,
    )
    poller.start()
    connection_id = poller.connect(other_account.key())
    poller.wait(connection_id, "live")
    assert_complete(other_account, poller, connection_id)
    poller.stop()


@pytest.mark.parametrize(
    "lacking",
    [
        {"search": "missing"},
        {"search": "forbidden"},
        {"refuse_expand": ["data.payments", "data.payment_intent", "data.latest_invoice", "data.customer"]},
        {"refuse_expand": ["data.discounts"]},
    ],
)
def test_a_server_that_lacks_search_or_an_expansion_is_read_by_its_lists(
    stripe_account: Account, poller: RunningPoller, lacking: dict[str, Any]
) -> None:
    stripe_account.fail(**lacking)
    connection_id = poller.connect(stripe_account.key())
    status = poller.wait(connection_id, "live")
    stripe_account.fail()
    published = [record.envelope.object_id for record in poller.records()]
    assert len(published) == len(set(published))
    for kind in READ_KINDS:
        assert stripe_account.listing(kind).keys() <= set(published)
    assert len(status["warnings"]) >= 2


def assert_complete(stripe_account: Account, poller: RunningPoller, connection_id: str) -> None:
    held = poller.fingerprints(connection_id)
    for kind in READ_KINDS:
        listed = stripe_account.listing(kind)
        assert {object_id: found.fingerprint for object_id, found in listed.items()} == held[kind]
