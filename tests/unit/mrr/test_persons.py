"""Whose number stands, where a user is one person with several customers, or a customer with several users."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import CONTROL_DECISION, IDENTITY_MATCH, PRODUCT_IDENTIFY
from services.mrr.in_force import Away, Cause, apart, less
from services.mrr.persons import End, First, Persons, Revision, Together, together

U, V = "ws/u", "ws/v"
A, B, OTHER = "con_1/a", "con_1/b", "con_2/c"
PAIRS = [(customer, user) for customer in (A, B, OTHER) for user in (U, V)]
LAST = 40

Spans = list[tuple[int, int | None]]


def cause(at: int, topic: str = IDENTITY_MATCH.name) -> Cause:
    return Cause(at, topic, 0, 0, f"c{at}")


def spans(of: Sequence[Away]) -> Spans:
    return [(span.start, span.end) for span in of]


def matched(customer: str, user: str, *instants: int) -> list[Together]:
    """Matched at the first instant, no longer at the second, and so on."""
    said = [Revision(n, n % 2 == 1, at, cause(at)) for n, at in enumerate(instants, start=1)]
    return list(together(customer, user, said))


def persons(*pairs: Together, said: dict[str, int]) -> Persons:
    found: dict[str, tuple[Together, ...]] = {}
    for span in pairs:
        for subject in (span.customer, span.user):
            found[subject] = (*found.get(subject, ()), span)
    return Persons(found, {user: First(at, cause(at, PRODUCT_IDENTIFY.name)) for user, at in said.items()})


def test_while_the_user_is_another_customers_the_number_of_the_next_one_is_its_own() -> None:
    who = persons(*matched(A, U, 10, 20), *matched(B, U, 30), said={U: 5})
    assert spans(apart(who.away(A, {}))) == [(5, 10)]
    assert spans(apart(who.away(B, {}))) == [(5, 10), (20, 30)]
    assert spans(apart(who.away(U, {}))) == [(10, 20), (30, None)]


def test_where_the_other_customers_account_is_disconnected_identifys_number_stands_until_the_next_match() -> None:
    who = persons(*matched(OTHER, U, 10), *matched(B, U, 30), said={U: 5})
    ended: dict[str, End] = {"con_2": (20, cause(20, CONTROL_DECISION.name))}
    assert spans(apart(who.away(B, ended))) == [(5, 10), (20, 30)]
    assert spans(apart(who.away(U, ended))) == [(10, 20), (30, None)]


def test_matches_of_accounts_that_are_set_aside_move_nothing() -> None:
    who = persons(*matched(A, U, 10), *matched(OTHER, U, 7), said={U: 5}).without({"con_2"})
    assert spans(apart(who.away(OTHER, {}))) == []
    assert spans(apart(who.away(A, {}))) == [(5, 10)]
    assert spans(apart(who.away(U, {}))) == [(10, None)]


ENDS = st.dictionaries(st.sampled_from(["con_1", "con_2"]), st.integers(0, LAST), max_size=2)
MATCHES = st.dictionaries(st.sampled_from(PAIRS), st.lists(st.integers(0, LAST), min_size=1, max_size=4), max_size=6)
SAID = st.dictionaries(st.sampled_from([U, V]), st.integers(0, LAST), max_size=2)


@settings(max_examples=400, deadline=None)
@given(MATCHES, SAID, ENDS)
def test_at_every_instant_a_person_counts_and_none_counts_twice(
    matches: dict[tuple[str, str], list[int]], said: dict[str, int], ends: dict[str, int]
) -> None:
    pairs = [span for (customer, user), instants in matches.items() for span in matched(customer, user, *instants)]
    who = persons(*pairs, said=said)
    ended: dict[str, End] = {connection: (at, cause(at)) for connection, at in ends.items()}
    away = {subject: apart(who.away(subject, ended)) for subject in (A, B, OTHER, U, V)}

    def stands(subject: str, at: int) -> bool:
        return not any(span.start <= at and (span.end is None or at < span.end) for span in away[subject])

    def is_there(customer: str, at: int) -> bool:
        return at < ends.get(customer.partition("/")[0], LAST + 9)

    def tells(user: str, at: int) -> bool:
        return user in said and said[user] <= at and stands(user, at)

    for at in range(LAST + 2):
        for customer, user in matches:
            own = [span for span in pairs if (span.customer, span.user) == (customer, user)]
            before = min(span.start for span in own)
            together_now = any(span.start <= at and (span.end is None or at < span.end) for span in own)
            others = [one for known, one in matches if known == customer]
            if together_now and is_there(customer, at):
                assert not stands(user, at)
                assert stands(customer, at) or any(tells(one, at) for one in others)
            if at < before and tells(user, at):
                assert not stands(customer, at)
            if not stands(customer, at):
                assert any(tells(one, at) for one in others)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)),
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=4),
)
def test_what_is_left_of_a_span_is_what_the_others_do_not_cover(
    whole: tuple[int, int | None], others: list[tuple[int, int | None]]
) -> None:
    def covers(span: Away, at: int) -> bool:
        return span.start <= at and (span.end is None or at < span.end)

    taken = apart(Away(start, cause(start), end, cause(end or 0)) for start, end in others)
    span = Away(whole[0], cause(0), whole[1], cause(0))
    left = list(less(span, taken))
    for at in range(12):
        wanted = covers(span, at) and not any(covers(one, at) for one in taken)
        assert any(covers(one, at) for one in left) == wanted
