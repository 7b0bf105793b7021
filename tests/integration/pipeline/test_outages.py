"""What a worker does while Kafka has no leader, or does not answer at all: it waits, and it can be stopped."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.counting import Counting, numbers
from tests.fixtures.stacks import StackProcess

pytestmark = pytest.mark.parametrize("source", ["kafka-python", "faust"])


@pytest.fixture
def counting(own_stack: StackProcess, tmp_path: Path) -> Iterator[Counting]:
    """The counting service on a stack of its own, which has no other database."""
    counting = Counting(own_stack.addresses["kafka"], "outages.", own_stack.addresses["database"], tmp_path)
    counting.prepare()
    yield counting
    counting.close()


def test_a_worker_reads_everything_from_a_broker_that_keeps_losing_its_lease(
    counting: Counting, own_stack: StackProcess, source: str
) -> None:
    """Without ending once: nothing is wrong with it."""
    counting.say(numbers(1, 2000))
    own_stack.stop()
    fenced = StackProcess.start(own_stack.root, module="tests.fixtures.fenced").wait_started()
    try:
        worker = counting.start(source)
        for seed in (2, 3):
            counting.eventually("everything is read", lambda: not worker.alive() or counting.caught_up())
            assert worker.alive(), counting.logs()
            counting.say(numbers(seed, 500))
        assert worker.stop() == 0
    finally:
        counting.close()
        fenced.stop()


def test_a_worker_stops_though_kafka_does_not_answer(counting: Counting, own_stack: StackProcess, source: str) -> None:
    counting.say(numbers(1, 500))
    worker = counting.start(source)
    counting.settle()
    kafka = own_stack.identity("kafka").pid
    os.kill(kafka, signal.SIGSTOP)
    try:
        assert worker.stop(seconds=30) == 0, counting.logs()
    finally:
        os.kill(kafka, signal.SIGCONT)
