"""Customers and users who say who they are, and all of them in one memory, as the tables have them."""

from dataclasses import dataclass, field
from typing import Any

from services.detector.identity import (
    Change,
    Customer,
    CustomerSaid,
    HandSaid,
    Match,
    Pair,
    People,
    Person,
    Published,
    Said,
    UserSaid,
    changes,
    matches_of,
    merge,
    owner_of,
    touched,
)

WORKSPACE, CONNECTION = "ws_1", "con_1"


def customer(name: str = "cus_1", *, version: int = 1, connection: str = CONNECTION, **said: Any) -> CustomerSaid:
    """A version of a customer, seen when its version says."""
    user_ids = tuple(said.pop("user_ids", ()))
    return CustomerSaid(
        workspace_id=said.pop("workspace", WORKSPACE),
        connection_id=connection,
        customer_id=name,
        livemode=said.pop("livemode", True),
        version=version,
        at=said.pop("at", version * 100),
        user_ids=user_ids,
        **said,
    )


def user(name: str = "u_1", *, at: int = 50, message: str = "m", workspace: str = WORKSPACE, **said: Any) -> UserSaid:
    """A message about a user."""
    return UserSaid(workspace_id=workspace, user_id=name, id=message, at=at, **said)


def by_hand(
    name: str = "cus_1", user_id: str = "u_1", *, matched: bool = True, at: int = 1000, decision: str = "dec_1"
) -> HandSaid:
    """A person's decision about a customer and a user."""
    return HandSaid(WORKSPACE, CONNECTION, name, user_id, matched, at, decision)


@dataclass
class Directory:
    """Everybody of one workspace. `say` does what the store does in a transaction: decides those who are affected."""

    people: dict[str, Person] = field(default_factory=dict)
    published: dict[Pair, Published] = field(default_factory=dict)
    said: list[Change] = field(default_factory=list)

    def say(self, *told: Said) -> "Directory":
        for one in told:
            self._say(one)
        return self

    def _say(self, said: Said) -> None:
        owner = owner_of(said)
        before = self.people.get(owner)
        after = self.people[owner] = merge(before, said)
        identifiers = touched(before, after)
        if not identifiers:
            return
        affected = {
            person.owner
            for person in self.people.values()
            if isinstance(person, Customer) and (identifiers & set(person.held()) or person is after)
        }
        wanted = matches_of(People.of(self.people.values()), affected)
        known = {
            pair: one for pair, one in self.published.items() if f"{pair.connection_id}/{pair.customer_id}" in affected
        }
        for change in changes(known, wanted, said.at):
            self.published[change.pair] = change.published
            self.said.append(change)

    def standing(self) -> dict[Pair, Match]:
        """The matches that hold by what was published."""
        return {pair: Match(one.by, one.since) for pair, one in self.published.items() if one.state == "matched"}

    def follows(self) -> dict[Pair, Match]:
        """The matches that follow from everybody at once."""
        customers = [person.owner for person in self.people.values() if isinstance(person, Customer)]
        return matches_of(People.of(self.people.values()), customers)


def matched(directory: Directory) -> set[tuple[str, str, str]]:
    """(customer, user, by) of the matches that hold."""
    return {(pair.customer_id, pair.user_id, match.by) for pair, match in directory.standing().items()}


def everybody(*told: Said) -> Directory:
    return Directory().say(*told)
