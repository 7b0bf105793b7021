"""What the poller says beside the raw objects: its calls, and the answers to requests for a fresh read."""

from typing import Literal

from pydantic import Field

from schemas.events.base import Event, Instant


class ApiCall(Event):
    """One request made to Stripe. Never holds a key, a body, or a query that could echo either."""

    call_id: str
    connection_id: str
    at: Instant = Field(description="When the request was sent, by the domain clock.")
    method: Literal["GET"] = "GET"
    endpoint: str = Field(description="The path below the API's base, ids replaced by {id}: /v1/subscriptions.")
    parameters: dict[str, str] = Field(default_factory=dict, description="The query, expansions joined by commas.")
    purpose: str = Field(description="Why it was made: connect, first_minute, hot, slot, sweep, focused, refresh.")
    status: int | None = Field(description="HTTP status; null when no answer came.")
    error: str | None = Field(default=None, description="Stripe's error type and code, or the transport's failure.")
    request_id: str | None = Field(default=None, description="Stripe's Request-Id, as its own log shows it.")
    milliseconds: int = Field(ge=0)
    objects: int = Field(ge=0, description="Objects in the answer.")
    reads_used: int = Field(ge=0, description="Reads counted in the running 30 days, this one included.")
    reads_allowed: int = Field(ge=0, description="The budget of 30 days that the poller keeps to.")


class RefreshRequest(Event):
    """Please read this customer's open invoices, the invoices named that the list lacks, and its subscriptions."""

    request_id: str
    connection_id: str
    customer_id: str
    invoice_ids: tuple[str, ...] = ()
    requested_at: Instant
    reason: str


class RefreshResult(Event):
    """The answer to a RefreshRequest, sent after the raw records that the read caused."""

    request_id: str
    connection_id: str
    customer_id: str
    read_at: Instant = Field(description="By the machine's clock: freshness is real time.")
    outcome: Literal["unchanged", "changed", "deleted", "unreadable"]
    reason: str | None = None
    versions: dict[str, int] = Field(default_factory=dict, description="Object id to the version the read left.")
