"""From a key to every object of the account in the topics: once, byte for byte, and through a kill."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest
from psycopg import sql
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.catalogue import STRIPE_API_CALL
from schemas.events.stripe import ApiCall
from schemas.ids import raw_id
from schemas.partition import partition_of
from services.poller.kinds import Kind
from simulator.company.customers import delete
from simulator.company.world import World
from tests.integration.poller.running import Account, RunningPoller, account, content, latest, read_topic, version_of

READ_KINDS: tuple[Kind, ...] = ("customer", "subscription", "invoice", "charge", "payment_intent")


def test_every_object_is_published_exactly_once_and_byte_for_byte(
    stripe_account: Account, poller: RunningPoller
) -> None:
    connection_id = poller.connect(stripe_account.key())
    status = poller.wait(connection_id, "live")
    records = poller.records()

    assert set(Counter(record.envelope.object_id for record in records).values()) == {1}
    published = {record.envelope.object_id: record for record in records}
    for kind in READ_KINDS:
        listed = stripe_account.listing(kind)
        assert listed.keys() <= published.keys()
        for object_id, found in listed.items():
            assert published[object_id].kind == kind
            assert published[object_id].envelope.id == raw_id(
                connection_id=connection_id, object_id=object_id, fingerprint=found.fingerprint, previous_id=""
            )
    sent = b"\x00".join(stripe_account.recorder.bodies)
    assert [record.envelope.object_id for record in records if record.value not in sent] == []

    assert status["customers_counted"] == len(stripe_account.listing("customer"))
    assert status["progress"]["percent"] == 100
    assert status["account_id"] == stripe_account.simulator.company.ids.account
    assert status["permissions"]["dispute"] == "missing"


def test_a_record_says_whose_it_is_and_lies_where_its_subject_belongs(
    stripe_account: Account, poller: RunningPoller
) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    for record in poller.records():
        found, envelope = content(record), record.envelope
        customer = found["id"] if record.kind == "customer" else found["customer"]
        assert isinstance(customer, str) or record.kind in {"subscription", "charge"}
        owner = customer if isinstance(customer, str) else customer["id"]
        assert envelope.subject == f"{connection_id}/{owner}"
        assert record.key == f"{envelope.subject}#{found['id']}@{version_of(record)}"
        assert record.partition == partition_of(envelope.subject, 8)
        assert (envelope.workspace_id, envelope.connection_id) == ("ws_1", connection_id)
        assert envelope.extra["change"] == ("deleted" if found.get("deleted") else "backfilled")
        assert envelope.extra["livemode"] == "false"


@pytest.mark.parametrize("where", ["poller_after_publish", "poller_before_commit", "poller_after_commit"])
def test_a_poller_that_is_killed_goes_on_where_it_was(
    stripe_account: Account, stopped_poller: RunningPoller, where: str
) -> None:
    killed = stopped_poller.start(DROPFIX_FAILPOINTS=f"{where}=kill@6")
    connection_id = stopped_poller.connect(stripe_account.key())
    assert killed.wait(60) == -9, stopped_poller.log
    progress = stopped_poller.status(connection_id)["progress"]
    committed = stopped_poller.rows("SELECT count(*) FROM poller.shards WHERE done")[0][0]
    assert committed > 0

    stopped_poller.start()
    status = stopped_poller.wait(connection_id, "live")
    assert status["progress"]["percent"] >= progress.get("percent", 0)
    records = stopped_poller.records()
    ids: dict[str, set[str]] = {}
    for record in records:
        ids.setdefault(record.envelope.object_id, set()).add(record.envelope.id)
    assert all(len(of_object) == 1 for of_object in ids.values()), "a repeat came under another id"
    present = stopped_poller.fingerprints(connection_id)
    for kind in READ_KINDS:
        listed = stripe_account.listing(kind)
        assert {object_id: found.fingerprint for object_id, found in listed.items()} == present[kind]
    after = latest(records)
    for _, object_id, version in stopped_poller.rows("SELECT kind, object_id, version FROM poller.objects"):
        assert version_of(after[object_id]) >= version


def test_what_was_read_before_a_kill_is_not_read_again_and_progress_goes_on(
    stripe_account: Account, stopped_poller: RunningPoller
) -> None:
    killed = stopped_poller.start(DROPFIX_FAILPOINTS="poller_after_commit=kill@8")
    connection_id = stopped_poller.connect(stripe_account.key())
    assert killed.wait(60) == -9, stopped_poller.log
    percent = stopped_poller.status(connection_id)["progress"].get("percent", 0)
    done = {name for (name,) in stopped_poller.rows("SELECT task FROM poller.shards WHERE done")}
    httpx.delete(f"{stripe_account.address}/_stats").raise_for_status()

    stopped_poller.start()
    shown: list[int] = []
    while stopped_poller.status(connection_id)["state"] != "live":
        shown.append(stopped_poller.status(connection_id)["progress"].get("percent", 0))
        stopped_poller.rows("SELECT pg_sleep(0.02)")
    asked = stripe_account.stats["by_operation"]
    for name in done & {"customers", "charges", "payment_intents"}:
        assert asked.get(f"{name}.list", 0) <= 1, "the key is probed again, the list is not read again"
    assert shown == sorted(shown)
    assert min(shown, default=percent) >= percent


class Meddler:
    """Deletes the customer that a page of the list ends with, just after the page was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.world: World | None = None
        self.deleted: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            parts.append(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, keep)
        if self.world is not None and scope["path"] == "/v1/customers" and b"limit=100" in scope["query_string"]:
            page = json.loads(b"".join(parts))
            if page["has_more"] and len(self.deleted) < 3:
                self._delete(self.world, page["data"][-1]["email"], page["data"][-1]["id"])

    def _delete(self, world: World, email: str, name: str) -> None:
        delete(
            world, next(world.customers[at] for at in range(len(world.customers)) if world.customers[at].email == email)
        )
        self.deleted.append(name)


