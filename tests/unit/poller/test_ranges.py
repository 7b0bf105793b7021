"""Cutting a list into shards: every object in exactly one of them, with few pages that are not full."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from services.poller.first_sync.ranges import Span, cut

PAGE = 100
SPANS = st.builds(
    lambda since, length, bounded: Span(since if bounded else None, since + length),
    st.integers(0, 10**9),
    st.integers(1, 10**8),
    st.booleans(),
)


@given(SPANS, st.integers(1, 10**7))
def test_the_parts_of_a_cut_meet_and_never_overlap(rest: Span, seconds_per_page: int) -> None:
    parts = cut(rest, seconds_per_page=float(seconds_per_page))
    if parts is not None:
        newer, older = parts
        assert (newer.until, older.since, newer.since) == (rest.until, rest.since, older.until)
        assert newer.since is not None
        assert newer.since < newer.until
        assert older.since is None or older.since < older.until


def test_a_rest_of_a_page_or_two_is_not_cut() -> None:
    assert cut(Span(0, 150), seconds_per_page=100.0) is None
    assert cut(Span(0, 1), seconds_per_page=0.0) is None


def read_all(created: list[int], since: int | None, readers: int) -> tuple[list[int], int]:
    """Read a population in shards, one page of each in turn; gives the positions read and the pages it took."""
    newest_first = sorted(range(len(created)), key=lambda position: (-created[position], position))
    shards = deque([(since, 10**10, -1)])
    positions: list[int] = []
    pages = 0
    while shards:
        low, high, after = shards.popleft()
        rows = [
            rank
            for rank, position in enumerate(newest_first)
            if rank > after and created[position] < high and (low is None or created[position] >= low)
        ]
        page, more = rows[:PAGE], len(rows) > PAGE
        pages += 1
        positions.extend(newest_first[rank] for rank in page)
        if not more:
            continue
        oldest = created[newest_first[page[-1]]]
        width = max(1, created[newest_first[page[0]]] - oldest)
        parts = cut(Span(low, oldest + 1), seconds_per_page=float(width)) if len(shards) + 1 < readers else None
        if parts is not None:
            shards.append((parts[1].since, parts[1].until, -1))
            low = parts[0].since
        shards.append((low, oldest + 1, page[-1]))
    return positions, pages


@given(
    st.lists(st.integers(0, 10_000), max_size=900) | st.lists(st.sampled_from([7, 8]), max_size=900),
    st.booleans(),
    st.integers(1, 6),
)
def test_shards_read_every_object_exactly_once(created: list[int], bounded: bool, readers: int) -> None:
    positions, _ = read_all(created, 0 if bounded else None, readers)
    assert sorted(positions) == list(range(len(created)))


def test_side_by_side_takes_hardly_more_pages_than_one_after_the_other() -> None:
    evenly = list(range(0, 6_000 * 1_300, 1_300))
    positions, pages = read_all(evenly, 0, 6)
    assert len(positions) == 6_000
    assert pages <= 60 * 1.3
