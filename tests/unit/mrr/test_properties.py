"""What holds for every customer, however its facts arrive."""

from datetime import UTC, datetime
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from schemas.envelope import Change
from schemas.events.movement import MrrMovement
from services.mrr.core import instant_of, microseconds
from services.mrr.in_force import InForce
from services.mrr.ledger import ledger
from services.mrr.policy import BAREMETRICS, CHARTMOGUL, PRESETS, PROFITWELL, STRIPE, Policy
from services.mrr.store import decode_state, encode_state
from tests.unit.mrr.build import START, customer, discount, invoice, item, line, price, subscription, tiered
from tests.unit.mrr.feed import raw_record
from tests.unit.mrr.replay import Replay
from tests.unit.mrr.story import SUBJECT, Story, day

END = datetime.fromtimestamp(day(200), UTC)
AT_REQUEST = Policy(version="at-request/1", churn_at="cancel_request")
POLICIES = st.sampled_from([STRIPE, PROFITWELL, BAREMETRICS, CHARTMOGUL, AT_REQUEST])
CHANGES: list[Change] = ["backfilled", "created", "updated"]
DISCOUNTS = st.builds(
    lambda name, percent, amount, start, length, duration: discount(
        name,
        percent=percent,
        amount=None if percent is not None else amount,
        start=day(start),
        end=day(start + length) if duration == "repeating" else None,
        duration=duration,
    ),
    st.sampled_from(["di_1", "di_2", "di_3"]),
    st.none() | st.sampled_from([10, 33.33, 100]),
    st.integers(1, 3000),
    st.integers(0, 40),
    st.integers(1, 90),
    st.sampled_from(["forever", "repeating", "once"]),
)


@st.composite
def subscriptions(draw: st.DrawFn, on: int) -> dict[str, Any]:
    currency = draw(st.sampled_from(["usd", "usd", "eur"]))
    names = draw(st.lists(st.sampled_from(["si_1", "si_2", "si_3"]), min_size=1, max_size=3, unique=True))
    prices = st.sampled_from(
        [
            price(1000, currency=currency),
            price(10_000, "year", currency=currency, id="price_2"),
            price("12.5", "week", currency=currency, id="price_3"),
            tiered("graduated", currency=currency, id="price_4"),
            price(5, usage_type="metered", currency=currency, id="price_5"),
        ]
    )
    given = st.lists(DISCOUNTS, max_size=1)
    sold = [item(draw(prices), draw(st.integers(0, 4)), name=name, discounts=draw(given)) for name in names]
    status = draw(
        st.sampled_from(["active", "active", "past_due", "trialing", "unpaid", "canceled", "paused", "incomplete"])
    )
    ended = day(draw(st.integers(0, on))) if status == "canceled" else None
    asked = draw(st.booleans())
    found = subscription(
        *sold,
        name=draw(st.sampled_from(["sub_1", "sub_2"])),
        currency=currency,
        status=status,
        start_date=day(draw(st.integers(0, 3))),
        trial_end=draw(st.none() | st.integers(0, 30).map(day)),
        ended_at=ended,
        canceled_at=ended or (day(draw(st.integers(0, on))) if asked else None),
        cancel_at_period_end=asked,
        pause_collection=draw(st.none() | st.just({"behavior": "void", "resumes_at": day(on + 9)})),
        discounts=draw(st.lists(DISCOUNTS, max_size=2, unique_by=lambda one: one["id"])),
    )
    found["items"]["has_more"] = draw(st.sampled_from([False, False, False, True]))
    return found


@st.composite
def lives(draw: st.DrawFn) -> list[Record]:
    """Up to nine observations of one customer's objects."""
    told = []
    for version in range(1, draw(st.integers(1, 9)) + 1):
        on = draw(st.integers(0, 120))
        kind = draw(st.sampled_from(["subscription", "subscription", "customer", "invoice"]))
        if kind == "subscription":
            obj = draw(subscriptions(on))
        elif kind == "customer":
            obj = customer(draw(st.none() | DISCOUNTS))
        else:
            billed = line(draw(st.integers(1, 9000)), of=draw(st.sampled_from(["si_1", "si_2"])), price="price_4")
            billed["period"]["start"] = day(draw(st.integers(0, 20)))
            reason = draw(st.sampled_from(["manual", "subscription_create"]))
            obj = invoice(billed, name=f"in_{version}", billing_reason=reason)
        change = draw(st.sampled_from(CHANGES))
        told.append(raw_record(kind, obj, at=day(on), version=version, change=change, offset=version))
    return told


