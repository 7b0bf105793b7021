"""Churn signals: what the detector says of a subject, with its evidence."""

from typing import Any, Literal

from pydantic import Field

from schemas.events.base import Event, Instant, Source

SignalCode = Literal[
    "payment_failed",
    "subscription_lapsed",
    "cancel_scheduled",
    "downgrade",
    "trial_ending_unconverted",
    "went_silent",
    "usage_drop",
    "key_feature_abandoned",
    "cancel_intent",
    "payment_at_risk",
]
Severity = Literal["medium", "high", "critical"]


class Evidence(Event):
    """One record that speaks for the signal, and what in it does."""

    source: Source
    object_id: str
    says: str = Field(description="One clause: what in this record counts.")


class ChurnSignal(Event):
    """A signal opened, updated, resolved or withdrawn."""

    signal_id: str = Field(description="The same from opened to resolved or withdrawn.")
    workspace_id: str
    connection_id: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    code: SignalCode
    state: Literal["opened", "updated", "resolved", "withdrawn"]
    severity: Severity
    sentence: str = Field(description="What a founder reads.")
    opened_at: Instant = Field(description="Stripe's or the event's time, not the time of detection.")
    resolved_at: Instant | None = None
    resolution: str | None = Field(default=None, description="Why it was resolved or withdrawn.")
    detail: dict[str, Any] = Field(default_factory=dict, description="The rule's own facts: invoice, amount, …")
    evidence: tuple[Evidence, ...] = ()
