"""Who is whom: from what customers and users say of themselves to which of them are one person. Pure.

    merge(person, said) -> person          commutative and idempotent
    matches_of(people, customers)          what follows, a function of what was said and not of its order

For each customer that is not deleted, in this order:
0. a person decided whose user it is; of whom a person decided that it is not, no rule says otherwise;
1. its metadata names a user (`user_id`, else `dropfix_user_id`) that the product knows;
2. it has an e-mail address, lower-cased, that no other customer of its connection has: every user with that address.

All of it is within one workspace, and matches are within one connection, so test and live mode never meet. Times are
Unix microseconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

Kind = Literal["email", "user_id"]
Rule = Literal["metadata", "email", "hand"]
State = Literal["matched", "unmatched"]


class Identifier(NamedTuple):
    """What somebody goes by, in one workspace: an e-mail address in lower case, or the product's id of a user."""

    workspace_id: str
    kind: Kind
    value: str


class CustomerSaid(msgspec.Struct, frozen=True):
    """One version of a customer of Stripe's. `user_ids` are those that its metadata names, the first first."""

    workspace_id: str
    connection_id: str
    customer_id: str
    livemode: bool
    version: int
    at: int
    email: str | None = None
    user_ids: tuple[str, ...] = ()
    deleted: bool = False


class UserSaid(msgspec.Struct, frozen=True):
    """One message of the product's about a user. `at` is when it happened, `id` its `messageId`."""

    workspace_id: str
    user_id: str
    id: str
    at: int
    email: str | None = None
    name: str | None = None


class HandSaid(msgspec.Struct, frozen=True):
    """A person's decision that a customer and a user are one person, or that they are not. `id` is the decision's."""

    workspace_id: str
    connection_id: str
    customer_id: str
    user_id: str
    matched: bool
    at: int
    id: str


class Hand(msgspec.Struct, frozen=True, array_like=True):
    """What a person decided of a customer and a user last."""

    at: int
    id: str
    matched: bool


class Told(msgspec.Struct, frozen=True, array_like=True):
    """Something that a user was last said to have: the latest message counts, of two at once the one with the greater
    id."""

    at: int
    id: str
    value: str


class Customer(msgspec.Struct, frozen=True, tag="customer"):
    """A customer as its latest version has it. `firsts`: since when it ever said each identifier; `hands`: by user,
    what a person decided."""

    latest: CustomerSaid
    firsts: dict[str, int] = {}
    hands: dict[str, Hand] = {}

    @property
    def owner(self) -> str:
        return f"{self.latest.connection_id}/{self.latest.customer_id}"

    @property
    def workspace_id(self) -> str:
        return self.latest.workspace_id

    def held(self) -> Iterator[Identifier]:
        """What it goes by now; a deleted one by nothing."""
        if self.latest.deleted:
            return
        if self.latest.email:
            yield Identifier(self.workspace_id, "email", self.latest.email)
        by_hand = (user_id for user_id, hand in self.hands.items() if hand.matched)
        for user_id in dict.fromkeys((*self.latest.user_ids, *by_hand)):
            yield Identifier(self.workspace_id, "user_id", user_id)

    def first(self, kind: Kind, value: str) -> int:
        return self.firsts[f"{kind}:{value}"]


class User(msgspec.Struct, frozen=True, tag="user"):
    """A user of the product. `since`: the earliest that was said of it."""

    workspace_id: str
    user_id: str
    since: int
    email: Told | None = None
    name: Told | None = None
    firsts: dict[str, int] = {}

    @property
    def owner(self) -> str:
        return f"{self.workspace_id}/{self.user_id}"

    def held(self) -> Iterator[Identifier]:
        """What it goes by now."""
        yield Identifier(self.workspace_id, "user_id", self.user_id)
        if self.email is not None:
            yield Identifier(self.workspace_id, "email", self.email.value)

    def first(self, kind: Kind, value: str) -> int:
        return self.since if kind == "user_id" else self.firsts[f"{kind}:{value}"]


Person = Customer | User
Said = CustomerSaid | UserSaid | HandSaid


def owner_of(said: Said) -> str:
    """Whom it is about: the subject of its records."""
    if isinstance(said, UserSaid):
        return f"{said.workspace_id}/{said.user_id}"
    return f"{said.connection_id}/{said.customer_id}"


def merge(person: Person | None, said: Said) -> Person:
    """The person with one more thing that was said of it."""
    if isinstance(said, UserSaid):
        return _merge_user(person if isinstance(person, User) else None, said)
    known = person if isinstance(person, Customer) else None
    return _merge_hand(known or _unseen(said), said) if isinstance(said, HandSaid) else _merge_customer(known, said)


def _merge_customer(known: Customer | None, said: CustomerSaid) -> Customer:
    told = Customer(said)
    firsts = _with_firsts(known.firsts if known else {}, told.held(), said.at)
    newest = said if known is None or said.version > known.latest.version else known.latest
    return Customer(newest, firsts, known.hands if known else {})


def _unseen(said: HandSaid) -> Customer:
    """A customer that was decided about before it was seen: until then it goes by nothing."""
    return Customer(
        CustomerSaid(said.workspace_id, said.connection_id, said.customer_id, False, version=-1, at=0, deleted=True)
    )


def _merge_hand(known: Customer, said: HandSaid) -> Customer:
    told, before = Hand(said.at, said.id, said.matched), known.hands.get(said.user_id)
    latest = told if before is None else max(before, told, key=lambda hand: (hand.at, hand.id))
    return msgspec.structs.replace(known, hands=dict(sorted({**known.hands, said.user_id: latest}.items())))


