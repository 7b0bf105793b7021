"""What a benchmark says of itself."""

import json

import pytest

from bench.__main__ import names
from bench.measurement import Measurement


def _measured(value: float, *, lower_is_better: bool = False) -> Measurement:
    return Measurement(
        name="x", value=value, unit="s", goal=5.0, compared_with={"y": 1.0}, lower_is_better=lower_is_better
    )


@pytest.mark.parametrize(("value", "more", "less"), [(5, True, True), (6, True, False), (4, False, True)])
def test_a_goal_holds_on_its_side(value: float, more: bool, less: bool) -> None:
    assert _measured(value).holds is more
    assert _measured(value, lower_is_better=True).holds is less


def test_every_one_of_several_figures_must_reach_its_goal() -> None:
    measured = Measurement(name="x", value={"a": 9, "b": 4}, unit="s", goal={"a": 5, "b": 5}, compared_with={})
    assert not measured.holds
    assert "MISSED" in measured.table()


def test_json_is_one_object_with_the_names_that_were_agreed() -> None:
    assert list(json.loads(_measured(7).encode())) == ["name", "value", "unit", "goal", "holds", "compared_with"]


def test_a_benchmark_is_found_by_the_name_of_its_module() -> None:
    assert "pipeline" in names()
