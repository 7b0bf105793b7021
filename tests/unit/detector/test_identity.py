"""Who is whom: the two rules, and that neither the order nor the repetition of what is said matters."""

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.product import ProductMessage
from services.detector.identity import CustomerSaid, HandSaid, Match, Pair, Person, Said, owner_of
from services.detector.saying import customer_said, user_said
from tests.unit.detector.people import CONNECTION, WORKSPACE, Directory, by_hand, customer, everybody, matched, user

ADA, BOB = "ada@example.com", "bob@example.com"


def test_the_metadata_of_a_customer_names_its_user() -> None:
    found = everybody(customer(user_ids=["u_1"], email=BOB), user("u_1", email=ADA), user("u_2", email=BOB))
    assert matched(found) == {("cus_1", "u_1", "metadata")}


def test_of_two_users_that_metadata_names_the_first_that_is_known_is_the_one() -> None:
    found = everybody(customer(user_ids=["u_1", "u_2"]), user("u_2"))
    assert matched(found) == {("cus_1", "u_2", "metadata")}
    assert matched(found.say(user("u_1"))) == {("cus_1", "u_1", "metadata")}


def test_metadata_that_names_nobody_who_is_known_leaves_it_to_the_address() -> None:
    found = everybody(customer(user_ids=["internal-77"], email=ADA), user("u_1", email=ADA))
    assert matched(found) == {("cus_1", "u_1", "email")}


def test_an_address_that_one_customer_has_is_its_users() -> None:
    assert matched(everybody(customer(email=ADA), user(email=ADA))) == {("cus_1", "u_1", "email")}


def test_an_address_that_two_customers_have_says_nothing_until_one_of_them_lets_go_of_it() -> None:
    found = everybody(user(email=ADA), customer("cus_1", email=ADA), customer("cus_2", email=ADA))
    assert matched(found) == set()
    assert matched(found.say(customer("cus_1", version=2, email=BOB))) == {("cus_2", "u_1", "email")}
    assert matched(found.say(customer("cus_1", version=3, email=ADA))) == set()
    assert matched(found.say(customer("cus_1", version=4, deleted=True))) == {("cus_2", "u_1", "email")}


def test_several_users_with_the_address_of_one_customer_are_all_its_users() -> None:
    found = everybody(customer(email=ADA), user("u_1", email=ADA), user("u_2", email=ADA))
    assert matched(found) == {("cus_1", "u_1", "email"), ("cus_1", "u_2", "email")}


def test_nobody_is_matched_by_having_no_address() -> None:
    assert matched(everybody(customer(), user(), user("u_2"))) == set()


def test_a_deleted_customer_is_nobodys() -> None:
    found = everybody(customer(user_ids=["u_1"]), user())
    found.say(customer(version=2, deleted=True))
    assert matched(found) == set()
    assert [change.published.state for change in found.said] == ["matched", "unmatched"]


def test_each_connection_is_matched_by_itself() -> None:
    test = customer("cus_1", connection="con_test", email=ADA)
    found = everybody(customer("cus_1", email=ADA), test, user(email=ADA))
    assert set(found.standing()) == {Pair(CONNECTION, "cus_1", "u_1"), Pair("con_test", "cus_1", "u_1")}


def test_an_older_version_that_comes_late_changes_nothing_that_holds() -> None:
    found = everybody(customer(version=5, email=ADA), user(email=ADA))
    assert matched(found.say(customer(version=4, email=BOB))) == {("cus_1", "u_1", "email")}


def test_the_latest_message_says_which_address_a_user_has() -> None:
    found = everybody(customer(email=ADA), user(at=20, email=ADA), user(at=10, email=BOB))
    assert matched(found) == {("cus_1", "u_1", "email")}
    assert matched(found.say(user(at=30, message="n", email=BOB))) == set()


def test_a_message_without_an_address_leaves_the_one_before() -> None:
    found = everybody(customer(email=ADA), user(at=20, email=ADA), user(at=30, message="n", name="Ada"))
    assert matched(found) == {("cus_1", "u_1", "email")}


