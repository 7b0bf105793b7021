"""Two tables side by side, in the order of their keys."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rebuild.compare import Difference, side_by_side

ROWS = st.dictionaries(st.text("ab", max_size=3), st.sampled_from(["x", "y"]))


@given(ROWS, ROWS)
def test_every_key_of_either_side_is_met_once_with_the_row_that_each_side_has(
    left: dict[str, str], right: dict[str, str]
) -> None:
    pairs = list(side_by_side(iter(sorted(left.items())), iter(sorted(right.items()))))
    met = [(a or b or ("", ""))[0] for a, b in pairs]
    assert met == sorted(left.keys() | right.keys())
    assert {a[0]: a[1] for a, _ in pairs if a} == left
    assert {b[0]: b[1] for _, b in pairs if b} == right
    assert all(a is None or b is None or a[0] == b[0] for a, b in pairs)


def test_a_difference_names_the_columns_that_differ() -> None:
    assert Difference({"id": 1, "name": "a"}, {"id": 1, "name": "b"}).columns == ("name",)
    assert Difference(None, {"id": 1}).columns == ()
