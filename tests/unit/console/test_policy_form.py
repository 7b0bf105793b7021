"""The dunning policy as text: what is shown reads back as the same, and a change is what differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.decisions import USUAL_DUNNING, DunningPolicy
from services.console.errors import Refused
from services.console.policy_form import changes, shown

hours = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1])
policies = st.builds(
    lambda days, wait, pair, gap, recovery, stop, thresholds: DunningPolicy(
        days=tuple(sorted(days)),
        wait_minutes=wait,
        first_hour=pair[0],
        last_hour=pair[1],
        gap_hours=gap,
        recovery_days=recovery,
        stop_when_canceling=stop,
        thresholds=thresholds,
    ),
    st.sets(st.integers(0, 90), min_size=1, max_size=5),
    st.integers(0, 10080),
    hours,
    st.integers(0, 720),
    st.integers(0, 365),
    st.booleans(),
    st.dictionaries(st.sampled_from(["usd", "jpy", "kwd", "eur"]), st.integers(0, 10**9)),
)


@given(policies)
def test_what_is_shown_and_saved_unchanged_changes_nothing(policy: DunningPolicy) -> None:
    assert changes(shown(policy), policy) == {}


@given(policies, policies)
def test_a_saved_form_leads_from_one_policy_to_the_other(before: DunningPolicy, after: DunningPolicy) -> None:
    change = changes(shown(after), before)
    assert DunningPolicy(**{**before.model_dump(), **change}) == after
    assert DunningPolicy(**change) is not None


@pytest.mark.parametrize("text", ["", "three", "3, 3", "7, 3", "0 1 2 3 4 5", "-1"])
def test_days_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="days of the emails"):
        changes({**shown(USUAL_DUNNING), "days": text}, USUAL_DUNNING)
