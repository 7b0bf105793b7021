"""The company's books: what exists, in the company's own terms.

All times are Unix seconds in UTC, all amounts integer minor units of the object's currency. Objects are mutable and
compact; the only code that changes them is the verbs of this package. `number` is what an object's Stripe id encodes:
the customer's number in the high bits, so that an id alone finds its object (`Numbering`); `seq` is its place among
all objects of its kind in order of creation.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from simulator.company.chance import Chance
from simulator.company.periods import Interval

SubscriptionStatus = Literal[
    "active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "trialing", "paused"
]
InvoiceStatus = Literal["draft", "open", "paid", "uncollectible", "void"]
IntentStatus = Literal["requires_payment_method", "requires_action", "processing", "succeeded", "canceled"]
ChargeStatus = Literal["succeeded", "pending", "failed"]
DisputeStatus = Literal[
    "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won", "lost"
]
BillingReason = Literal["subscription_create", "subscription_cycle", "subscription_update"]
CollectionMethod = Literal["charge_automatically", "send_invoice"]
MissingMethod = Literal["cancel", "create_invoice", "pause"]
PauseBehaviour = Literal["keep_as_draft", "mark_uncollectible", "void"]
Duration = Literal["forever", "once", "repeating"]

ORDINAL_BITS = 24
LINE_BITS = 12


def numbered(customer: int, ordinal: int) -> int:
    """The number of a customer's `ordinal`-th object of a kind."""
    return customer << ORDINAL_BITS | ordinal


@dataclass(frozen=True, slots=True)
class Tier:
    """One band of a tiered price; `up_to` None is the last one."""

    up_to: int | None
    unit_amount: int
    flat_amount: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A recurring price. `unit_amount` may have a fraction of a minor unit; with tiers it is None."""

    number: int
    product: int
    family: str
    name: str
    nickname: str | None
    currency: str
    interval: Interval
    interval_count: int
    unit_amount: Fraction | None
    per_seat: bool = False
    metered: bool = False
    tiers: tuple[Tier, ...] = ()
    tiers_mode: Literal["graduated", "volume"] | None = None
    divide_by: int | None = None
    round_up: bool = True
    created: int = 0

    @property
    def cadence(self) -> str:
        """`month`, `2 week`: how the catalogue names its interval."""
        return self.interval if self.interval_count == 1 else f"{self.interval_count} {self.interval}"


@dataclass(frozen=True, slots=True, eq=False)
class Coupon:
    number: int
    name: str
    duration: Duration
    months: int | None = None
    percent_off: Fraction | None = None
    amount_off: int | None = None
    currency: str | None = None
    created: int = 0


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an attempt failed, in the words of a charge's failure and outcome."""

    failure_code: str
    reason: str
    message: str
    decline_code: str | None = None
    network_code: str | None = None
    advice_code: str | None = None
    outcome: Literal["issuer_declined", "blocked", "invalid"] = "issuer_declined"
    hard: bool = False
    charged: bool = True
    """False: no charge came of the attempt (no payment method, or the bank asks the customer to confirm)."""


@dataclass(slots=True, eq=False)
class PaymentMethod:
    number: int
    kind: Literal["card", "us_bank_account", "sepa_debit"]
    brand: str
    last4: str
    country: str
    exp_month: int
    exp_year: int
    fingerprint: str
    habit: str
    """How attempts on it end; see `life.outcomes`."""


@dataclass(slots=True, eq=False)
class Discount:
    number: int
    coupon: Coupon
    customer: "Customer"
    start: int
    end: int | None = None
    subscription: "Subscription | None" = None
    item: "Item | None" = None

    def live(self, at: int) -> bool:
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(slots=True, eq=False)
class Customer:
    number: int
    created: int
    name: str
    email: str | None
    country: str
    currency: str
    locale: str
    user_id: str | None
    chance: Chance
    seq: int = 0
    method: PaymentMethod | None = None
    methods: int = 0
    discount: Discount | None = None
    discounts: int = 0
    balance: int = 0
    delinquent: bool = False
    deleted_at: int | None = None
    scheduled: int = 0
    items: int = 0
    numbered_invoices: int = 0
    dunning_end: Literal["cancel", "unpaid", "past_due"] = "cancel"
    subscriptions: list["Subscription"] = field(default_factory=list)
    invoices: list["Invoice"] = field(default_factory=list)
    intents: list["PaymentIntent"] = field(default_factory=list)
    charges: list["Charge"] = field(default_factory=list)
    disputes: list["Dispute"] = field(default_factory=list)
    refunds: int = 0


