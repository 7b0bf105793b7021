"""The order of the first minute, what it asks for, and a progress that only grows."""

from hypothesis import given
from hypothesis import strategies as st

from services.poller.connecting.connect import alike
from services.poller.first_sync.first_minute import DAY, STAGES, Stage, Task, percent_of, tasks
from services.poller.kinds import KINDS
from services.poller.reading.capabilities import Capabilities, warnings

NOW = 1_800_000_000
FULL = Capabilities(dict.fromkeys(KINDS, "granted"), searchable=("customer", "subscription", "charge"))


def by_name(found: Capabilities = FULL) -> dict[str, Task]:
    return {task.name: task for task in tasks(found, as_of=NOW)}


def test_failures_come_first_then_lapses_then_mrr_then_the_rest() -> None:
    stages = [task.stage for task in tasks(FULL, as_of=NOW)]
    assert stages == sorted(stages, key=STAGES.index)
    assert set(stages) == set(STAGES[1:])


def test_names_are_unique_since_progress_is_kept_by_them() -> None:
    assert len(by_name()) == len(tasks(FULL, as_of=NOW))


def test_every_kind_is_read_and_history_goes_back_ninety_days() -> None:
    found = by_name()
    assert {task.query.kind for task in found.values()} == set(KINDS)
    for name in ("invoices", "charges", "payment_intents", "disputes"):
        assert found[name].query.created_from == NOW - 90 * DAY
    assert found["customers"].query.created_from is None


def test_every_read_asks_for_what_belongs_to_the_object() -> None:
    for task in tasks(FULL, as_of=NOW):
        assert task.query.expand.issuperset(FULL.belonging[task.query.kind])


def test_without_search_the_lists_are_the_way() -> None:
    found = by_name(Capabilities(dict.fromkeys(KINDS, "granted")))
    assert all(task.query.search is None for task in found.values())
    assert found["ended_in_window"].query.filters["current_period_end[gte]"] == str(NOW - 30 * DAY)


def test_what_the_key_may_not_read_is_left_out() -> None:
    kinds = {task.query.kind for task in tasks(FULL.without("charge"), as_of=NOW)}
    assert kinds == set(KINDS) - {"charge"}


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.floats(-1, 2)), max_size=20))
def test_progress_only_grows(steps: list[tuple[Stage, float]]) -> None:
    percent = 0
    for stage, share in steps:
        moved = percent_of(stage, share=share, before=percent)
        assert percent <= moved <= 100
        percent = moved


def test_each_missing_permission_is_named_with_what_does_not_work() -> None:
    for kind in KINDS:
        said = warnings(FULL.without(kind), key_is_secret=False)
        assert len(said) == 1
        assert said[0].startswith("The permission “")


def test_a_secret_key_is_answered_with_a_request_for_a_restricted_one() -> None:
    assert "restricted" in warnings(FULL, key_is_secret=True)[0]
    assert warnings(FULL, key_is_secret=False) == []


def test_discounts_that_cannot_be_read_are_said() -> None:
    lacking = Capabilities(FULL.permissions, ("subscription:discounts",), FULL.searchable)
    assert "MRR" in warnings(lacking, key_is_secret=False)[0]
    assert lacking.belonging["subscription"] == ("items.data.discounts",)


def test_payments_that_one_read_cannot_have_are_asked_for_in_none() -> None:
    assert alike(["invoice:payments"]) == ("invoice:payments", "subscription:latest_invoice.payments")
    assert alike(["charge:payment_intent"]) == ("charge:payment_intent",)
