"""MRR without Stripe: what identify() passed, and whose number stands once a user is a customer of Stripe."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadRecord
from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION, IDENTITY_MATCH, PRODUCT_IDENTIFY
from schemas.envelope import Envelope
from schemas.events.product import ProductMessage
from schemas.partition import partition_of
from schemas.subjects import kept_key, product_subject
from services.mrr.core import State
from services.mrr.explain import explain
from services.mrr.facts import UserFact
from services.mrr.in_force import Away, Cause, InForce, apart
from services.mrr.persons import First, Persons, Revision, Together, together
from services.mrr.policy import STRIPE
from services.mrr.processor import decode_user
from services.mrr.said import DAY, with_said
from services.mrr.terms import Said
from services.mrr.timeline import Facts
from tests.unit.mrr.build import subscription
from tests.unit.mrr.feed import WORKSPACE
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import SUBJECT, Story, day

USER = f"{WORKSPACE}/u_1"
Row = tuple[float, int, int, str]


def identify(traits: dict[str, Any], on: float, *, name: str = "", user: str = "u_1", offset: int = 0) -> Record:
    """identify() of a user so many days after START, as the console publishes it."""
    at = datetime.fromtimestamp(day(on), UTC)
    message = ProductMessage(
        type="identify",
        message_id=name or f"m_{user}_{on}_{traits.get('mrr')}",
        user_id=user,
        traits=traits,
        timestamp=at,
        received_at=at,
    )
    subject = product_subject(WORKSPACE, user_id=user)
    envelope = Envelope(
        id=message.message_id,
        source="t",
        type=PRODUCT_IDENTIFY.name,
        time=at,
        subject=subject,
        workspace_id=WORKSPACE,
    )
    return Record(
        topic=PRODUCT_IDENTIFY.name,
        partition=partition_of(subject, PRODUCT_IDENTIFY.partitions),
        offset=offset,
        key=kept_key(subject, message.message_id, 1).encode(),
        value=message.encode(),
        headers=envelope.headers(),
        timestamp_ms=0,
    )


def rows(replay: Replay, subject: str = USER) -> list[Row]:
    return [
        ((at.timestamp() - day(0)) / 86_400, before, after, kind)
        for _, at, before, after, kind in replay.standing().get(subject, [])
    ]


def told(*records: Record, away: Sequence[Away] = ()) -> Replay:
    return Replay(away=tuple(away)).take(records)


def cause(at: float, topic: str = IDENTITY_MATCH.name) -> Cause:
    return Cause(day(at) * 1_000_000, topic, 1, 4, "m", partition=2)


def test_what_identify_passes_is_a_users_mrr_from_when_it_was_said() -> None:
    replay = told(identify({"mrr": 49}, 1), identify({"mrr": 99}, 5), identify({"mrr": 0}, 9), identify({"mrr": 5}, 12))
    assert rows(replay) == [
        (1, 0, 4900, "new"),
        (5, 4900, 9900, "expansion"),
        (9, 9900, 0, "churn"),
        (12, 0, 500, "reactivation"),
    ]


def test_a_movement_of_it_names_the_user_and_the_message() -> None:
    movement = told(identify({"mrr": 49}, 1, offset=7)).movements[0]
    assert (movement.user_id, movement.customer_id, movement.connection_id) == ("u_1", None, None)
    assert movement.basis == "identify"
    assert movement.source is not None
    assert (movement.source.topic, movement.source.offset) == (PRODUCT_IDENTIFY.name, 7)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"mrr": 49}, {"usd": 4900}),
        ({"mrr": "49.90"}, {"usd": 4990}),
        ({"mrr": 33.333}, {"usd": 3333}),
        ({"mrr": 0.005}, {"usd": 1}),
        ({"mrr": 4900, "currency": "JPY"}, {"jpy": 4900}),
        ({"mrr": 12.5, "currency": "kwd"}, {"kwd": 12_500}),
    ],
)
def test_it_is_read_in_major_units_of_its_currency(traits: dict[str, Any], expected: dict[str, int]) -> None:
    assert told(identify(traits, 1)).customers() == {"u_1": expected}


def test_another_currency_ends_the_one_before_and_they_never_mix() -> None:
    replay = told(identify({"mrr": 49}, 1), identify({"mrr": 40, "currency": "eur"}, 5))
    assert replay.customers() == {"u_1": {"eur": 4000}}
    assert {(m.currency, m.kind) for m in replay.movements} == {("usd", "new"), ("usd", "churn"), ("eur", "new")}


@pytest.mark.parametrize("traits", [{}, {"mrr": None}, {"plan": "Team"}])
def test_a_message_without_an_mrr_says_nothing_of_it(traits: dict[str, Any]) -> None:
    assert decode_user(identify(traits, 1)) is None


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        ({"mrr": -5}, "the MRR of the user u_1 is negative: -5"),
        ({"mrr": "a lot"}, "not a number"),
        ({"mrr": True}, "not a number"),
        ({"mrr": 10**15}, "too large"),
        ({"mrr": 49, "currency": "gold"}, "no currency"),
    ],
)
def test_an_mrr_that_is_none_is_a_bad_record_with_the_reason(traits: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        decode_user(identify(traits, 1))


def test_a_late_message_takes_its_place_in_time() -> None:
    replay = told(identify({"mrr": 49}, 1), identify({"mrr": 99}, 9), identify({"mrr": 59}, 5))
    assert rows(replay) == [(1, 0, 4900, "new"), (5, 4900, 5900, "expansion"), (9, 5900, 9900, "expansion")]


def test_a_thousand_messages_of_a_day_are_kept_as_two() -> None:
    replay = told(*(identify({"mrr": 49}, 1 + number / 2000, name=f"m{number}") for number in range(1000)))
    assert len(replay.facts()[USER].said) == 2
    assert rows(replay) == [(1, 0, 4900, "new")]


def test_once_matched_stripes_number_stands_and_the_users_ends_as_a_change_of_source() -> None:
    replay = told(identify({"mrr": 49}, 1), identify({"mrr": 59}, 20), away=[Away(day(10) * 1_000_000, cause(10))])
    assert rows(replay.tick(datetime.fromtimestamp(day(30), UTC))) == [(1, 0, 4900, "new"), (10, 4900, 0, "source")]
    assert replay.customers() == {}


def test_where_the_match_ends_the_users_number_stands_again() -> None:
    span = Away(day(10) * 1_000_000, cause(10), day(15) * 1_000_000, cause(15))
    replay = told(identify({"mrr": 49}, 1), identify({"mrr": 59}, 12), identify({"mrr": 69}, 20), away=[span])
    assert rows(replay) == [
        (1, 0, 4900, "new"),
        (10, 4900, 0, "source"),
        (15, 0, 5900, "source"),
        (20, 5900, 6900, "expansion"),
    ]


def test_a_customers_number_gives_way_to_identifys_until_the_match() -> None:
    span = Away(day(5) * 1_000_000, cause(5, PRODUCT_IDENTIFY.name), day(10) * 1_000_000, cause(10))
    replay = Replay(away=(span,)).take(Story().see(subscription(), 20, change="backfilled").records)
    assert rows(replay, SUBJECT) == [(0, 0, 1000, "new"), (5, 1000, 0, "source"), (10, 0, 1000, "source")]


def persons(*, said: float | None, matched: float, unmatched: float | None = None) -> Persons:
    revisions = [Revision(1, True, day(matched) * 1_000_000, cause(matched))]
    if unmatched is not None:
        revisions.append(Revision(2, False, day(unmatched) * 1_000_000, cause(unmatched)))
    spans = tuple(together(SUBJECT, USER, revisions))
    firsts = {} if said is None else {USER: First(day(said) * 1_000_000, cause(said, PRODUCT_IDENTIFY.name))}
    return Persons({SUBJECT: spans, USER: spans}, firsts)


def _spans(spans: Sequence[Away]) -> list[tuple[float, float | None]]:
    return [
        ((span.start / 1e6 - day(0)) / 86_400, None if span.end is None else (span.end / 1e6 - day(0)) / 86_400)
        for span in spans
    ]


@pytest.mark.parametrize(
    ("who", "customer", "user"),
    [
        (persons(said=5, matched=10), [(5, 10)], [(10, None)]),
        (persons(said=None, matched=10), [], [(10, None)]),
        (persons(said=10, matched=10), [], [(10, None)]),
        (persons(said=12, matched=10), [], [(10, None)]),
        (persons(said=5, matched=10, unmatched=20), [(5, 10)], [(10, 20)]),
    ],
    ids=["said before", "never said", "said at once", "said after", "no longer matched"],
)
def test_whose_number_stands_when(who: Persons, customer: list[Any], user: list[Any]) -> None:
    assert _spans(apart(who.away(SUBJECT, {}))) == customer
    assert _spans(apart(who.away(USER, {}))) == user


def test_where_the_account_is_disconnected_the_users_number_stands_again() -> None:
    ended = {"con_test": (day(30) * 1_000_000, cause(30, CONTROL_DECISION.name))}
    assert _spans(apart(persons(said=5, matched=10).away(USER, ended))) == [(10, 30)]


def test_a_match_that_is_said_again_moves_nothing() -> None:
    revisions = [Revision(n, True, day(at) * 1_000_000, cause(at)) for n, at in ((1, 10), (2, 3))]
    assert [span.start for span in together(SUBJECT, USER, revisions)] == [day(10) * 1_000_000]


def test_an_explanation_says_that_another_number_stands() -> None:
    in_force = InForce(STRIPE, away=(Away(day(10) * 1_000_000, cause(10)),))
    state = State(USER, WORKSPACE, told(identify({"mrr": 49}, 1)).facts()[USER])
    (before,) = explain(state, in_force, day(9) * 1_000_000)
    (after,) = explain(state, in_force, day(11) * 1_000_000)
    assert (before.mrr, before.another_stands, after.mrr, after.another_stands) == (4900, False, 0, True)
    assert json.dumps(after.encode())


SAIDS = st.builds(
    lambda at, number, amount, currency: Said(at * DAY // 7, f"m{number}", amount, currency, at * DAY, number),
    st.integers(0, 40),
    st.integers(0, 6),
    st.sampled_from([0, 4900, 9900]),
    st.sampled_from(["usd", "usd", "eur"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SAIDS, max_size=14), st.randoms(use_true_random=False))
def test_any_order_and_any_repeat_of_messages_keeps_the_same(saids: list[Said], chance: Random) -> None:
    shuffled = [*saids, *chance.choices(saids, k=3)] if saids else []
    chance.shuffle(shuffled)
    one, other = Facts(), Facts()
    for said in saids:
        one = with_said(one, said).facts
    for said in shuffled:
        other = with_said(other, said).facts
    assert one == other


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 99)), min_size=1, max_size=6),
    st.integers(0, 30),
    st.integers(0, 30),
    st.none() | st.integers(0, 30),
)
def test_a_customer_and_a_user_who_are_one_person_never_count_twice(
    said: list[tuple[int, int]], matched: int, started: int, unmatched: int | None
) -> None:
    first = min(at for at, _ in said)
    who = persons(said=first, matched=matched, unmatched=unmatched)
    messages = [identify({"mrr": 1 + amount}, at, name=f"m{place}") for place, (at, amount) in enumerate(said)]
    user = Replay(away=apart(who.away(USER, {}))).take(messages)
    customer = Replay(away=apart(who.away(SUBJECT, {})))
    customer.take(Story().see(subscription(start_date=day(started)), 31, change="backfilled").records)
    over = min(31, 31 if unmatched is None else max(unmatched, matched))
    for on in range(over):
        at = datetime.fromtimestamp(day(on) + 1, UTC)
        stand = bool(user.tick(at).mrr_at(at)), bool(customer.mrr_at(at))
        assert stand == (first <= on < matched, started <= on and not first <= on < matched), on


def test_the_fact_of_a_message_is_the_users() -> None:
    fact = decode_user(identify({"mrr": 49}, 1))
    assert isinstance(fact, UserFact)
    assert (fact.workspace_id, fact.user_id, fact.said.mrr) == (WORKSPACE, "u_1", 4900)


def test_spans_that_meet_are_one() -> None:
    first, second = (Away(at, cause(1), at + 5, cause(2)) for at in (0, 5))
    assert [(span.start, span.end) for span in apart([second, first, Away(7, cause(1), 7, cause(1))])] == [(0, 10)]


def test_a_pair_that_was_never_matched_has_no_span() -> None:
    assert list(together(SUBJECT, USER, [Revision(1, False, 0, cause(0))])) == []
    assert list(together(SUBJECT, USER, [])) == list[Together]()
