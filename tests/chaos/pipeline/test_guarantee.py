"""The guarantee, for each source: whatever happens to workers and broker, every record counts exactly once.

A worker dies at every failpoint; a second one joins, freezes inside its transaction for longer than its session and
wakes as a zombie; the broker is killed; all while records arrive. Then the tables must equal an independent replay
of the topics, and every event that follows must be published, and no other.

`DROPFIX_CHAOS_ROUNDS` asks for more seeds.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pytest

from bench.counting import ALARM_AFTER
from runtime.errors import BrokerError
from tests.fixtures.counting import START, Counting, eventually, numbers
from tests.fixtures.servers import fresh_database
from tests.fixtures.stacks import StackProcess

ROUNDS = int(os.environ.get("DROPFIX_CHAOS_ROUNDS", "5" if os.environ.get("DROPFIX_VERIFY") else "1"))
WHILE_READING = ("after_fence", "before_commit", "after_commit", "assigned")
WHILE_RELAYING = ("relay_before_send", "relay_after_send", "relay_before_commit", "relay_after_commit", "hint")
WITH_TIMERS = ("timers_before_commit", "timers_after_commit")
FREEZE_SECONDS = 11
CHUNK = 200


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("source", ["kafka-python", "faust"])
def test_every_record_counts_once_whatever_dies(
    source: str, seed: int, own_stack: StackProcess, tmp_path: Path
) -> None:
    with fresh_database(own_stack.addresses["database"]) as database:
        counting = Counting(own_stack.addresses["kafka"], f"t{uuid4().hex[:8]}.", database, tmp_path)
        counting.prepare()
        try:
            _round(counting, own_stack, source, random.Random(f"{source}/{seed}"), seed)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{counting.logs()}") from error
        finally:
            counting.close()


def _round(counting: Counting, stack: StackProcess, source: str, draw: random.Random, seed: int) -> None:
    with _feeding(counting, seed):
        for failpoint in _failpoints(source):
            _dies_at(
                counting, source, f"{failpoint}=kill@{1 if failpoint in ('assigned', 'hint') else draw.randint(1, 4)}"
            )
        counting.start(source)
        zombie = counting.start(source, failpoints=f"after_fence=freeze:{FREEZE_SECONDS}@{draw.randint(2, 6)}")
        eventually("the second worker freezes in its transaction", lambda: "freeze" in zombie.log.read_text())
        frozen_at = sum(n for (n,) in counting.rows("SELECT next_offset FROM offsets"))
        eventually(
            "the other goes on meanwhile",
            lambda: sum(n for (n,) in counting.rows("SELECT next_offset FROM offsets")) > frozen_at + 2 * CHUNK,
        )
        broker = stack.kill("kafka")
        stack.wait_back("kafka", after=broker)
        zombie.kill()
    _hold(counting)
    _alarms_ring_once(counting, source)


def _failpoints(source: str) -> tuple[str, ...]:
    """The relay does not know the source: it is killed with one of them only, unless there is time."""
    if source == "faust" and not os.environ.get("DROPFIX_VERIFY"):
        return WHILE_READING
    return WHILE_READING + WHILE_RELAYING


def _dies_at(counting: Counting, source: str, failpoint: str) -> None:
    """One that ends by itself before that, as it may when the broker is not quite there, is started again."""
    for _ in range(5):
        if counting.start(source, failpoints=failpoint).outlived(f"its death at {failpoint}") == -signal.SIGKILL:
            return
    raise AssertionError(f"the worker never came to {failpoint}")


def _hold(counting: Counting) -> None:
    """Tables equal the replay; each event that follows is there, and no other."""
    counting.settle()
    replayed = counting.replayed()
    assert counting.counts() == replayed.counts
    assert set(counting.event_ids()) == replayed.tenths()


def _alarms_ring_once(counting: Counting, source: str) -> None:
    """Timers, killed before and after their commit, run once each, stamped with the instant they were due at."""
    for worker in counting.workers:
        if worker.alive():
            worker.kill()
    counting.set_clock(START + ALARM_AFTER + timedelta(days=2))
    for failpoint in WITH_TIMERS:
        _dies_at(counting, source, f"{failpoint}=kill@2")
    last = counting.start(source)
    replayed = counting.replayed()
    eventually(
        "every alarm has rung",
        lambda: counting.rows("SELECT count(*) FROM timers") == [(0,)] and counting.published_all(),
    )
    assert counting.rows("SELECT count(*) FROM counts WHERE alarms <> 1") == [(0,)]
    assert set(counting.event_ids()) == replayed.tenths() | replayed.alarms()
    assert last.stop() == 0


@contextmanager
def _feeding(counting: Counting, seed: int) -> Iterator[None]:
    """Records arrive all the time. What a broken producer lost is no loss: the topics are the truth."""
    stopping = threading.Event()
    records = iter(numbers(seed, 60_000))

    def feed() -> None:
        while not stopping.wait(0.2):
            try:
                counting.say(islice(records, CHUNK))
            except BrokerError:
                continue

    feeder = threading.Thread(target=feed, name="feeder")
    feeder.start()
    try:
        yield
    finally:
        stopping.set()
        feeder.join()
