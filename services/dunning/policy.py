"""When emails go: days, hours and zones. A policy is pinned to an episode when it opens.

Days are counted on the wall clock of the customer's zone: three days after 10:30 is 10:30, whether or not the clock
changed meanwhile. An instant that the clock skips is moved on by as much as was skipped, as `zoneinfo` does.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

import msgspec

from services.dunning.zones import is_zone, zone, zone_of_country

MAX_STEPS = 5


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a workspace that an episode goes by."""

    days: tuple[int, ...] = (0, 3, 7)
    """At which day after the first failure each email goes."""
    wait_minutes: int = 60
    """How long the first one waits, so that an immediate retry or a confirmation can win; a hard decline waits not."""
    first_hour: int = 9
    last_hour: int = 17
    """Emails go from the first hour on and before the last, in the customer's zone."""
    gap_hours: int = 24
    """At least so long after the one before: what was missed is not made up for in a burst."""
    recovery_days: int = 30
    """How long after the last email money that comes back still counts as recovered."""
    stop_when_canceling: bool = True
    """Whether to hold the emails of a customer whose subscription is set to end."""
    thresholds: dict[str, int] = {}
    """By currency, minor units: an episode below in every one of its currencies is not mailed."""
    timezone: str = "UTC"
    """The workspace's own, for customers whose country is unknown."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.days) <= MAX_STEPS or list(self.days) != sorted({*self.days}) or self.days[0] < 0:
            raise ValueError(f"days must be 1 to {MAX_STEPS} different ones in rising order, from 0 on")
        if not 0 <= self.first_hour < self.last_hour <= 24:
            raise ValueError("the sending hours must be 0 to 24, the first before the last")
        if min(self.wait_minutes, self.gap_hours, self.recovery_days) < 0:
            raise ValueError("wait_minutes, gap_hours and recovery_days must not be negative")
        if not is_zone(self.timezone):
            raise ValueError(f"{self.timezone!r} is no time zone; one is Europe/Berlin")

    @property
    def steps(self) -> int:
        """How many emails there are."""
        return len(self.days)

    def zone_for(self, country: str | None) -> str:
        """The zone to send in: the country's where it is known, else the workspace's."""
        return (zone_of_country(country) if country else None) or self.timezone

    def step_due(
        self, step: int, *, anchor: datetime, hard: bool, last_mail_at: datetime | None, zone_name: str
    ) -> datetime:
        """When a step (from 1) is due: UTC, within the sending hours. `anchor` is what days are counted from."""
        waits = step == 1 and not hard
        due = add_days(anchor, self.days[step - 1], zone_name)
        if waits:
            due = max(due, anchor + timedelta(minutes=self.wait_minutes))
        if last_mail_at is not None:
            due = max(due, last_mail_at + timedelta(hours=self.gap_hours))
        return self.next_open(due, zone_name)

    def is_open(self, at: datetime, zone_name: str) -> bool:
        """Whether emails may go at this instant."""
        return self.first_hour <= at.astimezone(zone(zone_name)).hour < self.last_hour

    def next_open(self, at: datetime, zone_name: str) -> datetime:
        """The first instant from `at` on at which emails may go (UTC)."""
        if self.is_open(at, zone_name):
            return at
        opens = self._hour_of_day(at, self.first_hour, zone_name, days=0)
        return opens if opens > at else self._hour_of_day(at, self.first_hour, zone_name, days=1)

    def closes(self, at: datetime, zone_name: str) -> datetime:
        """The end (UTC) of the sending hours that `at` is in."""
        return self._hour_of_day(at, self.last_hour, zone_name, days=0)

    def _hour_of_day(self, at: datetime, hour: int, zone_name: str, *, days: int) -> datetime:
        local = at.astimezone(zone(zone_name))
        day = local.date() + timedelta(days=days + hour // 24)
        return datetime.combine(day, time(hour % 24), zone(zone_name)).astimezone(UTC)

    def below_threshold(self, totals: Mapping[str, int]) -> bool:
        """Whether what is due is less than the threshold in every currency."""
        return bool(totals) and all(total < self.thresholds.get(currency, 0) for currency, total in totals.items())


def add_days(at: datetime, days: int, zone_name: str) -> datetime:
    """So many days later on the wall clock of the zone (UTC)."""
    local = at.astimezone(zone(zone_name))
    return (local + timedelta(days=days)).astimezone(UTC)
