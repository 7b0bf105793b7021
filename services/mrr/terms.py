"""What of Stripe's objects bears on MRR, and nothing else: compact, comparable, and stored as it is.

Two observations whose terms are equal are worth the same; so a record that changes none of them changes no ledger.
Times are Unix seconds, amounts minor units. A `Number` is an integer, or a decimal's text where a fraction of a minor
unit is meant; it is exact either way.

Here and in the rest of the core structs have `gc=False`: frozen, and made of older values, they never form a cycle.
"""

from fractions import Fraction

import msgspec

Number = int | str
WHOLE = "*"


def fraction(number: Number) -> Fraction:
    """The number, exactly."""
    return Fraction(number)


class Tier(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One band of a tiered price; `up_to` None is the last one."""

    up_to: int | None
    unit: Number
    flat: Number


class Price(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A price as an item is billed by it.

    `interval` is empty for a one-off price. `unit` None: not readable, or tiered. `mode` is empty for one amount per
    unit; `tiers` None where Stripe did not show them. `inclusive`: the amount holds its tax.
    """

    id: str
    product: str
    interval: str
    count: int
    unit: Number | None
    mode: str = ""
    tiers: tuple[Tier, ...] | None = None
    divide_by: int = 1
    round_up: bool = False
    metered: bool = False
    inclusive: bool = False


class Discount(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A discount. Neither `percent` nor `amount`: its coupon could not be read. `end` None: none is set.

    `amount` is in `currency` and comes off subscriptions in it alone; `products` restricts the discount to items of
    these, where not empty.
    """

    id: str
    percent: Number | None = None
    amount: int | None = None
    currency: str = ""
    duration: str = ""
    start: int | None = None
    end: int | None = None
    products: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        return self.percent is not None or self.amount is not None

    def holds(self, at_us: int) -> bool:
        """Whether it holds at an instant (Unix microseconds)."""
        started = self.start is None or self.start * 1_000_000 <= at_us
        return started and (self.end is None or at_us < self.end * 1_000_000)


class Item(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A subscription item. `tax`: the inclusive tax rates of the item, or the subscription's, in per cent.

    `tax_untold`: its amount holds a tax that Stripe works out itself, at a rate that only an invoice shows.
    """

    id: str
    quantity: int
    price: Price
    created: int = 0
    discounts: tuple[Discount, ...] = ()
    tax: Number = 0
    tax_untold: bool = False


class SubscriptionTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A subscription. `pause` is pause_collection's behaviour; `cut`: it has more items than the object carries;
    `leaving`: its end is set or asked for."""

    status: str
    currency: str
    start: int
    items: tuple[Item, ...]
    trial_end: int | None = None
    ended_at: int | None = None
    canceled_at: int | None = None
    leaving: bool = False
    pause: str = ""
    resumes_at: int | None = None
    discounts: tuple[Discount, ...] = ()
    cut: bool = False


class CustomerTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a customer adds to the worth of its subscriptions: a discount they inherit."""

    discount: Discount | None = None


class Line(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an invoice billed for a whole period of one item: all its lines of that period together.

    `amount` is before discounts and with `tax`, the inclusive tax in it; `discounts` is what each took off.
    `version` and `offset` are those of the invoice's record: the latest is kept. The item `WHOLE` is all that an
    invoice billed for whole periods, where it has more lines than the object carries; `usage` says whether what was
    used could be seen in it, and so was left out.
    """

    item: str
    price: str
    start: int
    end: int
    amount: int
    tax: int
    discounts: tuple[tuple[str, int], ...]
    version: int = 0
    offset: int = 0
    usage: bool = False


class InvoiceTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An invoice of a subscription. `first`: it is the one the subscription began with."""

    subscription: str
    currency: str
    lines: tuple[Line, ...]
    first: bool = False
    paid_at: int | None = None


class Said(msgspec.Struct, frozen=True, gc=False, array_like=True, order=True):
    """What the product said of a user's MRR in one message: exact minor units a month, from `at` on.

    `at` and `observed` are Unix microseconds: when it happened, and when it was taken in. `id` is the message's.
    """

    at: int
    id: str
    mrr: Number
    currency: str
    observed: int
    offset: int
