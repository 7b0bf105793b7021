"""Billing periods: a whole number of days, weeks, months or years after an anchor.

A period's end is counted from the anchor and not from the period before, so that a subscription anchored on the 31st
ends on 28 February and then on 31 March, as Stripe does it.
"""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Literal

Interval = Literal["day", "week", "month", "year"]

MINUTE = 60
HOUR = 3600
DAY = 86_400


def shift(anchor: int, interval: Interval, count: int) -> int:
    """The instant `count` intervals after `anchor` (both Unix seconds, UTC)."""
    if interval == "day":
        return anchor + count * DAY
    if interval == "week":
        return anchor + count * 7 * DAY
    months = count if interval == "month" else count * 12
    start = datetime.fromtimestamp(anchor, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())
