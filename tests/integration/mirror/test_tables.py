"""The mirror as a process, through a real Kafka into a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline.records import Record
from schemas.catalogue import RAW_TOPICS, dead_letter_topic
from services.mirror.observation import observe
from services.mirror.readers import TABLES
from services.mirror.schema import MIGRATIONS
from simulator.company import customers
from simulator.company.life import Growth
from simulator.founding import found
from tests.accounts import Observer
from tests.integration.consumers import Consumer

NOW = 1_790_000_000
DAY = 86_400
DEAD_LETTERS = dead_letter_topic("mirror")


@pytest.fixture
def mirror(kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    inputs = tuple(RAW_TOPICS.values())
    consumer = Consumer(MIGRATIONS, inputs, kafka_bootstrap, topic_prefix, database_url, tmp_path)
    consumer.prepare(now=datetime.fromtimestamp(NOW, UTC))
    yield consumer
    consumer.close()


def history(days: int = 4) -> tuple[list[Record], list[Record]]:
    """An account at its connection, and what changed of it since."""
    company = found(seed=5, now=NOW, growth=Growth(customers=120))
    observer = Observer(company)
    first, later = observer.look(), []
    for _ in range(days):
        company.world.advance(company.world.now + 3 * DAY)
        later += observer.look()
    company.world.act(customers.delete, company.world.customers[0])
    later += observer.look()
    return first, later


def replayed(records: list[Record]) -> dict[str, dict[str, dict[str, Any]]]:
    """By table and object id, what the tables should hold: the newest content, and whether the object is gone."""
    tables: dict[str, dict[str, dict[str, Any]]] = {table.name: {} for table in TABLES.values()}
    for record in records:
        one = observe(record)
        rows = tables[one.table.name]
        kept = rows.get(one.object_id, dict.fromkeys(one.table.columns))
        content = kept if one.content is None else dict(zip(one.table.columns, one.content, strict=True))
        rows[one.object_id] = {**content, "deleted": one.deleted, "version": one.version}
    return tables


def held(mirror: Consumer, table: str) -> dict[str, dict[str, Any]]:
    """The table as it is, times as Unix seconds and JSON as PostgreSQL's text."""
    spec = next(one for one in TABLES.values() if one.name == table)
    columns = [
        f"extract(epoch FROM {name})::bigint" if kind == "timestamptz" else f"{name}::text" if kind == "jsonb" else name
        for name, kind in spec.columns.items()
    ]
    names = (*spec.columns, "deleted", "version")
    rows = mirror.rows(f"SELECT {spec.key}, {', '.join(columns)}, deleted, version FROM {table}")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def as_postgres_writes(mirror: Consumer, tables: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Bring JSON into PostgreSQL's own spelling, so that texts can be compared."""
    for spec in TABLES.values():
        for name in (column for column, kind in spec.columns.items() if kind == "jsonb"):
            rows = [row for row in tables[spec.name].values() if row[name] is not None]
            spelled = mirror.rows(
                "SELECT value::jsonb::text FROM unnest(%s::text[]) AS t (value)", [r[name] for r in rows]
            )
            for row, (text,) in zip(rows, spelled, strict=True):
                row[name] = text


_SPELLED = "SELECT value::jsonb::text FROM unnest(%s::text[]) AS t (value)"


def assert_tables_equal_a_replay(mirror: Consumer, records: list[Record]) -> None:
    expected = replayed(records)
    as_postgres_writes(mirror, expected)
    for table, rows in expected.items():
        assert held(mirror, table) == rows, table


def test_the_tables_hold_the_newest_version_of_every_object_and_say_where_it_lies(mirror: Consumer) -> None:
    first, later = history()
    mirror.produce(first)
    mirror.start()
    mirror.settle()
    mirror.produce(later)
    mirror.settle()
    assert_tables_equal_a_replay(mirror, [*first, *later])
    newest = {observe(record).object_id: record for record in [*first, *later]}
    for kind, spec in TABLES.items():
        places = mirror.rows(f"SELECT {spec.key}, source_topic, source_partition, source_offset FROM {spec.name}")
        for object_id, *place in places:
            assert place == [RAW_TOPICS[kind].name, newest[object_id].partition, newest[object_id].offset]
    assert any(row["deleted"] and row["email"] for row in held(mirror, "customers").values())
    assert mirror.stop() == 0


@pytest.mark.parametrize("failpoint", ["before_commit=kill@4", "after_commit=kill@4"])
def test_a_kill_in_the_middle_loses_nothing(mirror: Consumer, failpoint: str) -> None:
    first, later = history(2)
    mirror.produce([*first, *later])
    mirror.start(failpoints=failpoint)
    assert mirror.wait_for_end() == -9
    mirror.start()
    mirror.settle()
    assert_tables_equal_a_replay(mirror, [*first, *later])


def test_repeats_and_passed_versions_change_nothing(mirror: Consumer) -> None:
    first, later = history(2)
    mirror.produce([*first, *later, *first])
    mirror.start()
    mirror.settle()
    versions = {
        name: {o: row["version"] for o, row in rows.items()} for name, rows in replayed([*first, *later]).items()
    }
    for table, expected in versions.items():
        assert {o: row["version"] for o, row in held(mirror, table).items()} == expected


def test_a_poisoned_record_of_every_topic_goes_to_the_dead_letters_and_the_rest_moves_on(mirror: Consumer) -> None:
    first, _ = history(0)
    poisoned = [
        replace(next(record for record in first if record.topic == topic.name), value=b"{poison", key=b"poison")
        for topic in RAW_TOPICS.values()
        if any(record.topic == topic.name for record in first)
    ]
    mirror.produce([*poisoned, *first])
    mirror.start()
    mirror.settle()
    assert_tables_equal_a_replay(mirror, first)
    letters = mirror.published(DEAD_LETTERS)
    assert sorted(dict(letter.headers)["dlq_topic"].decode() for letter in letters) == sorted(
        record.topic for record in poisoned
    )
    assert all(letter.value == b"{poison" for letter in letters)


def test_every_view_and_column_of_the_analysts_says_what_it_is(mirror: Consumer) -> None:
    uncommented = mirror.rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert uncommented == []
    views = mirror.rows("SELECT table_name FROM information_schema.views WHERE table_schema = 'analytics'")
    assert {name for (name,) in views} == {table.name for table in TABLES.values()}


def test_a_view_shows_all_columns_of_its_table(mirror: Consumer) -> None:
    for table in TABLES.values():
        columns = [
            {
                name
                for (name,) in mirror.rows(
                    "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
                    schema,
                    table.name,
                )
            }
            for schema in ("analytics", "mirror")
        ]
        assert columns[0] == columns[1]


def test_the_mirrors_role_writes_its_own_tables_and_no_other_schema(mirror: Consumer) -> None:
    with psycopg.connect(mirror.database) as connection:
        connection.execute("SET ROLE dropfix_mirror")
        connection.execute("SELECT count(*) FROM mirror.customers")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine (id int)")