@dataclass(slots=True, eq=False)
class Item:
    number: int
    plan: Plan
    quantity: int | None
    created: int
    anchor: int
    start: int
    end: int
    cycles: int = 0
    next_quantity: int | None = None
    """Set for the coming period: a tiered quantity changes only at a renewal."""
    next_plan: Plan | None = None
    """The same for another plan of the same interval."""
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    behaviour: PauseBehaviour
    resumes_at: int | None


@dataclass(slots=True, eq=False)
class Subscription:
    number: int
    customer: Customer
    created: int
    status: SubscriptionStatus
    items: list[Item]
    currency: str
    collection_method: CollectionMethod = "charge_automatically"
    seq: int = 0
    days_until_due: int | None = None
    anchor: int = 0
    trial_start: int | None = None
    trial_end: int | None = None
    missing_method: MissingMethod = "create_invoice"
    cancel_at_period_end: bool = False
    cancel_at: int | None = None
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_reason: str | None = None
    feedback: str | None = None
    comment: str | None = None
    pause: Pause | None = None
    discounts: tuple[Discount, ...] = ()
    pending: tuple["Line", ...] = ()
    latest_invoice: "Invoice | None" = None
    was_active: bool = False
    flexible: bool = False

    @property
    def next_renewal(self) -> int:
        return min(item.end for item in self.items)

    @property
    def ended(self) -> bool:
        return self.status in {"canceled", "incomplete_expired"}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    item: Item
    plan: Plan
    description: str
    amount: int
    quantity: int | None
    unit_amount: Fraction | None
    start: int
    end: int
    proration: bool = False
    discount_amounts: tuple[tuple[Discount, int], ...] = ()


@dataclass(slots=True, eq=False)
class Invoice:
    number: int
    customer: Customer
    subscription: Subscription
    created: int
    reason: BillingReason
    lines: tuple[Line, ...]
    currency: str
    collection_method: CollectionMethod
    customer_name: str
    customer_email: str | None
    period_start: int
    period_end: int
    status: InvoiceStatus = "draft"
    seq: int = 0
    label: str | None = None
    """The invoice number a customer sees; given when it is finalized."""
    subtotal: int = 0
    total: int = 0
    discounts: tuple[Discount, ...] = ()
    discount_amounts: tuple[tuple[Discount, int], ...] = ()
    starting_balance: int = 0
    ending_balance: int | None = None
    amount_due: int = 0
    amount_paid: int = 0
    attempt_count: int = 0
    attempted: bool = False
    failures: int = 0
    auto_advance: bool = True
    finalizes_at: int | None = None
    next_payment_attempt: int | None = None
    due_date: int | None = None
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    uncollectible_at: int | None = None
    uncollectible_reason: str | None = None
    out_of_band: bool = False
    intent: "PaymentIntent | None" = None

    @property
    def amount_remaining(self) -> int:
        return self.amount_due - self.amount_paid

    @property
    def failing(self) -> bool:
        """Open after a failed attempt; a retry that waits for a bank has not mended that."""
        return self.status == "open" and self.failures > 0


@dataclass(slots=True, eq=False)
class PaymentIntent:
    number: int
    customer: Customer
    invoice: Invoice
    created: int
    amount: int
    currency: str
    status: IntentStatus = "requires_payment_method"
    seq: int = 0
    method: PaymentMethod | None = None
    latest_charge: "Charge | None" = None
    error: Decline | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    number: int
    created: int
    amount: int


@dataclass(slots=True, eq=False)
class Charge:
    number: int
    customer: Customer
    intent: PaymentIntent
    created: int
    amount: int
    currency: str
    method: PaymentMethod
    status: ChargeStatus
    seq: int = 0
    decline: Decline | None = None
    settled_at: int | None = None
    refunds: tuple[Refund, ...] = ()
    dispute: "Dispute | None" = None
    billing_name: str = ""
    billing_email: str | None = None
    exp_month: int = 0
    exp_year: int = 0

    @property
    def amount_refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds)


@dataclass(slots=True, eq=False)
class Dispute:
    number: int
    customer: Customer
    charge: Charge
    created: int
    amount: int
    currency: str
    reason: str
    status: DisputeStatus
    due_by: int
    seq: int = 0
    submitted: bool = False
