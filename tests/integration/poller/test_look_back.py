"""What was asked of Stripe, and what became of one object, as the command line tells it."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from services.poller.commands import commands
from tests.integration.poller.asking import Asking
from tests.integration.poller.running import Account, RunningPoller, latest


def run(poller: RunningPoller, *arguments: str, code: int = 0) -> str:
    environment = {
        "DATABASE_URL": poller.admin_url,
        "KAFKA_BOOTSTRAP_SERVERS": poller.broker.bootstrap_servers,
        "DROPFIX_TOPIC_PREFIX": poller.broker.prefix,
    }
    result = CliRunner().invoke(commands, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def asking(stripe_account: Account, stopped_poller: RunningPoller) -> Asking:
    """A connection that has read an open invoice, and then, asked afresh, that it is void."""
    found = Asking.live(stripe_account, stopped_poller)
    found.act("void", invoice=found.invoice)
    found.answered(found.ask(found.customer, found.invoice))
    return found


def test_an_object_is_explained_by_its_records_and_the_requests_that_saw_it(
    asking: Asking, stopped_poller: RunningPoller
) -> None:
    def explained() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run(stopped_poller, "explain", asking.invoice, "--json"))
        return found

    # The audit is written a moment after the request.
    stopped_poller.until("the request is audited", lambda: len(explained()[0]["calls"]) == 2)
    (history,) = explained()
    assert (history["kind"], history["status"]) == ("invoice", "void")
    first, second = history["steps"]
    assert (first["change"], second["change"]) == ("backfilled", "updated")
    record = latest(stopped_poller.records())[asking.invoice]
    assert (second["partition"], second["offset"], second["id"]) == (
        record.partition,
        record.offset,
        record.envelope.id,
    )
    assert {"path": "status", "before": "open", "after": "void"} in second["changes"]
    call = history["calls"][second["call_id"]]
    assert (call["purpose"], call["status"], call["request_id"][:4]) == ("refresh", 200, "req_")
    assert history["calls"][first["call_id"]]["purpose"] == "first_minute"
    assert history["last_seen"]["request_id"] == call["request_id"]

    told = run(stopped_poller, "explain", asking.invoice)
    assert "status: open → void" in told
    assert call["request_id"] in told
    assert f"stripe.invoice.raw.v1/{record.partition}/{record.offset}" in told


def test_what_nobody_has_seen_is_said(asking: Asking, stopped_poller: RunningPoller) -> None:
    assert run(stopped_poller, "explain", "in_nowhere", code=3) == ""


def test_requests_are_shown_as_stripes_own_log_shows_them(asking: Asking, stopped_poller: RunningPoller) -> None:
    def shown(*options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run(stopped_poller, "calls", "--json", "--limit", "1000", *options))
        return found

    stopped_poller.until("all are audited", lambda: len(shown("--purpose", "refresh")) == 2)
    everything = shown()
    assert len(everything) == len(shown("--connection", asking.connection_id)) > 3
    assert [each["called_at"] for each in everything] == sorted((e["called_at"] for e in everything), reverse=True)
    (refused,) = [each for each in shown("--failed") if each["endpoint"] == "/v1/account"]
    assert refused["status"] == 403
    newest = everything[0]
    assert shown("--request", newest["request_id"]) == [newest]
    assert f"GET {newest['endpoint']}" in run(stopped_poller, "calls")


def test_instants_are_in_utc_whatever_the_time_zone_of_the_database(
    asking: Asking, stopped_poller: RunningPoller
) -> None:
    name = urlsplit(stopped_poller.admin_url).path.strip("/")
    stopped_poller.rows(SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(Identifier(name)))
    (request,) = json.loads(run(stopped_poller, "calls", "--json", "--limit", "1"))
    assert request["called_at"].endswith("+00:00")
