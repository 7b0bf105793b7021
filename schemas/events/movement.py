"""The MRR ledger: one row per change of one customer's MRR in one currency."""

from typing import Any, Literal

from pydantic import Field

from schemas.events.base import Currency, Event, Instant, MinorUnits, Source

MovementKind = Literal["new", "reactivation", "expansion", "contraction", "churn", "policy", "source", "correction"]


class MrrMovement(Event):
    """One ledger row. `mrr_after - mrr_before` is the movement, in minor units per month."""

    movement_id: str
    workspace_id: str
    connection_id: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    currency: Currency
    kind: MovementKind
    effective_at: Instant = Field(description="When it took effect, by Stripe or by observation.")
    observed_at: Instant = Field(description="When it became known.")
    mrr_before: MinorUnits
    mrr_after: MinorUnits
    corrects: str | None = Field(default=None, description="A correction: the movement it cancels or amends.")
    subscriptions: tuple[str, ...] = Field(default=(), description="The subscriptions that caused it.")
    detail: dict[str, Any] = Field(default_factory=dict, description="The items and the steps of their valuation.")
    basis: Literal["subscription", "invoice", "identify", "unknown"] = Field(
        default="subscription",
        description="By what was valued that changed, the least sure; `unknown`: something could not be valued yet.",
    )
    reconstructed: bool = Field(default=False, description="From before the connection, derived from dates.")
    policy_version: str = Field(description="The policy under which it was told; see the kind `policy` for switches.")
    source: Source | None = Field(default=None, description="The record behind it; null where a timer is.")
