"""`dropfix topics` and `dropfix migrate` against a real Kafka and PostgreSQL, as scripts run them."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.catalogue import TOPICS
from tests.fixtures.system import dropfix, own_environment


def test_topics_are_created_once_and_then_described(kafka_bootstrap: str, topic_prefix: str) -> None:
    there = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "DROPFIX_TOPIC_PREFIX": topic_prefix}
    missing = dropfix("topics", "describe", environment=there)
    assert missing.code == 1
    assert "dropfix topics create" in missing.errors
    assert f"{len(TOPICS)} topic(s) created" in dropfix("topics", "create", environment=there).errors
    assert f"0 topic(s) created, {len(TOPICS)} were there" in dropfix("topics", "create", environment=there).errors
    described = dropfix("topics", "describe", "--json", environment=there)
    assert {row["topic"]: row["partitions"] for row in described.json} == {
        name: topic.partitions for name, topic in TOPICS.items()
    }


@pytest.mark.parametrize("command", ["describe", "create"])
def test_a_broker_that_is_not_there_is_told_while_somebody_still_waits(command: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "topics", command, "--kafka", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=25,  # the client's own patience is 30 s
        check=False,
        env=own_environment(),
    )
    assert ended.returncode == 1
    assert "no Kafka answers at 127.0.0.1:1" in ended.stderr


def test_tables_are_migrated_once(database_url: str) -> None:
    there = {"DATABASE_URL": database_url}
    first = dropfix("migrate", environment=there)
    assert first.code == 0, first.errors
    assert "migration(s) applied" in first.errors
    assert "every table is at its newest version" in dropfix("migrate", environment=there).errors


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    ended = dropfix("migrate", environment={"DATABASE_URL": "postgresql://owner:hunter2@127.0.0.1:1/dropfix"})
    assert ended.code == 1
    assert "127.0.0.1" in ended.errors
    assert "should not have happened" not in ended.errors
    assert "hunter2" not in ended.errors


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    listing = subprocess.Popen(
        [sys.executable, "-m", "cli", "topics", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=own_environment(),
    )
    with listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 0


def test_a_service_without_settings_lists_all_that_is_missing() -> None:
    ended = dropfix("service", "mirror")
    assert ended.code == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in ended.errors
    assert "DATABASE_URL" in ended.errors
    assert "Traceback" not in ended.errors


def test_a_wrong_setting_of_one_service_ends_the_run_as_any_wrong_setting_does(
    kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    ended = dropfix(
        "run",
        "--data-dir",
        str(tmp_path / "run"),
        environment={
            "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "DATABASE_URL": database_url,
            "DROPFIX_TOPIC_PREFIX": topic_prefix,
            "STRIPE_API_BASE": "ftp://stripe.example",
        },
    )
    assert ended.code == 2, ended.errors
    assert "poller ended with code 2" in ended.errors
    assert "STRIPE_API_BASE" in ended.errors
    assert "✓ the services" not in ended.errors
