"""What people decided, as far as a subject's signals go by it."""

import msgspec

from services.detector.facts import Facts
from services.detector.rules.base import Policy

MICROSECONDS = 1_000_000


class InForce(msgspec.Struct, frozen=True):
    """The decisions of a workspace that bear on one subject, those that will count later too.

    `histories`: from when on (Unix microseconds) which `history_days` counts, the earliest first; `ended_at`: when the
    connection was or will be ended (Unix seconds).
    """

    histories: tuple[tuple[int, int], ...] = ()
    ended_at: int | None = None

    def policy(self, facts: Facts, now: int) -> Policy:
        """The policy that holds for a subject at `now` (Unix seconds).

        How far back signals open is counted from the first observation, so what was in force then counts: another
        threshold later takes back nothing that was told.
        """
        first = facts.first_seen if facts.first_seen is not None else now * MICROSECONDS
        days = [days for since, days in self.histories if since <= first]
        usual = Policy(disconnected_at=self.ended_at)
        return msgspec.structs.replace(usual, history_days=days[-1]) if days else usual
