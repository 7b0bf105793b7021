"""Whether the server's clock is another than ours, and by how much.

Stripe's is not. But another Stripe-compatible server may live in a time of its own, and then "the last 30 days" are
the server's: what the poller observes is dated by the server's time. A quiet account is no sign of it: its newest
object may be weeks old. An active subscription whose period ended yesterday is, since Stripe renews at once.
"""

AHEAD_SECONDS = 3_600
BEHIND_SECONDS = 86_400


def offset_seconds(*, now: int, newest: int | None, active_until: int | None) -> int:
    """Seconds to add to our time to have the server's; 0 where nothing says that they differ.

    `now` is domain time; `newest` the newest instant that the server showed, `active_until` the end of an active
    subscription's current period, both of the server's clock; all in Unix seconds.
    """
    if newest is None:
        return 0
    if newest > now + AHEAD_SECONDS:
        return newest - now
    if active_until is not None and active_until < now - BEHIND_SECONDS:
        return newest - now
    return 0
