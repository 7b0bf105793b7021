"""Whose number stands for a customer and a user who are one person. Pure.

From when the two are matched on, Stripe's stands; until then identify()'s does, from when it first told one, and
before that Stripe's again. So nobody counts twice, at any instant, and nobody is left out: while the user is another
customer's, its number stands for no one, and each customer counts by its own. Where a match ends, or the account is
disconnected, each counts by its own again. Instants are Unix microseconds.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from services.mrr.in_force import Away, Cause, apart, less


@dataclass(frozen=True, slots=True)
class Revision:
    """One thing that was said of a customer and a user: that they are matched from `at` on, or no longer."""

    number: int
    matched: bool
    at: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Together:
    """A span in which a customer and a user (their subjects) were one person; `end` None: they are."""

    customer: str
    user: str
    start: int
    begins: Cause
    end: int | None = None
    ends: Cause | None = None


@dataclass(frozen=True, slots=True)
class First:
    """When a user's MRR was first said, by which message."""

    at: int
    cause: Cause


End = tuple[int, Cause]
"""When a connection was ended, by which decision."""


@dataclass(frozen=True, slots=True)
class Persons:
    """By subject the spans in which it was one person with another; by user's subject when its MRR was first said.

    Of a customer's users every span is there, also those with other customers.
    """

    together: Mapping[str, tuple[Together, ...]] = field(default_factory=dict)
    firsts: Mapping[str, First] = field(default_factory=dict)

    def away(self, subject: str, ended: Mapping[str, End]) -> Iterator[Away]:
        """When another's number stands for a subject's; `ended` says which connections were ended, and when."""
        yield from self._away_of_customer(subject, ended)
        yield from self._away_of_user(subject, ended)

    def without(self, connections: Collection[str]) -> "Persons":
        """The same, but for matches in these connections."""
        if not connections:
            return self
        kept = {
            subject: tuple(span for span in spans if span.customer.partition("/")[0] not in connections)
            for subject, spans in self.together.items()
        }
        return Persons(kept, self.firsts)

    def _away_of_customer(self, subject: str, ended: Mapping[str, End]) -> Iterator[Away]:
        """When identify()'s number stands for a customer's: from when it was first told to the first match, but for
        when it stands for nobody."""
        matched: dict[str, Together] = {}
        for span in sorted(self.together.get(subject, ()), key=lambda one: one.start):
            if span.customer == subject:
                matched.setdefault(span.user, span)
        for user, span in matched.items():
            first = self.firsts.get(user)
            if first is not None and first.at < span.start:
                until_matched = Away(first.at, first.cause, span.start, span.begins)
                yield from less(until_matched, apart(self._away_of_user(user, ended)))

    def _away_of_user(self, subject: str, ended: Mapping[str, End]) -> Iterator[Away]:
        """When Stripe's number stands for a user's: while it is matched, until the account is disconnected."""
        for span in self.together.get(subject, ()):
            if span.user != subject:
                continue
            end, ends = span.end, span.ends
            connection_id = span.customer.partition("/")[0]
            if connection_id in ended and (end is None or ended[connection_id][0] < end):
                end, ends = ended[connection_id]
            yield Away(span.start, span.begins, end, ends)


def together(customer: str, user: str, revisions: Iterable[Revision]) -> Iterator[Together]:
    """The spans that follow from what was said of a pair, in the order of revisions.

    A match that is said again (by another rule, of another instant) moves nothing that was decided by it.
    """
    began: Revision | None = None
    for revision in sorted(revisions, key=lambda one: one.number):
        if revision.matched:
            began = began or revision
        elif began is not None:
            yield Together(customer, user, began.at, began.cause, max(revision.at, began.at), revision.cause)
            began = None
    if began is not None:
        yield Together(customer, user, began.at, began.cause)
