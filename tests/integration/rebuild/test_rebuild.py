"""Tables made anew from the topics while the service runs: equal to the live ones, and put in their place."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
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
from pipeline.replay import replay
from runtime.database import Database
from runtime.migrations import migrate
from schemas.catalogue import CHURN_SIGNAL, MRR_MOVEMENT, STRIPE_SUBSCRIPTION_RAW
from schemas.events.mrr_policy import DiscountPolicy
from services.detector.core import SubjectState
from services.detector.store import decode_state, encode_state
from services.mrr.policy import Policy
from services.mrr.processor import mrr
from tests.fixtures.counting import eventually
from tests.integration.rebuild.conftest import NOW, Account, Rebuilt

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
    events = [json.loads(record.value) for record in service.consumer.published(CHURN_SIGNAL)]
    states = [event["state"] for event in events if event["signal_id"] == signal_id]
    assert states[-1] == "opened"
    assert states.count("opened") == 2  # what was observed of it at first may have updated it meanwhile


def test_what_mrr_reported_stays_and_the_difference_is_told_as_corrections_after_a_swap(
    make_service: RunService, account: Account
) -> None:
    service = make_service("mrr")
    consumer, broker = service.consumer, service.rebuild.broker
    consumer.produce(account.observer.look())
    live = Database(url=consumer.database, schema="mrr", application="earlier")
    replay(mrr(_EARLIER), shadow=live, broker=broker, now=lambda: NOW)
    movements = "SELECT movement_id, kind, mrr_before, mrr_after, observed_at, policy_version FROM movements ORDER BY 1"
    by_customer = "SELECT connection_id, customer_id, currency, mrr FROM balances WHERE mrr > 0 ORDER BY 1, 2, 3"
    consumer.start()
    consumer.settle()
    reported, earlier, published = consumer.rows(movements), consumer.rows(by_customer), _movements(service)
    refused = service.dropfix("rebuild", "mrr", "--swap")
    assert refused.returncode == CHECK_FAILED
    swapped = service.dropfix("rebuild", "mrr", "--resume", "--swap", "--as-correction")
    assert swapped.returncode == 0, swapped.stderr
    consumer.settle()

    rows = consumer.rows(movements)
    assert set(reported) < set(rows)
    added = [row for row in rows if row not in set(reported)]
    assert {row[1] for row in added} >= {"correction", "new"}
    assert {(row[4], row[5]) for row in added} == {(NOW, "stripe/1")}
    assert _movements(service) - published == {str(row[0]) for row in added}
    now = consumer.rows(by_customer)
    assert now != earlier
    assert consumer.rows(_BY_LEDGER) == now
    assert consumer.rows(_OF_THE_LAST_DAY) == consumer.rows(_BY_CURRENCY)
    service.rebuild.make()
    service.rebuild.catch_up()
    assert unequal(service.rebuild.verify()) == []


def test_days_that_are_not_what_the_ledger_adds_up_to_are_told_and_mended(
    run_service: RunService, account: Account
) -> None:
    service = run_service("mrr")
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    sums = "SELECT sum(new), sum(churn), count(*) FROM days"
    before = service.consumer.rows(sums)
    _execute(service, "UPDATE days SET churn = churn - 7 WHERE ctid = (SELECT min(ctid) FROM days)")
    told = service.dropfix("rebuild", "mrr", "--swap", "--json")
    assert told.returncode == CHECK_FAILED, told.stderr
    different = {table["table"]: table["different"] for table in json.loads(told.stdout)["tables"]}
    assert {table: count for table, count in different.items() if count} == {"days": 1}
    mended = service.dropfix("rebuild", "mrr", "--resume", "--swap", "--as-correction")
    assert mended.returncode == 0, mended.stderr
    assert service.consumer.rows(sums) == before
    account.pass_time(20)
    service.consumer.produce(account.observer.look())
    service.consumer.settle()
    assert service.consumer.rows(_OF_THE_LAST_DAY) == service.consumer.rows(_BY_CURRENCY)


def test_a_comparison_from_the_topics_is_the_one_from_the_facts_that_are_kept(
    make_service: RunService, account: Account, tmp_path: Path
) -> None:
    service, first = make_service("mrr"), account.observer.look()
    whole = next(one for one in first if one.topic == STRIPE_SUBSCRIPTION_RAW.name)
    service.consumer.produce([replace(one, value=b"{") if one is whole else one for one in first])
    account.pass_time(30)
    service.consumer.produce(account.observer.look())
    service.consumer.start()
    service.consumer.settle()
    (letter,) = json.loads(service.dlq("list", "mrr", "--json").stdout)
    (tmp_path / "mended").write_bytes(whole.value or b"")
    assert service.dlq("replay", "mrr", letter["place"], "--mended", str(tmp_path / "mended")).exit_code == 0
    waiting = "SELECT next_offset FROM offsets WHERE topic = 'mrr.retry.v1' AND next_offset > 0"
    eventually("the letter is applied", lambda: service.consumer.rows(waiting) == [(1,)])
    both = [service.dropfix("mrr", "compare", "--to", "profitwell", "--json", *more) for more in ((), ("--from-log",))]
    assert [one.returncode for one in both] == [0, 0], both[1].stderr
    kept, again = (json.loads(one.stdout) for one in both)
    assert kept == again
    assert any(month["difference"] for month in kept["months"])


_EARLIER = Policy(version="earlier/1", week_factor="4.33", discounts=DiscountPolicy(forever=False))
"""What the code that wrote the tables took for MRR."""


def _movements(service: Rebuilt) -> set[str]:
    """The ids of what was published."""
    return {json.loads(record.value)["movement_id"] for record in service.consumer.published(MRR_MOVEMENT)}


_BY_LEDGER = (
    "SELECT connection_id, customer_id, currency, sum(mrr_after - mrr_before)::bigint FROM movements"
    " GROUP BY 1, 2, 3 HAVING sum(mrr_after - mrr_before) > 0 ORDER BY 1, 2, 3"
)
_BY_CURRENCY = "SELECT currency, sum(mrr)::bigint FROM balances GROUP BY 1 ORDER BY 1"
_OF_THE_LAST_DAY = (
    "SELECT DISTINCT ON (currency) currency, mrr_end FROM analytics.mrr_daily ORDER BY currency, day DESC"
)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
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
