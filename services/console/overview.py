"""What the dashboard says: which connections count, and their figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from schemas.money import format_amount
from services.console.model import Watched

Mode = Literal["live", "test", "none"]
RECENT = timedelta(days=30)
"""How far back `recent` figures look, in domain time."""

SIGNAL_NAMES: Mapping[str, str] = {
    "payment_failed": "Payment failed",
    "subscription_lapsed": "Subscription lapsed",
    "cancel_scheduled": "Cancellation scheduled",
    "downgrade": "Downgrade",
    "trial_ending_unconverted": "Trial ending",
    "went_silent": "Went silent",
    "usage_drop": "Usage drop",
    "key_feature_abandoned": "Key feature abandoned",
    "cancel_intent": "Cancel intent",
    "payment_at_risk": "Payment at risk",
}
ALWAYS_SHOWN = ("payment_failed", "subscription_lapsed")


@dataclass(frozen=True, slots=True)
class Scope:
    """The connections whose figures are shown, all of one mode. `both`: there are those of the other mode too."""

    mode: Mode
    watched: tuple[Watched, ...]
    both: bool = False

    @property
    def connection_ids(self) -> list[str]:
        return [each.connection.connection_id for each in self.watched]

    @property
    def modes_by_hand(self) -> list[bool]:
        """Whether what was recorded by hand in live mode is shown, in test mode, or both. Where there is a test account
        alone, what was recorded before it came would be shown nowhere else."""
        if self.mode == "test":
            return [False] if self.both else [False, True]
        return [True]

    def recent_since(self, now: datetime) -> datetime:
        """Since when a signal is of the last 30 days: by the server's time, where that is another than ours."""
        offsets = [each.status.clock_offset for each in self.watched if each.status]
        return now + timedelta(seconds=min(offsets, default=0)) - RECENT

    @property
    def catching_up(self) -> bool:
        """Whether the first read of some account is still under way."""
        return any(each.status and each.status.state in {"first_minute", "syncing"} for each in self.watched)

    @property
    def customers_counted(self) -> int | None:
        """What the poller counted at connect, where every connection has been counted."""
        counts = [each.status.customers_counted if each.status else None for each in self.watched]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None


def scope_of(watched: Sequence[Watched], *, shows_test: bool = False) -> Scope:
    """The live connections that Stripe accepted; the test ones while there is no live one, or apart, when asked for."""
    accepted = [each for each in watched if each.accepted]
    live = tuple(each for each in accepted if each.livemode)
    test = tuple(each for each in accepted if not each.livemode)
    if live and not (test and shows_test):
        return Scope("live", live, both=bool(test))
    return Scope("test", test, both=bool(live)) if test else Scope("none", ())


def is_live(watched: Sequence[Watched]) -> bool:
    """Whether what a person records by hand is of live mode: unless there are test accounts, and no live one that
    Stripe accepted. A key that is still being checked counts as what it claims to be of test mode, and as nothing of
    live mode, since in test mode nobody is mailed."""
    if any(each.accepted and each.livemode for each in watched):
        return True
    return all(each.livemode or each.refused for each in watched)


@dataclass(frozen=True, slots=True)
class SignalCount:
    """Signals of one code: open now, and opened in the last 30 days, the resolved ones included."""

    open: int = 0
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the views say of a scope; None where a view is not there yet. `users_alone` are users of the product that
    are no customer's."""

    customers: int | None = None
    mrr: Mapping[str, int] | None = None
    paying: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, SignalCount] | None = None
    users_alone: int | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The dashboard's numbers. `mrr` by currency, in minor units a month; nothing is summed across currencies."""

    mode: Mode
    tracked_users: int | None
    customers_read: int | None
    mrr: Mapping[str, int] | None
    paying: Mapping[str, int]
    signals: Mapping[str, SignalCount] | None
    catching_up: bool
    users_alone: int | None = None
    both: bool = False

    @property
    def open_signals(self) -> int | None:
        return None if self.signals is None else sum(count.open for count in self.signals.values())

    @property
    def signal_rows(self) -> list[tuple[str, str, SignalCount]]:
        """(code, name, count): the two that billing always has, then whatever else there is."""
        found = self.signals or {}
        codes = [*ALWAYS_SHOWN, *(code for code in SIGNAL_NAMES if code in found and code not in ALWAYS_SHOWN)]
        return [(code, SIGNAL_NAMES[code], found.get(code, SignalCount())) for code in codes]


def overview_of(scope: Scope, figures: Figures) -> Overview:
    """The numbers of a scope; while an account is first read, the count taken at connect stands for what is missing."""
    return Overview(
        mode=scope.mode,
        tracked_users=_tracked(scope, figures),
        customers_read=figures.customers,
        mrr=figures.mrr,
        paying=figures.paying,
        signals=figures.signals,
        catching_up=scope.catching_up,
        users_alone=figures.users_alone,
        both=scope.both,
    )


def _tracked(scope: Scope, figures: Figures) -> int | None:
    """Each customer counts once, and a user of the product only where it is no customer's."""
    counted = scope.customers_counted if scope.catching_up else None
    known = [count for count in (figures.customers, counted) if count is not None]
    if known:
        return max(known) + (figures.users_alone or 0)
    return figures.users_alone if scope.mode == "none" else None


def format_each(amounts: Mapping[str, int], payers: Mapping[str, int] | None = None) -> list[tuple[str, str]]:
    """(currency, formatted) of several currencies, never summed: the one that most customers pay in first."""
    counted = payers or {}
    ordered = sorted(amounts.items(), key=lambda pair: (-counted.get(pair[0], 0), pair[0]))
    return [(currency, format_amount(minor, currency)) for currency, minor in ordered]
