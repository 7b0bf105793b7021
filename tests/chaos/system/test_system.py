"""The whole system through kills and freezes: what its tables say afterwards is what the log and the company say.

It is armed and mails; meanwhile the company lives, its app says who its users are, and a person decides things. The
verifier (`tests/verifier`) shares no code with the services or the pipeline; where it replays through a service, it
does so from zero, on topics and tables of its own.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from schemas.catalogue import CHURN_SIGNAL, DUNNING_EVENT, IDENTITY_MATCH, MRR_MOVEMENT, STRIPE_REFRESH_REQUEST, Topic
from services.detector.processor import INPUTS as DETECTOR_INPUTS
from services.detector.schema import MIGRATIONS as DETECTOR
from services.dunning.processor import INPUTS as DUNNING_INPUTS
from services.dunning.schema import MIGRATIONS as DUNNING
from services.mrr.processor import INPUTS as MRR_INPUTS
from services.mrr.schema import MIGRATIONS as MRR
from tests.chaos.system.harness import RECOVERY_SECONDS, Harness, Recovery, blows, table
from tests.chaos.system.life import Director, Owner, Product, going_on, say_again
from tests.fixtures.stacks import wait_for
from tests.fixtures.system import EMAIL, ZONE, RunningDropFix, SimulatedStripe, Time
from tests.verifier import applied, dunning, fresh, mirror, objects, truth
from tests.verifier.log import read_topics

SERVERS = ("kafka", "postgres")
FOUNDED = datetime(2026, 3, 16, 14, 30, tzinfo=UTC)
"""A Monday: emails may go in Europe for another hour and a half, in America all day."""
RATE = 60.0
LATENCY_MS = 500
BOUND = timedelta(hours=1)
"""In which an account of this size shows every change that Stripe puts a time on, new customers excepted."""
POLLS_IN_BOUND = 13
MAIL_LATE = timedelta(hours=1)
"""A minute of the machine's."""
DOMAIN = "customers.example"


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

SHORT = [Ordeal(seed=3140, count=5, during_sync=2, freezes=1)]
"""Poller, Kafka, console, PostgreSQL are killed; dunning freezes while a second one dies in the middle of an email."""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """An armed system with a stack of its own, without an account, before a company of 300 customers."""
    moment = Time(tmp_path / "clock.json")
    moment.set(FOUNDED)
    with SimulatedStripe.running(tmp_path, time=moment, customers=300, options=("--search-lag", "0")) as stripe:
        environment = {"STRIPE_API_BASE": stripe.address, "DROPFIX_CLOCK": str(moment.path)}
        dropfix = RunningDropFix.begin(tmp_path / "data", "run", environment=environment)
        try:
            write_key = dropfix.wait_started().set_up()
            dropfix.arm(f"@{DOMAIN}")
            yield Harness(dropfix, stripe, moment, write_key)
        finally:
            dropfix.stop()


@dataclass
class Told:
    """What was done to the system and said to it, for its messages."""

    recoveries: list[Recovery]
    director: Director
    product: Product
    owner: Owner
    repeated: int = 0


def through_blows(harness: Harness, ordeal: Ordeal) -> Told:
    """Connect, deal the first blows while the account is read for the first time, the others while it lives."""
    draw = random.Random(ordeal.seed)
    harness.stripe.tell("/_faults", {"latency_ms": LATENCY_MS})
    connection_id = harness.dropfix.connect(harness.stripe.keys["full"])
    wait_for("the first read is under way", lambda: _published(harness) > 0, seconds=30)
    customers = [one for one in harness.stripe.everything("customers") if one["email"]][:100]
    told = Told(
        [],
        Director(harness.stripe, random.Random(draw.random())),
        Product(harness.dropfix, harness.write_key, random.Random(draw.random()), customers),
        Owner(harness.dropfix, random.Random(draw.random()), connection_id),
    )
    victims = [*harness.dropfix.services, *SERVERS]
    dealt = blows(ordeal.seed, ordeal.count, victims, freezes=ordeal.freezes)
    began = time.monotonic()
    for blow in dealt[: ordeal.during_sync]:
        told.recoveries.append(Recovery(time.monotonic() - began, blow, harness.strike(blow)))
    wait_for("the account was read", harness.polled)
    harness.stripe.tell("/_faults", {})
    harness.time.run(RATE)
    with going_on(told.director.act, told.product.act, told.director.act, told.owner.act):
        for blow in dealt[ordeal.during_sync :]:
            told.repeated += say_again(harness.dropfix.addresses["kafka"], draw, 5)
            told.recoveries.append(Recovery(time.monotonic() - began, blow, harness.strike(blow)))
            time.sleep(draw.uniform(0.2, 1.5))
    wait_for("the console takes what the app says", told.product.flush, seconds=30)
    return told