def _merge_user(known: User | None, said: UserSaid) -> User:
    email, name = (None if value is None else Told(said.at, said.id, value) for value in (said.email, said.name))
    held = (Identifier(said.workspace_id, "email", said.email),) if said.email else ()
    return User(
        workspace_id=said.workspace_id,
        user_id=said.user_id,
        since=said.at if known is None else min(known.since, said.at),
        email=_later(known.email if known else None, email),
        name=_later(known.name if known else None, name),
        firsts=_with_firsts(known.firsts if known else {}, held, said.at),
    )


def _later(a: Told | None, b: Told | None) -> Told | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b, key=lambda told: (told.at, told.id, told.value))


def _with_firsts(firsts: Mapping[str, int], held: Iterable[Identifier], at: int) -> dict[str, int]:
    found = dict(firsts)
    for identifier in held:
        key = f"{identifier.kind}:{identifier.value}"
        found[key] = min(at, found.get(key, at))
    return dict(sorted(found.items()))


def touched(before: Person | None, after: Person) -> frozenset[Identifier]:
    """The identifiers of which somebody else's match may depend on this change. Empty where nothing of it changed."""
    known = frozenset(before.held()) if before else frozenset()
    now = frozenset(after.held())
    return frozenset() if before is not None and known == now and _same_times(before, after) else known | now


def _same_times(before: Person, after: Person) -> bool:
    """Whether all was said as early as before: since when a match holds goes by it. What people decided counts too."""
    if isinstance(before, Customer) and isinstance(after, Customer) and before.hands != after.hands:
        return False
    if isinstance(before, User) and isinstance(after, User) and before.since != after.since:
        return False
    return before.firsts == after.firsts


class Pair(NamedTuple):
    """A customer and a user."""

    connection_id: str
    customer_id: str
    user_id: str


class Match(msgspec.Struct, frozen=True):
    """That they are one person: by which rule, and since when both had said what they are matched by."""

    by: Rule
    since: int


@dataclass(frozen=True)
class People:
    """Those of one workspace that bear on some customers: all that hold an identifier of theirs."""

    customers: Mapping[str, Customer] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Person]) -> "People":
        """These people, by how they are looked up."""
        customers: dict[str, Customer] = {}
        users: dict[str, User] = {}
        for person in people:
            if isinstance(person, Customer):
                customers[person.owner] = person
            else:
                users[person.user_id] = person
        return cls(customers, users)


def matches_of(people: People, owners: Iterable[str]) -> dict[Pair, Match]:
    """The matches of these customers, among these people."""
    holders: dict[tuple[str, str], int] = {}
    for customer in people.customers.values():
        if customer.latest.email and not customer.latest.deleted:
            place = (customer.latest.connection_id, customer.latest.email)
            holders[place] = holders.get(place, 0) + 1
    users_by_email: dict[str, list[User]] = {}
    for user in people.users.values():
        if user.email is not None:
            users_by_email.setdefault(user.email.value, []).append(user)
    found: dict[Pair, Match] = {}
    for owner in owners:
        one = people.customers[owner]
        if not one.latest.deleted:
            only_holder = holders.get((one.latest.connection_id, one.latest.email or "")) == 1
            same_email = users_by_email.get(one.latest.email or "", []) if only_holder else []
            found |= _matches(one, people.users, same_email)
    return found


def _matches(customer: Customer, users: Mapping[str, User], same_email: Iterable[User]) -> dict[Pair, Match]:
    said, hands = customer.latest, customer.hands
    chosen = [user_id for user_id, hand in hands.items() if hand.matched and user_id in users]
    if chosen:
        return {
            Pair(said.connection_id, said.customer_id, user_id): Match(
                "hand", max(hands[user_id].at, users[user_id].since)
            )
            for user_id in chosen
        }
    users = {user_id: user for user_id, user in users.items() if user_id not in hands}
    named = next((users[user_id] for user_id in said.user_ids if user_id in users), None)
    if named is not None:
        since = max(customer.first("user_id", named.user_id), named.since)
        return {Pair(said.connection_id, said.customer_id, named.user_id): Match("metadata", since)}
    email = said.email or ""
    return {
        Pair(said.connection_id, said.customer_id, user.user_id): Match(
            "email", max(customer.first("email", email), user.first("email", email))
        )
        for user in same_email
        if user.user_id in users
    }


class Published(msgspec.Struct, frozen=True):
    """What was last said of a pair, and how often something was."""

    state: State
    by: Rule
    since: int
    revision: int


class Change(msgspec.Struct, frozen=True):
    """One thing to be said of a pair. Of an end `at` is when it became known."""

    pair: Pair
    published: Published
    at: int


def changes(published: Mapping[Pair, Published], wanted: Mapping[Pair, Match], at: int) -> list[Change]:
    """What is to be said so that what is published is what follows; `at` is when the cause was observed.

    A match that ends or changes moves nothing that was decided by it.
    """
    found = []
    for pair, known in sorted(published.items()):
        if known.state == "matched" and pair not in wanted:
            found.append(Change(pair, Published("unmatched", known.by, known.since, known.revision + 1), at))
    for pair, match in sorted(wanted.items()):
        before = published.get(pair)
        if before is not None and (before.state, before.by, before.since) == ("matched", match.by, match.since):
            continue
        revision = before.revision + 1 if before else 1
        found.append(Change(pair, Published("matched", match.by, match.since, revision), match.since))
    return found