def test_a_match_holds_since_both_had_said_what_they_are_matched_by() -> None:
    found = everybody(customer(version=3, email=ADA), customer(version=9, email=ADA), user(at=700, email=ADA))
    assert list(found.standing().values()) == [Match("email", 700)]
    found = everybody(user(at=50, email=ADA), customer(version=3, email=ADA))
    assert list(found.standing().values()) == [Match("email", 300)]


def test_what_is_said_once_more_is_told_once() -> None:
    told: list[Said] = [customer(email=ADA), user(email=ADA)]
    found = everybody(*told, *told, customer(version=2, email=ADA))
    assert len(found.said) == 1


def test_every_change_of_a_pair_has_a_revision_of_its_own() -> None:
    found = everybody(customer(email=ADA), user(email=ADA), customer("cus_2", email=ADA))
    found.say(customer("cus_2", version=2, email=BOB), customer("cus_1", version=2, email=ADA, user_ids=["u_1"]))
    told = [(change.published.state, change.published.by, change.published.revision) for change in found.said]
    assert told == [
        ("matched", "email", 1),
        ("unmatched", "email", 2),
        ("matched", "email", 3),
        ("matched", "metadata", 4),
    ]


def test_what_a_person_decided_stands_whatever_the_rules_say() -> None:
    found = everybody(customer(email=ADA, user_ids=["u_2"]), user("u_1"), user("u_2", email=ADA))
    assert matched(found) == {("cus_1", "u_2", "metadata")}
    assert matched(found.say(by_hand())) == {("cus_1", "u_1", "hand")}
    assert found.standing()[Pair(CONNECTION, "cus_1", "u_1")].since == 1000
    assert matched(found.say(customer(version=2, email=ADA, user_ids=["u_2"]))) == {("cus_1", "u_1", "hand")}


def test_a_match_that_a_person_undid_is_not_made_again_by_a_rule() -> None:
    found = everybody(customer(email=ADA, user_ids=["u_1"]), user(email=ADA), by_hand(matched=False))
    assert matched(found) == set()
    assert matched(found.say(customer(version=2, email=ADA), user(at=60, message="n", email=ADA))) == set()
    assert matched(found.say(by_hand(at=2000, decision="dec_2"))) == {("cus_1", "u_1", "hand")}


def test_undoing_a_match_by_hand_leaves_the_others_to_the_rules() -> None:
    found = everybody(customer(email=ADA), user(email=BOB), user("u_2", email=ADA), by_hand())
    assert matched(found) == {("cus_1", "u_1", "hand")}
    assert matched(found.say(by_hand(matched=False, at=2000, decision="dec_2"))) == {("cus_1", "u_2", "email")}


def test_a_customer_may_be_decided_about_before_it_or_its_user_is_seen() -> None:
    found = everybody(by_hand())
    assert matched(found) == set()
    assert matched(found.say(customer())) == set()
    assert matched(found.say(user(at=5000))) == {("cus_1", "u_1", "hand")}
    assert found.standing()[Pair(CONNECTION, "cus_1", "u_1")].since == 5000


def _named(said: Said) -> tuple[str, object]:
    """A version of a customer, or a message, is what it is for good."""
    if isinstance(said, CustomerSaid):
        return owner_of(said), said.version
    return said.id if isinstance(said, HandSaid) else owner_of(said), said.id


emails = st.none() | st.sampled_from([ADA, BOB, "c@example.com"])
names = st.sampled_from(["u_1", "u_2", "u_3"])
customers = st.builds(
    lambda name, connection, version, email, user_ids, deleted: (
        customer(name, connection=connection, version=version, email=email, user_ids=user_ids, deleted=deleted)
        if not deleted
        else customer(name, connection=connection, version=version, deleted=True)
    ),
    st.sampled_from(["cus_1", "cus_2", "cus_3"]),
    st.sampled_from([CONNECTION, "con_2"]),
    st.integers(1, 10**6),
    emails,
    st.lists(names | st.just("internal"), max_size=2, unique=True),
    st.integers(0, 5).map(lambda chance: chance == 0),
)
users = st.builds(
    lambda name, at, message, email: user(name, at=at, message=f"m{message}", email=email),
    names,
    st.integers(1, 900),
    st.integers(1, 10**6),
    emails,
)
hands = st.builds(
    lambda name, user_id, matched, at, decision: by_hand(
        name, user_id, matched=matched, at=at, decision=f"dec_{decision}"
    ),
    st.sampled_from(["cus_1", "cus_2", "cus_3"]),
    names,
    st.booleans(),
    st.integers(1, 900),
    st.integers(1, 10**6),
)
lives = st.lists(
    customers | users | hands,
    max_size=14,
    unique_by=_named,
)


