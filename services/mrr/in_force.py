"""What a customer's ledger goes by beside its facts: the policy, and whether its connection was ended."""

from dataclasses import dataclass

from services.mrr.policy import Policy


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a connection, by a decision: its `effective_at` in Unix microseconds, its id, its place in the log."""

    at: int
    id: str
    offset: int


@dataclass(frozen=True, slots=True)
class InForce:
    """What people decided, as far as one customer's MRR goes by it. `ended` may lie ahead."""

    policy: Policy
    ended: Ended | None = None

    def ended_by(self, now: int) -> Ended | None:
        """The end of the connection, once it has come."""
        return self.ended if self.ended is not None and self.ended.at <= now else None