@settings(max_examples=150, deadline=None)
@given(lives(), POLICIES, st.randoms(use_true_random=False))
def test_any_order_and_any_repeat_of_the_facts_gives_the_same_ledger(
    records: list[Record], policy: Policy, chance: Random
) -> None:
    shuffled = [*records, *chance.choices(records, k=2)]
    chance.shuffle(shuffled)
    one, other = Replay(policy).take(records).tick(END), Replay(policy).take(shuffled).tick(END)
    assert other.facts() == one.facts()
    assert other.standing() == one.standing()


@settings(max_examples=150, deadline=None)
@given(lives(), POLICIES)
def test_what_stands_is_what_follows_from_the_facts_afresh(records: list[Record], policy: Policy) -> None:
    replay = Replay(policy).take(records).tick(END)
    for subject, facts in replay.facts().items():
        rows = ledger(facts, InForce(policy), microseconds(END)).rows
        fresh = [(row.currency, instant_of(row.at), row.before, row.after, row.kind) for row in rows]
        assert replay.standing().get(subject, []) == fresh


def test_an_invoice_at_todays_price_ends_the_price_of_before_whichever_arrives_first() -> None:
    yearly = price(12_000, "year", id="price_new")
    told = [
        ("subscription", subscription(item(yearly))),
        ("invoice", invoice(line(1500, price="price_old"), name="in_1")),
        ("invoice", invoice(line(1500, start=day(31), days=28, price="price_old"), name="in_2")),
        ("invoice", invoice(line(12_000, start=day(40), days=365, price="price_new"), name="in_3")),
    ]
    records = [
        raw_record(kind, obj, at=day(90), version=version, change="backfilled", offset=version)
        for version, (kind, obj) in enumerate(told)
    ]
    ledgers = [Replay().take(order).tick(END).standing() for order in permutations(records)]
    assert all(ledger == ledgers[0] for ledger in ledgers)
    assert [(row[1], row[3]) for row in ledgers[0][SUBJECT]] == [(instant(0), 1500), (instant(40), 1000)]


def instant(on: float) -> datetime:
    return datetime.fromtimestamp(day(on), UTC)


@settings(max_examples=150, deadline=None)
@given(lives(), POLICIES)
def test_movements_add_up_to_mrr_whether_or_not_the_taken_back_are_left_out(
    records: list[Record], policy: Policy
) -> None:
    replay = Replay(policy).take(records).tick(END)
    summed: dict[str, int] = {}
    for movement in replay.movements:
        summed[movement.currency] = summed.get(movement.currency, 0) + movement.mrr_after - movement.mrr_before
    assert {currency: amount for currency, amount in sorted(summed.items()) if amount} == replay.mrr_at(END)
    taken_back = {movement.corrects for movement in replay.movements if movement.corrects}
    standing = [m for m in replay.movements if m.kind != "correction" and m.movement_id not in taken_back]
    told = sorted((m.currency, m.effective_at, m.mrr_before, m.mrr_after, m.kind) for m in standing)
    assert told == sorted(replay.standing().get(SUBJECT, []))


@settings(max_examples=150, deadline=None)
@given(lives(), POLICIES)
def test_each_row_goes_on_from_the_one_before_it(records: list[Record], policy: Policy) -> None:
    replay = Replay(policy).take(records).tick(END)
    last: dict[str, int] = {}
    for currency, _, before, after, kind in replay.standing().get(SUBJECT, []):
        assert before == last.get(currency, 0)
        expected = ("churn" if after == 0 else "expansion" if after > before else "contraction") if before else None
        assert kind == (expected or ("reactivation" if currency in last else "new"))
        last[currency] = after


@settings(max_examples=100, deadline=None)
@given(lives(), POLICIES)
def test_every_id_is_used_once(records: list[Record], policy: Policy) -> None:
    ids = [movement.movement_id for movement in Replay(policy).take(records).tick(END).movements]
    assert len(ids) == len(set(ids))


