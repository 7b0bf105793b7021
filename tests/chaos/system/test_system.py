"""The whole system through kills and freezes: what its tables say afterwards is what the log and the company say.

The verifier (`tests/verifier`) shares no code with the services or the pipeline; where it replays through a service,
it does so from zero, on topics and tables of its own.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from schemas.catalogue import CHURN_SIGNAL, MRR_MOVEMENT
from services.detector.processor import INPUTS as DETECTOR_INPUTS
from services.detector.schema import MIGRATIONS as DETECTOR
from services.mrr.processor import INPUTS as MRR_INPUTS
from services.mrr.schema import MIGRATIONS as MRR
from tests.chaos.system.harness import RECOVERY_SECONDS, Director, Harness, Recovery, blows, table
from tests.fixtures.stacks import wait_for
from tests.fixtures.system import RunningDropFix, SimulatedStripe, Time
from tests.verifier import applied, fresh, mirror, objects, truth
from tests.verifier.log import read_topics

SERVERS = ("kafka", "postgres")
FOUNDED = datetime(2026, 3, 16, 9, tzinfo=UTC)
RATE = 60.0
LATENCY_MS = 500
BOUND = timedelta(hours=1)
"""In which an account of this size shows every change that Stripe puts a time on, new customers excepted."""
POLLS_IN_BOUND = 13


@dataclass(frozen=True)
class Ordeal:
    """So many blows by a seed, some of them freezes; the first `during_sync` while the account is read at first."""

    seed: int
    count: int
    during_sync: int
    freezes: int


AT_LENGTH = [Ordeal(seed=seed, count=count, during_sync=12, freezes=6) for seed, count in ((1, 34), (2, 33), (3, 33))]
AT_LEISURE = bool(os.environ.get("DROPFIX_VERIFY"))
"""At length on a machine of one's own, how long a recovery takes is asserted too; every change shares its machine."""

SHORT = [Ordeal(seed=11, count=5, during_sync=2, freezes=1)]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """A system with a stack of its own, set up but without an account, before a company of 300 customers."""
    moment = Time(tmp_path / "clock.json")
    moment.set(FOUNDED)
    with SimulatedStripe.running(tmp_path, time=moment, customers=300, options=("--search-lag", "0")) as stripe:
        environment = {"STRIPE_API_BASE": stripe.address, "DROPFIX_CLOCK": str(moment.path)}
        dropfix = RunningDropFix.begin(tmp_path / "data", "run", environment=environment)
        try:
            dropfix.wait_started().set_up()
            yield Harness(dropfix, stripe, moment)
        finally:
            dropfix.stop()


def through_blows(harness: Harness, ordeal: Ordeal, director: Director) -> list[Recovery]:
    """Connect, deal the first blows while the account is read for the first time, the others while it lives."""
    harness.stripe.tell("/_faults", {"latency_ms": LATENCY_MS})
    harness.dropfix.connect(harness.stripe.keys["full"])
    wait_for("the first read is under way", lambda: _published(harness) > 0, seconds=30)
    began, found = time.monotonic(), []
    victims = [*harness.dropfix.services, *SERVERS]
    for place, blow in enumerate(blows(ordeal.seed, ordeal.count, victims, freezes=ordeal.freezes)):
        if place == ordeal.during_sync:
            wait_for("the account was read", harness.polled)
            harness.stripe.tell("/_faults", {})
            harness.time.run(RATE)
        if place >= ordeal.during_sync:
            director.act(2)
        found.append(Recovery(time.monotonic() - began, blow, harness.strike(blow)))
        time.sleep(director.draw.uniform(0.2, 1.5))
    return found


def _published(harness: Harness) -> int:
    return len(harness.dropfix.rows("SELECT FROM poller.objects LIMIT 1"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("ordeal", AT_LENGTH if AT_LEISURE else SHORT, ids=lambda one: f"seed-{one.seed}")
def test_tables_equal_a_replay_and_the_truth_after_kills_and_freezes(
    ordeal: Ordeal, harness: Harness, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    director = Director(harness.stripe, random.Random(ordeal.seed))
    recoveries = through_blows(harness, ordeal, director)
    record_property("table", table(recoveries))
    now = harness.settle(POLLS_IN_BOUND)
    found = [*complaints(harness, now), *unlike_a_replay(harness, now, tmp_path)]
    assert not found, "\n".join(found)
    assert director.done > 0
    if AT_LEISURE:
        assert [one for one in recoveries if one.seconds > RECOVERY_SECONDS] == []
    assert unnoticed(harness, now) == []


def complaints(harness: Harness, now: datetime) -> Iterator[str]:
    """What the tables, the topics and the company say differently."""
    database, kafka = harness.dropfix.database, harness.dropfix.addresses["kafka"]
    seen = objects.replay(read_topics(kafka, mirror.RAW_TOPICS))
    yield from objects.wrong_records(seen.values())
    yield from objects.broken_chains(seen.values(), _memory(harness))
    yield from mirror.differences(database, seen)
    yield from applied.behind(database, kafka)
    yield from applied.dead_letters(database)
    yield from applied.unsaid(database, kafka)
    yield from truth.untrue(database, truth.Truth(harness.stripe, now, now - BOUND))


def _memory(harness: Harness) -> dict[tuple[str, str], tuple[str, int, str]]:
    statement = "SELECT connection_id, object_id, fingerprint, version, last_id::text FROM poller.objects"
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in harness.dropfix.rows(statement)}


def unlike_a_replay(harness: Harness, now: datetime, folder: Path) -> Iterator[str]:
    """What mrr and the detector have and would not have if they began anew, or the reverse."""
    database, kafka = harness.dropfix.database, harness.dropfix.addresses["kafka"]
    log = read_topics(kafka, mirror.RAW_TOPICS)
    for schema, inputs, output in ((MRR, MRR_INPUTS, MRR_MOVEMENT), (DETECTOR, DETECTOR_INPUTS, CHURN_SIGNAL)):
        place = folder / schema.service
        yield from fresh.differences(
            schema, inputs, [output], live=database, kafka=kafka, log=log, now=now, folder=place
        )


LIES: dict[str, LiteralString] = {
    "customers lacks": "DELETE FROM mirror.customers WHERE name < 'M'",
    "amount_due is": "UPDATE mirror.invoices SET amount_due = amount_due + 1 WHERE amount_due > 0",
    "is true and not shown": "DELETE FROM detector.signals WHERE resolved_at IS NULL",
    "the MRR of": "UPDATE mrr.balances SET mrr = mrr + 1 WHERE mrr > 0",
    "was published and is in no table": "DELETE FROM mrr.movements WHERE kind = 'new'",
    "is remembered as": "UPDATE poller.objects SET version = version + 1",
}
"""By what a verifier must say, what is changed behind the services' backs."""


def unnoticed(harness: Harness, now: datetime) -> list[str]:
    """Change the tables behind the services' backs, and give the changes that the verifier did not notice."""
    with psycopg.connect(harness.dropfix.database) as admin:
        for statement in LIES.values():
            admin.execute(statement)
    noticed = list(complaints(harness, now))
    return [lie for lie in LIES if not any(lie in said for said in noticed)]
