"""What the product says of its users: messages in Segment's shape."""

from typing import Any, Literal

from pydantic import Field

from schemas.events.base import Event, Instant


class ProductMessage(Event):
    """A message as it was accepted. `traits` and `properties` are the sender's own."""

    type: Literal["identify", "group", "alias", "track", "page", "screen"]
    message_id: str
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = Field(default=None, description="alias: the id that user_id was known by before.")
    group_id: str | None = Field(default=None, description="group: the account the user belongs to.")
    event: str | None = Field(default=None, description="track: what the user did.")
    name: str | None = Field(default=None, description="page, screen: which one.")
    traits: dict[str, Any] = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    timestamp: Instant = Field(description="When it happened, the sender's clock corrected by sentAt.")
    received_at: Instant
