"""A policy of MRR as a decision carries it: what counts, as a versioned value with every choice a field."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DiscountPolicy(BaseModel):
    """Which discounts are taken off, by how long their coupon lasts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forever: bool = Field(default=True, description="A coupon without an end, and one whose duration cannot be read.")
    repeating: bool = Field(default=False, description="A coupon for so many months, from its start to its end.")
    once: bool = Field(default=False, description="A coupon for one invoice, for as long as Stripe shows it.")

    def counts(self, duration: str) -> bool:
        """Whether a discount of this duration is taken off; an unknown duration is treated as forever."""
        return {"repeating": self.repeating, "once": self.once}.get(duration, self.forever)


class PolicyTerms(BaseModel):
    """What counts as MRR. Frozen: another choice is another version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]*/[1-9][0-9]*$",
        max_length=100,
        description="Name and number, like stripe/1. Every ledger row carries it.",
    )
    past_due_grace_days: int | None = Field(
        default=None,
        ge=0,
        le=3650,
        description="Days that a past-due subscription goes on counting; null: as long as it is one.",
    )
    churn_at: Literal["period_end", "cancel_request"] = Field(
        default="period_end", description="A cancellation counts when the subscription ends, or when it was asked for."
    )
    activate_at: Literal["start", "first_payment"] = Field(
        default="start",
        description="A subscription counts from its start (or its trial's end), or from its first payment.",
    )
    day_factor: Literal["365/12", "30"] = Field(default="365/12", description="Days in a month, for prices by the day.")
    week_factor: Literal["52/12", "4.33"] = Field(
        default="52/12", description="Weeks in a month, for prices by the week."
    )
    discounts: DiscountPolicy = Field(default_factory=DiscountPolicy, description="Which discounts are taken off.")

    @property
    def name(self) -> str:
        """The version without its number."""
        return self.version.rpartition("/")[0]


_ALL = DiscountPolicy(forever=True, repeating=True, once=True)
PRESETS = (
    PolicyTerms(version="stripe/1"),
    PolicyTerms(version="profitwell/1", discounts=_ALL),
    PolicyTerms(version="baremetrics/1", past_due_grace_days=30, discounts=_ALL),
    PolicyTerms(version="chartmogul/1", activate_at="first_payment", discounts=_ALL),
)
"""The newest version of each preset. They are named for the tools whose numbers they come closest to (gathered from
their documentation, see docs)."""

NOT_MODELLED: Mapping[str, tuple[str, ...]] = {
    "profitwell": (
        "a customer that begins and ends within one month is new and churn here, and neither in ProfitWell: the MRR at"
        " the end of every month is the same, its movements are not",
    ),
    "chartmogul": (
        "ChartMogul takes MRR from the lines of invoices, DropFix from the subscription's own terms: usage that is"
        " invoiced with a period counts there and not here, and a discount or a price counts there from the next"
        " invoice on, here from when it holds",
        "what becomes of past due, unpaid and a cancellation is a setting there: here past due counts, unpaid does not,"
        " and a cancellation counts at its end",
    ),
}
"""By preset, what the tool that it is named for does otherwise, and no choice of a policy says."""


def is_named_otherwise(terms: PolicyTerms, known: Iterable[PolicyTerms]) -> bool:
    """Whether the version of these terms is that of others among the known ones, the earliest first: a version names
    one policy for ever, that which it was first given to."""
    return next((one for one in known if one.version == terms.version), terms) != terms


def has_name_of_a_preset(terms: PolicyTerms) -> bool:
    """Whether these terms have a preset's name, and are not it: a policy of one's own has a name of its own."""
    return any(preset.name == terms.name and preset != terms for preset in PRESETS)
