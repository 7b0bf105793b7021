"""The subject processor: what comes out does not depend on batches, nor on when the process was up."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadRecord
from pipeline.processor import Message, Timer, Tx
from pipeline.records import Arrived, Record
from pipeline.subjects import Change, Effects, SubjectProcessor
from runtime.database import Connection
from schemas.catalogue import CHURN_SIGNAL
from tests.fixtures.records import MemoryTx, at, record

QUIET = timedelta(seconds=10)


@dataclass(frozen=True)
class Seen:
    """Everything that was said of a subject, and up to when it was decided."""

    subject: str
    facts: frozenset[tuple[datetime, int]] = frozenset()
    decided: tuple[tuple[str, datetime], ...] = ()


class QuietCore:
    """Publishes `said` for every fact, and `quiet` when nothing was said for ten seconds."""

    def empty(self, subject: str) -> Seen:
        return Seen(subject)

    def merge(self, state: Seen, fact: tuple[datetime, int]) -> Seen:
        if fact[1] < 0:
            raise BadRecord("negative")
        return replace(state, facts=state.facts | {fact})

    def decide(self, state: Seen, policy: str, now: datetime) -> Effects[Seen]:
        latest = max((instant for instant, _ in state.facts), default=now)
        quiet_at = latest + QUIET
        rule, due = ("quiet", quiet_at) if quiet_at <= now else ("said", latest)
        if (rule, due) in state.decided:
            messages: tuple[Message, ...] = ()
        else:
            messages = (_message(state.subject, rule, due, policy),)
        after = replace(state, decided=(*state.decided, (rule, due)) if messages else state.decided)
        return Effects(after, messages=messages, rows=(now,), timers={"quiet": quiet_at})


def _message(subject: str, rule: str, due: datetime, policy: str) -> Message:
    return Message(
        topic=CHURN_SIGNAL,
        subject=subject,
        key=f"{subject}#{rule}",
        id=f"{rule}@{due.isoformat()}",
        workspace_id=policy,
        value=b"{}",
        time=due,
    )


@dataclass
class MemoryStore:
    states: dict[str, Seen] = field(default_factory=dict)
    changes: list[Change[Seen]] = field(default_factory=list)

    def load(self, conn: Connection, subjects: Sequence[str]) -> dict[str, Seen]:
        return {subject: self.states[subject] for subject in subjects if subject in self.states}

    def save(self, tx: Tx, changes: Sequence[Change[Seen]]) -> None:
        self.changes.extend(changes)
        for change in changes:
            self.states[change.subject] = change.effects.state


def _processor(store: MemoryStore) -> SubjectProcessor[Seen, tuple[datetime, int], str]:
    return SubjectProcessor(
        group="quiet",
        inputs=(),
        core=QuietCore(),
        store=store,
        decoder=lambda r: (r.observed_at, int(r.value or b"0")),
        policy_of=lambda subject: f"policy of {subject}",
    )


def _run(batches: Sequence[Sequence[Record]]) -> tuple[MemoryTx, MemoryStore]:
    tx, store = MemoryTx(), MemoryStore()
    processor = _processor(store)
    for batch in batches:
        processor.apply(tx, [Arrived(r, processor.decode(r)) for r in batch])
    return tx, store


def _said(offset: int, seconds: float, *, subject: str = "con/a", number: int = 1) -> Record:
    return record(offset, subject=subject, observed_at=at(seconds), value=str(number).encode())


def _ids(tx: MemoryTx) -> list[str]:
    return [message.id for message in tx.published]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["con/a", "con/b"])), max_size=25),
    st.lists(st.integers(1, 6), min_size=25, max_size=25),
)
def test_any_batching_gives_the_same(said: list[tuple[int, str]], sizes: list[int]) -> None:
    records = [_said(n, seconds, subject=subject) for n, (seconds, subject) in enumerate(said)]
    one_by_one, whole = _run([[r] for r in records]), _run([records])
    batches, rest = [], list(records)
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    mixed = _run(batches)
    for tx, store in (whole, mixed):
        assert tx.published == one_by_one[0].published
        assert tx.timers == one_by_one[0].timers
        assert tx.reached == one_by_one[0].reached
        assert store.states == one_by_one[1].states


def test_a_timer_that_is_due_before_a_record_runs_before_it_stamped_with_its_own_time() -> None:
    tx, store = _run([[_said(0, 0)], [_said(1, 30)]])
    assert _ids(tx) == [f"said@{at(0).isoformat()}", f"quiet@{at(10).isoformat()}", f"said@{at(30).isoformat()}"]
    assert [change.at for change in store.changes] == [at(0), at(10), at(30)]
    assert store.changes[1].cause == Timer("con/a", "quiet", at(10))


def test_inside_one_batch_timers_run_between_its_records_too() -> None:
    apart, together = _run([[_said(0, 0)], [_said(1, 30)]]), _run([[_said(0, 0), _said(1, 30)]])
    assert together[0].published == apart[0].published


def test_a_timer_of_one_subject_is_not_run_by_a_record_of_another() -> None:
    tx, _ = _run([[_said(0, 0)], [_said(1, 30, subject="con/b")]])
    assert f"quiet@{at(10).isoformat()}" not in _ids(tx)
    assert tx.timers["con/a"] == {"quiet": at(10)}


def test_firing_a_timer_gives_what_a_later_record_would_have_given() -> None:
    tx, store = _run([[_said(0, 0)]])
    _processor(store).fire(tx, [Timer("con/a", "quiet", at(10))])
    assert _ids(tx) == [f"said@{at(0).isoformat()}", f"quiet@{at(10).isoformat()}"]
    assert tx.timers["con/a"] == {}


def test_firing_a_timer_that_is_gone_does_nothing() -> None:
    tx, store = _run([[_said(0, 0)], [_said(1, 5)]])
    before = list(tx.published)
    _processor(store).fire(tx, [Timer("con/a", "quiet", at(10))])
    assert tx.published == before
    assert tx.timers["con/a"] == {"quiet": at(15)}


def test_a_late_fact_is_decided_at_the_instant_already_reached() -> None:
    _, store = _run([[_said(0, 30)], [_said(1, 5)]])
    assert [change.at for change in store.changes] == [at(30), at(30)]


def test_a_fact_that_cannot_be_merged_is_rejected_and_the_others_count() -> None:
    tx, store = _run([[_said(0, 0), _said(1, 1, number=-1), _said(2, 2)]])
    assert [(r.offset, reason) for r, reason in tx.rejected] == [(1, "negative")]
    assert len(store.states["con/a"].facts) == 2


def test_a_record_without_its_subject_is_rejected() -> None:
    nameless = replace(_said(0, 0), headers=())
    store, tx = MemoryStore(), MemoryTx()
    _processor(store).apply(tx, [Arrived(nameless, (at(0), 1))])
    assert "ce_partitionkey" in tx.rejected[0][1]
    assert not store.changes


def test_the_policy_is_the_subjects_own() -> None:
    tx, _ = _run([[_said(0, 0, subject="con/a"), _said(1, 0, subject="con/b")]])
    assert [message.workspace_id for message in tx.published] == ["policy of con/a", "policy of con/b"]
