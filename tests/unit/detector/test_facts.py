"""What is known of a subject does not depend on how it came to be known."""

from collections import defaultdict
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from services.detector import core
from services.detector.core import SubjectState, reads_the_same
from services.detector.rules.base import Finding
from simulator.company.life import Growth
from simulator.founding import found
from tests.accounts import Observer
from tests.unit.detector.watching import POLICY, Watch

FOUNDED = 1_790_000_000
DAY = 86_400
LATER = 1 << 40


@cache
def histories() -> list[list[Record]]:
    """What was observed of each customer of whom something is to be said, over six weeks of looking twice a day."""
    company = found(seed=7, now=FOUNDED, growth=Growth(customers=100))
    observer, watch = Observer(company), Watch()
    by_subject: dict[str, list[Record]] = defaultdict(list)
    for _ in range(84):
        records = [record for record in observer.look() if ".dispute." not in record.topic]
        watch.feed(records)
        for record in records:
            by_subject[record.subject].append(record)
        company.world.advance(company.world.now + DAY // 2)
    return [by_subject[subject] for subject, state in watch.states.items() if state.signals]


def end_of(records: list[Record]) -> SubjectState:
    watch = Watch()
    watch.feed(records)
    watch.pass_time(LATER)
    (state,) = watch.states.values()
    return state


def signals_of(state: SubjectState) -> dict[str, tuple[str, Finding]]:
    return {
        name: (signal.state, signal.finding) for name, signal in state.signals.items() if signal.state != "withdrawn"
    }


def same_signals(a: SubjectState, b: SubjectState) -> bool:
    ours, theirs = signals_of(a), signals_of(b)
    return ours.keys() == theirs.keys() and all(
        ours[name][0] == theirs[name][0] and reads_the_same(ours[name][1], theirs[name][1]) for name in ours
    )


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_order_of_a_customers_records_ends_with_the_same_facts_and_signals(data: st.DataObject) -> None:
    history = data.draw(st.sampled_from(histories()))
    shuffled = data.draw(st.permutations(history))
    assert end_of(shuffled).facts == end_of(history).facts
    assert same_signals(end_of(shuffled), end_of(history))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_interleaving_of_the_topics_and_any_repeat_ends_the_same(data: st.DataObject) -> None:
    history = data.draw(st.sampled_from(histories()))
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=10))
    by_topic: dict[str, list[Record]] = defaultdict(list)
    for record in repeated:
        by_topic[record.topic].append(record)
    topics = data.draw(st.permutations([topic for topic, ones in by_topic.items() for _ in ones]))
    interleaved = [by_topic[topic].pop(0) for topic in topics]
    assert same_signals(end_of(interleaved), end_of(history))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_was_published_is_in_the_end_what_follows_from_the_facts(data: st.DataObject) -> None:
    state = end_of(data.draw(st.permutations(data.draw(st.sampled_from(histories())))))
    wanted = {core.signal_id(state.subject, one): one for one in core.findings(state, POLICY, LATER)}
    published = signals_of(state)
    assert published.keys() == wanted.keys()
    assert all(reads_the_same(published[name][1], wanted[name]) for name in wanted)


def test_there_are_histories_of_both_signals_to_shuffle() -> None:
    codes = {signal.finding.code for history in histories() for signal in end_of(history).signals.values()}
    assert codes == {"payment_failed", "subscription_lapsed"}
    assert len(histories()) >= 8
