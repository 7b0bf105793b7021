"""Who is whom: a customer of Stripe and a user of the product are one person, or no longer."""

from typing import Literal

from pydantic import Field

from schemas.events.base import Event, Instant


class IdentityMatch(Event):
    """A match made or ended. `by` is the rule that decided it."""

    workspace_id: str
    connection_id: str
    customer_id: str
    user_id: str
    state: Literal["matched", "unmatched"]
    by: Literal["metadata", "email", "hand"]
    effective_at: Instant = Field(
        description="Matched: since when both had said what they are matched by. Unmatched: when that was known."
    )
    revision: int = Field(
        default=1, ge=1, description="Counts what was said of this customer and user: the latest is the one that holds."
    )