def test_a_page_that_changes_under_paging_loses_nothing(
    database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    meddlers: list[Meddler] = []

    def meddle(app: ASGIApp) -> ASGIApp:
        meddlers.append(Meddler(app))
        return meddlers[-1]

    for meddled in account(customers=420, wrap=meddle):
        poller = RunningPoller.prepare(
            admin_url=database_url,
            kafka_bootstrap=kafka_bootstrap,
            prefix=topic_prefix,
            base=meddled.address,
            folder=tmp_path,
        )
        meddlers[0].world = meddled.simulator.company.world
        poller.start()
        connection_id = poller.connect(meddled.key())
        poller.wait(connection_id, "live")
        poller.stop()
        meddlers[0].world = None
        assert meddlers[0].deleted
        held = poller.fingerprints(connection_id)["customer"]
        assert meddled.listing("customer").keys() <= held.keys()


def test_every_request_is_on_the_topic_and_in_the_view(stripe_account: Account, poller: RunningPoller) -> None:
    connection_id = poller.connect(stripe_account.key())
    poller.wait(connection_id, "live")
    poller.stop()
    made = [ApiCall.model_validate_json(record.value) for record in read_topic(poller.broker, STRIPE_API_CALL)]
    rows = poller.rows("SELECT call_id::text, endpoint, status FROM analytics.api_calls ORDER BY called_at")
    stats = stripe_account.stats
    assert len(made) == stats["reads"]
    assert {(call.call_id, call.endpoint, call.status) for call in made} == set(rows)
    assert stats["rate_limit_violations"] == {} or not any(stats["rate_limit_violations"].values())
    assert stats["refused_methods"] == {}
    counted = poller.rows("SELECT sum(lists + focused + others) FROM poller.read_days")[0][0]
    assert counted == stats["reads"]
    assert stripe_account.key() not in poller.log


def test_a_key_in_no_table_topic_or_log(stripe_account: Account, poller: RunningPoller) -> None:
    key = stripe_account.key()
    poller.wait(poller.connect(key), "live")
    poller.stop()
    tables = [name for (name,) in poller.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'poller'")]
    assert {"connections", "connection_status", "objects", "api_calls"} <= set(tables)
    for name in tables:
        table = sql.Identifier("poller", name)
        written = str(poller.rows(sql.SQL("SELECT t::text FROM {} AS t").format(table)))
        assert key not in written
    assert key not in poller.log
    assert all(key.encode() not in record.value for record in poller.records())
