"""A rebuild uses decisions as the live service did, and makes the same persons and matches."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipeline.records import Record
from schemas.catalogue import IDENTITY_MATCH
from tests.accounts import CONNECTION, WORKSPACE
from tests.crowd import crowd, customer, user
from tests.decided import decision_record
from tests.fixtures.counting import eventually
from tests.integration.rebuild.conftest import NOW, Account, Rebuilt
from tests.integration.rebuild.test_rebuild import unequal

RunService = Callable[[str], Rebuilt]


def decisions(account: Account) -> list[Record]:
    """Some of which reach a service only when what they concern is long decided."""
    seen = NOW - timedelta(days=60)
    return [
        decision_record("workspace.settings", {"timezone": "Asia/Tokyo"}, at=seen, workspace=WORKSPACE),
        decision_record("signals.thresholds", {"history_days": 85}, at=seen - timedelta(hours=1), workspace=WORKSPACE),
        decision_record(
            "connection.ended", {}, at=seen + timedelta(days=2), workspace=WORKSPACE, connection=CONNECTION
        ),
    ]


@pytest.mark.parametrize("name", ["mrr", "detector"])
def test_decisions_that_came_late_give_the_same_tables_as_when_they_are_read_first(
    run_service: RunService, account: Account, name: str
) -> None:
    service = run_service(name)
    service.consumer.produce(account.observer.look())
    account.pass_time(4)
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    service.consumer.produce(decisions(account))
    service.consumer.settle()
    counted = {"mrr": "movements WHERE kind = 'source'", "detector": "signals WHERE resolution = 'disconnected'"}
    assert service.consumer.rows(f"SELECT count(*) > 3 FROM {counted[name]}") == [(True,)]
    with service.rebuild.alone():
        service.rebuild.make()
        service.rebuild.catch_up()
        assert unequal(service.rebuild.verify()) == []


def test_who_is_whom_is_the_same_after_a_rebuild_and_goes_on_under_new_revisions(run_service: RunService) -> None:
    service = run_service("detector")
    service.consumer.produce(crowd(6, 250))
    service.consumer.settle()
    with service.rebuild.alone():
        service.rebuild.make()
        service.rebuild.catch_up()
        assert unequal(service.rebuild.verify()) == []
        service.rebuild.swap()
    service.consumer.produce(crowd(7, 250))
    service.consumer.settle()
    told = service.consumer.published(IDENTITY_MATCH)
    assert len({record.key for record in told}) == len(told)
    assert service.consumer.rows("SELECT sum(revision) FROM matches") == [(len(told),)]


def test_a_match_that_follows_and_was_never_published_is_published_after_a_swap_as_a_correction(
    run_service: RunService,
) -> None:
    service = run_service("detector")
    service.consumer.produce([customer("cus_1", 1, email="a@example.com"), user("u_1", 2, email="a@example.com")])
    service.consumer.settle()
    rows = "SELECT state, revision FROM matches"
    assert service.consumer.rows("DELETE FROM matches RETURNING user_id") == [("u_1",)]
    told = service.dropfix("rebuild", "detector", "--swap", "--as-correction", "--json")
    assert told.returncode == 0, told.stderr
    assert {table["table"]: table["different"] for table in json.loads(told.stdout)["tables"]}["matches"] == 1
    eventually("it is decided again", lambda: service.consumer.rows(rows) == [("matched", 1)])
    service.consumer.settle()
    assert len(service.consumer.published(IDENTITY_MATCH)) == 2
