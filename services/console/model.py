"""What the console knows of a connection, a customer and a signal: frozen values between store, core and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Member:
    """Who is signed in, and to which workspace. `shows_test`: this browser asked for the figures of test mode."""

    member_id: str
    email: str
    workspace_id: str
    workspace_name: str
    shows_test: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """A Stripe key that was submitted. `submitted_at` is machine time."""

    connection_id: str
    key_kind: str
    key_hint: str
    livemode_claimed: bool
    state: str
    adopted_by: str | None
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """What the poller says of a connection. Times are domain time."""

    connection_id: str
    state: str
    reason: str | None = None
    remedy: str | None = None
    warnings: Sequence[str] = ()
    account_id: str | None = None
    account_name: str | None = None
    livemode: bool | None = None
    permissions: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    customers_counted: int | None = None
    connected_at: datetime | None = None
    first_minute_at: datetime | None = None
    synced_at: datetime | None = None
    last_poll_at: datetime | None = None
    next_poll_at: datetime | None = None
    last_error: str | None = None
    reads_used: int = 0
    reads_allowed: int = 0
    calls_last_poll: int = 0
    updated_at: datetime | None = None
    clock_offset: int = 0
    """Seconds from our clock to the server's: 0 for Stripe itself."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A connection, and the poller's answer where there is one yet."""

    connection: Connection
    status: Status | None

    @property
    def livemode(self) -> bool:
        """Stripe's word, else what the key's prefix claims."""
        known = self.status.livemode if self.status else None
        return self.connection.livemode_claimed if known is None else known

    @property
    def accepted(self) -> bool:
        """Whether Stripe took the key, so that there are figures of it."""
        return self.status is not None and self.status.state not in {"validating", "refused"}

    @property
    def refused(self) -> bool:
        """Whether Stripe did not take the key."""
        return self.status is not None and self.status.state == "refused"


@dataclass(frozen=True, slots=True)
class Signal:
    """A churn signal as the list shows it."""

    signal_id: str
    code: str
    state: str
    severity: str
    sentence: str
    opened_at: datetime
    resolved_at: datetime | None
    customer_id: str | None
    user_id: str | None
    detail: Mapping[str, Any]
    evidence: Sequence[Mapping[str, Any]]
    who: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as the list shows it. `mrr` by currency, in minor units a month.

    `is_user`: it is a user of the product whose MRR identify() tells, and no customer of Stripe.
    """

    connection_id: str
    customer_id: str
    name: str | None
    email: str | None
    created_at: datetime | None
    mrr: Mapping[str, int] = field(default_factory=dict)
    trial_end: datetime | None = None
    open_signals: int = 0
    is_user: bool = False

    @property
    def called(self) -> str:
        """What to call it: its name, else its address, else its id."""
        return self.name or self.email or self.customer_id


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key; the key itself is not kept."""

    write_key_id: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None
