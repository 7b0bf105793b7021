"""What a rule is: from the facts of a subject to the signals that follow from them."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from schemas.events.signal import Severity, SignalCode
from services.detector.facts import TOPIC_OF, Facts, Kind, Seen


class Exhibit(msgspec.Struct, frozen=True, array_like=True):
    """A piece of evidence: the record of an object of that kind, and what in it counts."""

    kind: Kind
    object_id: str
    seen: Seen
    says: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One signal that follows from the facts.

    `cause` is the `ce_id` of the first record that shows it, which names the signal; `opened_at` and `resolved_at`
    are Unix seconds of Stripe's time; `resolution` says why it is over.
    """

    code: SignalCode
    cause: str
    severity: Severity
    opened_at: int
    resolved_at: int | None
    resolution: str | None
    sentence: str
    detail: dict[str, Any]
    evidence: tuple[Exhibit, ...]


class Policy(msgspec.Struct, frozen=True):
    """The thresholds of a workspace that are in force.

    `history_days`: how long before its first observation of a subject DropFix still opens signals. What is older was
    over, or known to everybody, before DropFix came.
    `disconnected_at`: when the subject's connection was or will be ended, Unix seconds.
    """

    history_days: int = 30
    disconnected_at: int | None = None


class Found(msgspec.Struct, frozen=True):
    """What a rule finds at an instant: every signal that the facts give, over all time, the oldest first, never two
    open at once; and the instant (Unix seconds) at which to look again though nothing new is known, if there is one."""

    findings: tuple[Finding, ...]
    look_again_at: int | None = None


class Rule(Protocol):
    """One row of the table of signals."""

    @property
    def code(self) -> SignalCode: ...

    def find(self, facts: Facts, policy: Policy, now: int) -> Found:
        """What follows from the facts at `now`, Unix seconds."""


BILLING: frozenset[SignalCode] = frozenset(
    {
        "payment_failed",
        "subscription_lapsed",
        "cancel_scheduled",
        "downgrade",
        "trial_ending_unconverted",
        "payment_at_risk",
    }
)
"""The signals that are read from billing: they end with the connection that they come from."""

GRACE = 900
"""Seconds in which what one poll read arrives on every topic: so long a conclusion from something's absence waits."""


def history_starts(facts: Facts, policy: Policy) -> int:
    """The instant (Unix seconds) before which nothing opens a signal."""
    return (facts.first_seen or 0) // 1_000_000 - policy.history_days * 86_400


def first_cause(causes: Iterable[tuple[Kind, Seen]]) -> str:
    """The `ce_id` of the first of several records, in the order in which facts count."""
    _, seen = min(causes, key=lambda cause: (cause[1].observed_at, TOPIC_OF[cause[0]], cause[1].version))
    return seen.id


def earliest(*instants: int | None) -> int | None:
    """The first of the instants that there are."""
    return min((at for at in instants if at is not None), default=None)