def stored(directory: Directory) -> dict[str, bytes]:
    return {owner: msgspec.msgpack.encode(person) for owner, person in directory.people.items()}


@settings(max_examples=400, deadline=None)
@given(lives, st.randoms(use_true_random=False))
def test_any_order_and_any_repeat_of_what_was_said_ends_with_the_same_people_and_matches(
    told: list[Said], chance: Random
) -> None:
    shuffled = [*told, *(chance.choices(told, k=3) if told else [])]
    chance.shuffle(shuffled)
    one, other = everybody(*told), everybody(*shuffled)
    assert stored(other) == stored(one)
    assert other.standing() == one.standing()


@settings(max_examples=400, deadline=None)
@given(lives)
def test_deciding_only_those_who_are_affected_is_deciding_everybody(told: list[Said]) -> None:
    found = Directory()
    for said in told:
        found.say(said)
        assert found.standing() == found.follows()


@settings(max_examples=100, deadline=None)
@given(lives)
def test_what_was_published_adds_up_to_what_holds(told: list[Said]) -> None:
    found = everybody(*told)
    lives_of: dict[Pair, list[str]] = {}
    for change in found.said:
        lives_of.setdefault(change.pair, []).append(change.published.state)
        assert change.published.revision == len(lives_of[change.pair])
    assert all(states[0] == "matched" for states in lives_of.values())
    assert {pair for pair, states in lives_of.items() if states[-1] == "matched"} == set(found.standing())


@settings(max_examples=100, deadline=None)
@given(lives)
def test_a_person_is_the_same_after_it_was_stored(told: list[Said]) -> None:
    decoder = msgspec.msgpack.Decoder(Person)
    for person in everybody(*told).people.values():
        assert decoder.decode(msgspec.msgpack.encode(person)) == person


def test_a_customers_address_and_metadata_are_read_as_stripe_has_them() -> None:
    obj = {"id": "cus_1", "object": "customer", "email": " Ada@Example.com ", "metadata": {"dropfix_user_id": "u_2"}}
    said = customer_said(obj, workspace_id=WORKSPACE, connection_id=CONNECTION, livemode=True, version=1, at=100)
    assert (said.email, said.user_ids, said.deleted) == (ADA, ("u_2",), False)
    both = customer_said(
        {**obj, "metadata": {"dropfix_user_id": "u_2", "user_id": "u_1"}},
        workspace_id=WORKSPACE,
        connection_id=CONNECTION,
        livemode=True,
        version=1,
        at=100,
    )
    assert both.user_ids == ("u_1", "u_2")


def test_values_that_no_table_can_hold_are_left_out() -> None:
    for odd in (7, None, "", "  ", "a\0b", "x" * 400, ["a"], {"a": 1}, True):
        obj = {"id": "cus_1", "object": "customer", "email": odd, "metadata": {"user_id": odd}}
        said = customer_said(obj, workspace_id=WORKSPACE, connection_id=CONNECTION, livemode=True, version=1, at=1)
        assert (said.email, said.user_ids) == (None, ())


def message(**changes: object) -> ProductMessage:
    fields = {"type": "identify", "message_id": "m1", "user_id": "u_1", "traits": {"email": " ADA@example.com"}}
    instants = {"timestamp": "2026-03-05T09:00:00Z", "received_at": "2026-03-05T09:00:00Z"}
    return ProductMessage.model_validate({**fields, **instants, **changes})


def test_what_identify_says_of_a_user_is_read_in_lower_case() -> None:
    said = user_said(message(), WORKSPACE)
    assert said is not None
    assert (said.user_id, said.email, said.id) == ("u_1", ADA, "m1")


def test_somebody_who_is_not_known_yet_is_no_user() -> None:
    assert user_said(message(user_id=None, anonymous_id="a1"), WORKSPACE) is None


def test_what_a_group_is_called_is_no_users_address() -> None:
    said = user_said(message(type="group", group_id="g1"), WORKSPACE)
    assert said is not None
    assert said.email is None
