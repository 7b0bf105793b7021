"""What of the first sync is read next: the urgent first, the rest with what room is left, nothing twice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.poller.first_sync.agenda import (
    READERS_BESIDE_URGENT,
    READERS_PER_LIST,
    UNPUBLISHED_AT_MOST,
    UNPUBLISHED_OF_HISTORY,
    Agenda,
)
from services.poller.first_sync.first_minute import STAGES, URGENT, tasks
from services.poller.first_sync.ranges import Shard
from services.poller.kinds import KINDS
from services.poller.reading.capabilities import Capabilities

NOW = 1_800_000_000
FULL = Capabilities(dict.fromkeys(KINDS, "granted"), searchable=("customer", "subscription", "charge"))
TASKS = tasks(FULL, as_of=NOW)


def agenda(*, readers: int = 24) -> Agenda:
    return Agenda(TASKS, [Shard(task.name, 0, None, NOW) for task in TASKS], readers=readers)


def taken(plan: Agenda) -> list[Shard]:
    found = []
    while (shard := plan.take()) is not None:
        found.append(shard)
    return found


def finish(plan: Agenda, shard: Shard) -> None:
    shard.done = True
    plan.give_back(shard)
    plan.published(shard)


def test_the_urgent_goes_first_and_the_rest_begins_beside_it() -> None:
    plan = agenda()
    stages = [plan.tasks[shard.task].stage for shard in taken(plan)]
    assert stages == sorted(stages, key=STAGES.index)
    assert {"failed_payments", "lapsed", "mrr", "history"} <= set(stages)
    few = agenda(readers=3)
    assert {few.tasks[shard.task].stage for shard in taken(few)} <= URGENT


def test_a_part_that_was_read_goes_behind_what_is_more_urgent() -> None:
    plan = agenda(readers=1)
    first = plan.take()
    assert first is not None
    plan.give_back(first)
    assert plan.take() is first, "its next page is still the most urgent"


def test_history_leaves_turns_of_an_endpoint_to_what_is_urgent_there() -> None:
    """Turns at Stripe's limit for an endpoint go round among those who read from it."""
    shards = [Shard("open_invoices", 0, None, NOW), *(Shard("invoices", part, None, NOW) for part in range(9))]
    plan = Agenda(TASKS, shards, readers=24)
    first = taken(plan)
    assert [shard.task for shard in first] == ["open_invoices", *["invoices"] * (READERS_BESIDE_URGENT - 1)]
    finish(plan, first[0])
    assert len(taken(plan)) == READERS_PER_LIST - READERS_BESIDE_URGENT + 1


def test_disputes_wait_until_the_charges_are_in_the_log() -> None:
    plan = agenda()
    charges = next(shard for shard in taken(plan) if shard.task == "charges")
    charges.done = True
    plan.give_back(charges)
    assert plan.take() is None
    plan.published(charges)
    assert [shard.task for shard in taken(plan)] == ["disputes"]


def test_history_waits_while_publishing_lags_and_the_urgent_does_not() -> None:
    plan = agenda(readers=1)
    lagging = Shard("running", 0, None, NOW)
    for _ in range(UNPUBLISHED_OF_HISTORY):
        plan.give_back(lagging)
    while (shard := plan.take()) is not None:
        assert plan.tasks[shard.task].stage in URGENT
        shard.done = True
        plan.give_back(shard)
        plan.published(shard)


def test_what_waits_to_be_published_is_bounded() -> None:
    plan = agenda()
    pages = 0
    while (shard := plan.take()) is not None:
        plan.give_back(shard)
        pages += 1
    assert pages <= UNPUBLISHED_AT_MOST


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_every_part_is_read_to_its_end_by_one_reader_at_a_time(readers: int, seed: int) -> None:
    chance = random.Random(seed)
    plan = agenda(readers=readers)
    pages: dict[int, int] = {}
    reading: list[Shard] = []
    publishing: list[Shard] = []
    while not plan.finished:
        reading += taken(plan)
        assert len({id(shard) for shard in reading}) == len(reading) <= readers
        by_path = [plan.tasks[shard.task].query.path for shard in reading]
        assert max(map(by_path.count, by_path), default=0) <= READERS_PER_LIST
        if reading and (not publishing or chance.random() < 0.6):
            shard = reading.pop(chance.randrange(len(reading)))
            pages[id(shard)] = pages.get(id(shard), chance.randint(1, 5)) - 1
            shard.done = pages[id(shard)] <= 0
            plan.give_back(shard)
            publishing.append(shard)
        elif publishing:
            plan.published(publishing.pop(0))
    for shard in publishing:
        plan.published(shard)
    assert all(plan.is_read(stage) for stage in STAGES)


def test_progress_counts_what_was_read_and_knows_a_total_at_its_end() -> None:
    plan = agenda()
    for shard in taken(plan):
        if shard.task == "invoices":
            shard.objects = 70
            finish(plan, shard)
        elif shard.task == "customers":
            shard.objects = 30
    done, totals = plan.counts()
    assert (done["invoices"], totals["invoices"]) == (70, 70)
    assert (done["customers"], "customers" in totals) == (30, False)
