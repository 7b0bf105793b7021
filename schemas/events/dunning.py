"""The dunning episode's own record: what was due, sent, refused, recovered."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from schemas.events.base import Event, Instant

HOLDS: Mapping[str, str] = {
    "sending_off": "sending is off",
    "held": "a person holds it",
    "needs_review": "it is unknown whether the last email arrived",
    "disputed": "a payment is disputed",
    "no_address": "the customer has no email address",
    "unsubscribed": "the customer unsubscribed",
    "bounced": "emails to this address bounce",
    "complained": "the customer complained about an email",
    "suppressed": "this address is not to be mailed",
    "refused": "the mail server refused this address for good",
    "canceling": "the subscription is set to end",
    "below_threshold": "what is due is below the threshold",
}
"""Every `reason` for which an episode is held, as a founder reads it."""


class DunningEvent(Event):
    """One step in an episode's life; an email is due in the log before the SMTP conversation begins."""

    episode_id: str
    workspace_id: str
    connection_id: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    kind: Literal[
        "proposed",
        "opened",
        "email_due",
        "email_sent",
        "email_captured",
        "email_failed",
        "email_unknown",
        "recovered",
        "exhausted",
        "held",
        "released",
        "closed",
    ]
    step: int | None = Field(default=None, ge=1)
    at: Instant
    message_id: str | None = Field(default=None, description="The Message-ID of the email of this step.")
    reason: str | None = None
    detail: dict[str, Any] = Field(default_factory=dict)
