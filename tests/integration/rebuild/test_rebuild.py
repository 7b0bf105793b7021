"""Tables made anew from the topics while the service runs: equal to the live ones, and put in their place."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import msgspec
import psycopg
import pytest
import typer
from typer.testing import CliRunner

from cli.commands.rebuild import add_to
from cli.errors import CHECK_FAILED, USAGE, CommandError
from pipeline.rebuild.compare import TableResult
from pipeline.records import Record
from runtime.migrations import migrate
from schemas.catalogue import CHURN_SIGNAL, MRR_MOVEMENT
from services.detector.core import SubjectState
from services.detector.store import decode_state, encode_state
from tests.fixtures.counting import eventually
from tests.integration.rebuild.conftest import Account, Rebuilt

RunService = Callable[[str], Rebuilt]

app = typer.Typer()
add_to(app)


@contextmanager
def under_load(service: Rebuilt, account: Account) -> Iterator[list[Record]]:
    """Records go on arriving; at the end of the block the last of them are produced."""
    sent: list[Record] = []
    ended = False

    def load() -> None:
        for step in range(200):
            account.pass_time(0.25)
            records = account.observer.look()
            service.consumer.produce(records)
            sent.extend(records)
            if ended and step >= 20:
                return
            time.sleep(0.2)

    thread = Thread(target=load)
    thread.start()
    try:
        yield sent
    finally:
        ended = True
        thread.join()


def read_by(service: Rebuilt, records: list[Record]) -> int:
    topics = {topic.name for topic in service.plan.processor().inputs}
    return sum(record.topic in topics for record in records)


def unequal(results: tuple[TableResult, ...]) -> list[TableResult]:
    assert any(result.live_rows for result in results)
    return [result for result in results if result.different]


@pytest.mark.parametrize("name", ["mirror", "mrr", "detector"])
def test_a_rebuild_under_load_equals_the_live_tables_and_a_swap_loses_nothing_that_arrives_meanwhile(
    run_service: RunService, account: Account, name: str
) -> None:
    service, first = run_service(name), account.observer.look()
    service.consumer.produce(first)
    service.consumer.settle()
    with under_load(service, account) as sent, service.rebuild.alone():
        service.rebuild.make()
        service.rebuild.catch_up()
        assert unequal(service.rebuild.verify()) == []
        before = service.consumer.rows("SELECT sum(next_offset) FROM offsets")[0][0]
        service.rebuild.swap()
        assert service.consumer.rows(f"SELECT sum(next_offset) FROM {name}_old.offsets")[0][0] >= before
    service.consumer.settle()
    assert service.consumer.rows("SELECT sum(next_offset) FROM offsets") == [(read_by(service, [*first, *sent]),)]
    service.rebuild.make()
    service.rebuild.catch_up()
    assert unequal(service.rebuild.verify()) == []
    keys = [record.key for topic in (CHURN_SIGNAL, MRR_MOVEMENT) for record in service.consumer.published(topic)]
    assert len(set(keys)) == len(keys)
    assert service.consumer.stop() == 0, service.consumer.logs()


def test_a_row_that_was_changed_is_told_with_its_column_and_mended_by_a_swap_as_a_correction(
    run_service: RunService, account: Account
) -> None:
    service = run_service("mirror")
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    changed = _execute(
        service,
        "UPDATE customers SET email = 'x@y.z' WHERE customer_id = (SELECT min(customer_id)"
        " FROM customers) RETURNING customer_id",
    )
    told = service.dropfix("rebuild", "mirror", "--verify", "--json")
    assert told.returncode == CHECK_FAILED, told.stderr
    tables = {table["table"]: table for table in json.loads(told.stdout)["tables"]}
    assert tables["customers"]["different"] == 1
    assert tables["customers"]["equal"] == tables["customers"]["live_rows"] - 1
    assert tables["customers"]["first"][0]["live"]["email"] == "x@y.z"
    assert tables["invoices"]["different"] == 0
    refused = service.dropfix("rebuild", "mirror", "--resume", "--swap")
    assert refused.returncode == CHECK_FAILED
    assert f"customer_id {changed[0][0]}" in refused.stdout
    assert "email: live 'x@y.z'" in refused.stdout
    assert service.consumer.rows("SELECT count(*) FROM analytics.customers WHERE email = 'x@y.z'") == [(1,)]
    swapped = service.dropfix("rebuild", "mirror", "--resume", "--swap", "--as-correction")
    assert swapped.returncode == 0, swapped.stderr
    assert service.consumer.rows("SELECT count(*) FROM analytics.customers WHERE email = 'x@y.z'") == [(0,)]


def test_after_a_swap_readers_see_the_views_as_before_and_no_migration_is_left_to_do(
    run_service: RunService, account: Account
) -> None:
    service = run_service("mirror")
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    _execute(service, "GRANT SELECT ON analytics.customers TO pg_monitor")
    rights = (_RIGHTS, _COMMENTS, _SECURED)
    before = [service.consumer.rows(statement) for statement in rights]
    service.rebuild.make()
    service.rebuild.swap()
    assert [service.consumer.rows(statement) for statement in rights] == before
    assert ("customers", "pg_monitor", "SELECT") in before[0]
    assert service.consumer.rows("SELECT count(*) > 0 FROM analytics.customers") == [(True,)]
    assert migrate(service.consumer.database, [service.plan.schema]) == 0


def test_a_signal_that_follows_and_was_never_published_is_published_after_a_swap_as_a_correction(
    run_service: RunService, account: Account
) -> None:
    service = run_service("detector")
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    signal_id, subject, state = service.consumer.rows(
        "SELECT signal_id, subject, s.state FROM signals JOIN subjects s USING (subject)"
        " WHERE signals.state = 'open' ORDER BY 1 LIMIT 1"
    )[0]
    _execute(service, "UPDATE subjects SET state = %s WHERE subject = %s", _without(state, signal_id), subject)
    _execute(service, "DELETE FROM signals WHERE signal_id = %s", signal_id)
    told = service.dropfix("rebuild", "detector", "--swap", "--as-correction", "--json")
    assert told.returncode == 0, told.stderr
    assert sum(table["different"] for table in json.loads(told.stdout)["tables"]) == 1
    standing = "SELECT count(*) FROM analytics.signals WHERE signal_id = %s AND state = 'open'"
    eventually("the service has decided it again", lambda: service.consumer.rows(standing, signal_id) == [(1,)])
    service.consumer.settle()
    opened = [json.loads(record.value) for record in service.consumer.published(CHURN_SIGNAL)]
    assert [event["state"] for event in opened if event["signal_id"] == signal_id] == ["opened", "opened"]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("mrr", "--swap", "--as-correction"), "not swapped in as a correction"),
        (("mirror", "--as-correction"), "add --swap"),
        (("console",), "mirror, mrr, detector"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(arguments: tuple[str, ...], answer: str) -> None:
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, CommandError)
    assert refused.exception.code == USAGE
    assert answer in f"{refused.exception} {refused.exception.remedy}"


_RIGHTS = (
    "SELECT c.relname, a.grantee::regrole::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
    " WHERE c.relnamespace IN ('mirror'::regnamespace, 'analytics'::regnamespace) AND a.grantee <> c.relowner"
    " ORDER BY 1, 2, 3"
)
_COMMENTS = (
    "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0"
    " ORDER BY 1, 2"
)
_SECURED = (
    "SELECT tablename, tableowner, rowsecurity, policyname FROM pg_tables"
    " LEFT JOIN pg_policies USING (schemaname, tablename)"
    " WHERE schemaname = 'mirror' ORDER BY 1, 4"
)


def _without(state: bytes, signal_id: str) -> bytes:
    """A subject of whom that signal was never published."""
    was: SubjectState = decode_state(state)
    return encode_state(msgspec.structs.replace(was, signals={k: v for k, v in was.signals.items() if k != signal_id}))


def _execute(service: Rebuilt, statement: str, *values: object) -> list[tuple[Any, ...]]:
    options = f"-c search_path={service.plan.live}"
    with psycopg.connect(service.consumer.database, options=options) as conn:
        cursor = conn.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
