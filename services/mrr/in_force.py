"""What a ledger goes by beside its facts: the policies that people set, and when another's number stands for its own.

Instants are Unix microseconds.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

import msgspec

from services.mrr.policy import Policy

ALWAYS = -(2**63)


class Cause(msgspec.Struct, frozen=True, gc=False):
    """The record behind a change. Causes are in the order of facts: when observed, topic, version.

    `partition` is that of the record; None where it is the subject's own, as of everything that is said of itself.
    """

    observed: int
    topic: str
    version: int
    offset: int
    id: str
    reconstructed: bool = False
    partition: int | None = None

    def rank(self) -> tuple[int, str, int]:
        return self.observed, self.topic, self.version


class Switch(msgspec.Struct, frozen=True, gc=False):
    """A decision that another policy counts from `start` on; it is gone by from `at`, when the decision counts."""

    at: int
    start: int
    policy: Policy
    cause: Cause


class Era(msgspec.Struct, frozen=True, gc=False):
    """A span of time, up to the next one's start, in which one policy counts. Only the first has no cause."""

    start: int
    policy: Policy
    cause: Cause | None = None


class Away(msgspec.Struct, frozen=True, gc=False):
    """A span of time, [start, end), in which another's number stands for this ledger's own, or nobody's.

    As Stripe's does for a user who is matched with a customer, and identify()'s for the customer until then; and
    nothing does for a customer whose account was disconnected. `end` None: it goes on.
    """

    start: int
    begins: Cause
    end: int | None = None
    ends: Cause | None = None


class InForce(msgspec.Struct, frozen=True, gc=False):
    """What people decided, and who is whom, as far as one ledger goes by it.

    `switches` in the order in which they were decided; `away` in the order of time, apart from one another. Both may
    lie ahead.
    """

    policy: Policy
    switches: tuple[Switch, ...] = ()
    away: tuple[Away, ...] = ()

    def eras(self, now: int) -> tuple[Era, ...]:
        """Which policy counts when, as it is decided at `now`: a later decision stands from its start on."""
        if not self.switches:
            return (Era(ALWAYS, self.policy),)
        found = [Era(ALWAYS, self.policy)]
        for switch in self.switches:
            if switch.at <= now:
                found = [era for era in found if era.start < switch.start]
                if found[-1].policy != switch.policy:
                    found.append(Era(switch.start, switch.policy, switch.cause))
        return tuple(found)

    def is_away(self, at: int) -> bool:
        """Whether another's number stands at an instant."""
        return any(span.start <= at and (span.end is None or at < span.end) for span in self.away)

    def edges(self) -> Iterator[tuple[int, Cause, bool]]:
        """(instant, cause, whether another's number stands from then on), oldest first."""
        for span in self.away:
            yield span.start, span.begins, True
            if span.end is not None:
                yield span.end, span.ends or span.begins, False

    def next_after(self, now: int) -> int | None:
        """The next instant at which a policy begins to be gone by, or a number begins or ceases to stand."""
        if not self.switches and not self.away:
            return None
        ahead = [switch.at for switch in self.switches] + [at for at, _, _ in self.edges()]
        return min((at for at in ahead if at > now), default=None)

    def mark(self, now: int) -> int | None:
        """A number that is another where something else is gone by at `now`; None where nothing was decided."""
        if not self.switches and not self.away:
            return None
        eras = self.eras(now)
        if len(eras) == 1 and not self.away:
            return None
        told = [(era.start, _text(era.policy)) for era in eras]
        spans = [(span.start, span.end) for span in self.away]
        return int.from_bytes(blake2b(repr((told, spans)).encode(), digest_size=6).digest())


@lru_cache(maxsize=256)
def _text(policy: Policy) -> str:
    return policy.model_dump_json()


def apart(spans: Iterable[Away]) -> tuple[Away, ...]:
    """Spans joined where they meet, in the order of time; empty ones are left out."""
    found: list[Away] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end is None, one.end or 0, one.begins.rank())):
        if span.end is not None and span.end <= span.start:
            continue
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end < span.start):
            found.append(span)
        elif last.end is not None and (span.end is None or span.end > last.end):
            found[-1] = Away(last.start, last.begins, span.end, span.ends)
    return tuple(found)


def less(span: Away, taken: Iterable[Away]) -> Iterator[Away]:
    """What is left of a span outside of others, which are apart and in the order of time."""
    start, begins = span.start, span.begins
    for other in taken:
        if other.end is not None and other.end <= start:
            continue
        if span.end is not None and span.end <= other.start:
            break
        if start < other.start:
            yield Away(start, begins, other.start, other.begins)
        if other.end is None:
            return
        start, begins = other.end, other.ends or other.begins
    if span.end is None or start < span.end:
        yield Away(start, begins, span.end, span.ends)
