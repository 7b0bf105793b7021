"""The fence admits each record once, whatever a source delivers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Gap
from pipeline.fence import admit, covers
from tests.fixtures.records import record


def _offsets(batch: list[int], expected: int, erased: list[tuple[int, int]] | None = None) -> list[int]:
    return [r.offset for r in admit([record(offset) for offset in batch], expected, erased or [])]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=30))
def test_whatever_stretches_are_delivered_again_each_offset_is_admitted_once(stretches: list[tuple[int, int]]) -> None:
    admitted: list[int] = []
    for start, length in stretches:
        first = min(start, len(admitted))  # a source repeats, it does not skip
        admitted += _offsets(list(range(first, first + length)), len(admitted))
    assert admitted == list(range(len(admitted)))


def test_a_stretch_that_is_twice_in_one_batch_counts_once() -> None:
    assert _offsets([100, 101, 102, 100, 101, 102, 103], 100) == [100, 101, 102, 103]


def test_records_below_the_offset_are_dropped() -> None:
    assert _offsets([5, 6, 7], 7) == [7]
    assert _offsets([5, 6], 7) == []


def test_a_record_above_the_offset_is_a_gap_that_says_where() -> None:
    with pytest.raises(Gap, match=r"counting\.one\.v1/0: expected offset 7, found 9"):
        _offsets([9], 7)


def test_a_gap_inside_a_batch_is_found_too() -> None:
    with pytest.raises(Gap):
        _offsets([7, 8, 10], 7)


def test_a_gap_that_an_erasure_wrote_down_is_crossed() -> None:
    assert _offsets([7, 10], 7, [(8, 9)]) == [7, 10]


def test_a_gap_that_is_erased_in_part_only_is_a_gap() -> None:
    with pytest.raises(Gap):
        _offsets([7, 11], 7, [(8, 9)])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=8), st.integers(0, 40), st.integers(0, 15))
def test_a_stretch_is_covered_if_every_offset_of_it_is(drawn: list[tuple[int, int]], first: int, length: int) -> None:
    ranges = [(low, low + more) for low, more in drawn]
    each = all(any(low <= offset <= high for low, high in ranges) for offset in range(first, first + length))
    assert covers(ranges, first, first + length) is each