@settings(max_examples=100, deadline=None)
@given(lives(), POLICIES)
def test_nothing_is_told_before_it_takes_effect(records: list[Record], policy: Policy) -> None:
    for movement in Replay(policy).take(records).tick(END).movements:
        assert movement.effective_at <= movement.observed_at


@settings(max_examples=100, deadline=None)
@given(lives(), POLICIES)
def test_the_items_behind_a_row_add_up_to_it(records: list[Record], policy: Policy) -> None:
    for movement in Replay(policy).take(records).tick(END).movements:
        if movement.kind != "correction":
            assert sum(one["mrr"] for one in movement.detail["items"]) == movement.mrr_after


@settings(max_examples=100, deadline=None)
@given(lives(), POLICIES)
def test_a_state_is_the_same_after_it_was_stored(records: list[Record], policy: Policy) -> None:
    state = Replay(policy).take(records).states.get(SUBJECT)
    if state is not None:
        assert decode_state(SUBJECT, state.workspace_id, encode_state(state)) == state


@settings(max_examples=100, deadline=None)
@given(lives())
def test_stopping_anywhere_and_going_on_from_what_was_stored_changes_nothing(records: list[Record]) -> None:
    whole = Replay().take(records).tick(END)
    cut = Replay()
    for record in records:
        cut.take([record])
        for subject, state in cut.states.items():
            cut.states[subject] = decode_state(subject, state.workspace_id, encode_state(state))
    assert cut.tick(END).movements == whole.movements


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_swapping_plans_back_and_forth_leaves_no_residue(policy: Policy) -> None:
    plans = [price(1000), price(12_000, "year", id="price_2"), price(333, id="price_3"), price(3000, "month", 3)]
    told = Story(policy).see(subscription(item(plans[0])), 0, change="created")
    for number in range(1, 41):
        told.see(subscription(item(plans[number % 4])), number)
    told.see(subscription(item(plans[0])), 50)
    movements = told.play().movements
    assert sum(m.mrr_after - m.mrr_before for m in movements) == 1000
    assert sum(m.mrr_after - m.mrr_before for m in movements if m.kind in {"expansion", "contraction"}) == 0


def test_what_shows_the_same_once_more_costs_no_row_and_no_valuation(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Story().see(subscription(), 0, change="created")
    replay = told.play()

    def never(*_: object) -> None:
        raise AssertionError("the ledger was computed although nothing that bears on it came")

    monkeypatch.setattr("services.mrr.core.ledger", never)
    replay.take([raw_record("subscription", subscription(latest_invoice="in_9"), at=day(9), version=99, offset=9)])
    assert len(replay.movements) == 1
    assert replay.states[SUBJECT].facts.subscriptions[0][1][0].seen[-1].version == 99


def test_a_row_that_follows_again_after_it_was_taken_back_has_another_id() -> None:
    told = Story().see(subscription(), 0, change="created")
    replay = told.play()
    yes, no = customer(discount(percent=50)), customer()
    replay.take([raw_record("customer", yes, at=day(1), version=10), raw_record("customer", no, at=day(0), version=5)])
    kinds = [(m.kind, m.mrr_before, m.mrr_after) for m in replay.movements]
    assert kinds[0] == ("new", 0, 1000)
    assert len({m.movement_id for m in replay.movements}) == len(replay.movements)
    assert replay.mrr_at(instant_of((START + 400 * 86_400) * 1_000_000)) == {"usd": 500}


def test_a_correction_names_the_row_that_it_takes_back_and_undoes_it() -> None:
    told = Story().see(subscription(), 0, change="created").see(customer(discount(percent=50)), 1, change="created")
    first, correction, instead = told.play().movements
    assert _change(first) == (0, 1000)
    assert (correction.kind, correction.corrects) == ("correction", first.movement_id)
    assert _change(correction) == (1000, 0)
    assert (instead.kind, _change(instead)) == ("new", (0, 500))
    assert correction.effective_at == first.effective_at == instead.effective_at


def _change(movement: MrrMovement) -> tuple[int, int]:
    return movement.mrr_before, movement.mrr_after