def _published(harness: Harness) -> int:
    return len(harness.dropfix.rows("SELECT FROM poller.objects LIMIT 1"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("ordeal", AT_LENGTH if AT_LEISURE else SHORT, ids=lambda one: f"seed-{one.seed}")
def test_tables_equal_a_replay_and_the_truth_after_kills_and_freezes(
    ordeal: Ordeal, harness: Harness, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    told = through_blows(harness, ordeal)
    now = harness.settle(POLLS_IN_BOUND)
    record_property("table", f"{table(told.recoveries)}\n{_summary(harness, told)}")
    found = [*complaints(harness, now), *unheard(harness, told.product), *unlike_a_replay(harness, now, tmp_path)]
    assert not found, "\n".join(found)
    assert min(told.director.done, told.owner.done, len(told.product.taken), len(_post(harness).mails)) > 0
    if AT_LEISURE:
        assert [one for one in told.recoveries if one.seconds > RECOVERY_SECONDS] == []
    assert unnoticed(harness, now) == []


def _summary(harness: Harness, told: Told) -> str:
    post = _post(harness)
    unknown = sum(one.content["kind"] == "email_unknown" for one in post.events)
    return (
        f"{told.director.done} things done at the company, {len(told.product.taken)} messages of the app,"
        f" {told.owner.done} decisions, {told.repeated} records said again;"
        f" {len(post.mails)} mails, {unknown} of them unknown to have arrived"
    )


def _post(harness: Harness) -> dunning.Post:
    return dunning.Post.of(harness.dropfix.addresses["kafka"], harness.dropfix.root / "mail", owner=EMAIL)


def complaints(harness: Harness, now: datetime) -> Iterator[str]:
    """What the tables, the topics, the company and the mail sink say differently."""
    database, kafka = harness.dropfix.database, harness.dropfix.addresses["kafka"]
    seen = objects.replay(read_topics(kafka, mirror.RAW_TOPICS))
    yield from objects.wrong_records(seen.values())
    yield from objects.broken_chains(seen.values(), _memory(harness))
    yield from mirror.differences(database, seen)
    yield from applied.behind(database, kafka)
    yield from applied.dead_letters(database)
    yield from applied.unsaid(database, kafka)
    yield from truth.untrue(database, truth.Truth(harness.stripe, now, now - BOUND))
    yield from wrong_mails(harness, now)


def wrong_mails(harness: Harness, now: datetime) -> Iterator[str]:
    """What the emails, the mail sink and the company's failed payments say differently."""
    post, results = _post(harness), read_topics(harness.dropfix.addresses["kafka"], [dunning.REFRESHED])
    company = dunning.Company.asked(harness.stripe, since=FOUNDED, seen=now - BOUND, now=now)
    yield from dunning.unlike_the_sink(post)
    yield from dunning.sent_twice(post)
    yield from dunning.beyond_the_list(post, {DOMAIN})
    yield from dunning.not_read_before(post, results, company, harness.time.at)
    yield from dunning.wrong_days(post, company, workspace_zone=ZONE, late=MAIL_LATE)
    yield from dunning.untold_failures(post, company)
    rows = harness.dropfix.rows("SELECT episode_id, state, invoices FROM analytics.dunning_episodes")
    yield from dunning.unlike_the_company(rows, company)


def unheard(harness: Harness, product: Product) -> Iterator[str]:
    """Messages of the app that the console took and no topic has."""
    topics = ["product.identify.v1", "product.track.v1"]
    there = {one.content["message_id"] for one in read_topics(harness.dropfix.addresses["kafka"], topics)}
    yield from (f"the message {name} was taken and is in no topic" for name in sorted(product.taken - there))


def _memory(harness: Harness) -> dict[tuple[str, str], tuple[str, int, str]]:
    statement = "SELECT connection_id, object_id, fingerprint, version, last_id::text FROM poller.objects"
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in harness.dropfix.rows(statement)}


REPLAYED: tuple[tuple[Any, tuple[Topic, ...], tuple[Topic, ...]], ...] = (
    (MRR, MRR_INPUTS, (MRR_MOVEMENT,)),
    (DETECTOR, DETECTOR_INPUTS, (CHURN_SIGNAL, IDENTITY_MATCH)),
    (DUNNING, DUNNING_INPUTS, (DUNNING_EVENT, STRIPE_REFRESH_REQUEST)),
)
"""Services with what they read and publish."""


def unlike_a_replay(harness: Harness, now: datetime, folder: Path) -> Iterator[str]:
    """What mrr, the detector and dunning have and would not have if they began anew, or the reverse."""
    database, kafka = harness.dropfix.database, harness.dropfix.addresses["kafka"]
    log = read_topics(kafka, {topic.name for _, inputs, _ in REPLAYED for topic in inputs})

    def replay(schema: Any, inputs: tuple[Topic, ...], outputs: tuple[Topic, ...]) -> list[str]:
        place = folder / schema.service
        return list(
            fresh.differences(schema, inputs, outputs, live=database, kafka=kafka, log=log, now=now, folder=place)
        )

    with ThreadPoolExecutor(len(REPLAYED)) as side_by_side:
        for found in side_by_side.map(lambda each: replay(*each), REPLAYED):
            yield from found


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
