"""What discounts take off an invoice, line by line, to the minor unit."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from simulator.company.model import Discount, Line, Subscription
from simulator.company.pricing import half_up


def subscription_discounts(subscription: Subscription, at: int) -> tuple[Discount, ...]:
    """The subscription's own discounts, else the one it inherits from its customer."""
    own = tuple(discount for discount in subscription.discounts if discount.live(at))
    inherited = subscription.customer.discount
    if own or inherited is None or not inherited.live(at):
        return own
    return (inherited,)


def discounted(lines: Sequence[Line], subscription: Subscription, at: int) -> tuple[Line, ...]:
    """The lines with what each discount takes off them: the items' own discounts first; prorations get none."""
    taken: list[list[tuple[Discount, int]]] = [[] for _ in lines]
    for place, line in enumerate(lines):
        own = {} if line.proration else {place: line.amount}
        for discount in line.item.discounts:
            if own and discount.live(at):
                _take(discount, own, taken)
    left = {
        place: line.amount - sum(amount for _, amount in taken[place])
        for place, line in enumerate(lines)
        if not line.proration
    }
    for discount in subscription_discounts(subscription, at):
        _take(discount, left, taken)
    return tuple(replace(line, discount_amounts=tuple(taken[place])) for place, line in enumerate(lines))


def _take(discount: Discount, left: dict[int, int], taken: list[list[tuple[Discount, int]]]) -> None:
    """Take `discount` off the amounts `left` by line, and note it in `taken`."""
    coupon = discount.coupon
    if coupon.percent_off is not None:
        shares = {place: half_up(amount * coupon.percent_off / 100) for place, amount in left.items()}
    else:
        shares = _spread(min(coupon.amount_off or 0, sum(left.values())), left)
    for place, share in shares.items():
        if share > 0:
            left[place] -= share
            taken[place].append((discount, share))


def _spread(amount: int, over: dict[int, int]) -> dict[int, int]:
    """`amount` in shares proportional to `over`, adding up exactly (largest remainder)."""
    whole = sum(over.values())
    if whole <= 0:
        return {}
    exact = {place: Fraction(amount * part, whole) for place, part in over.items()}
    shares = {place: int(share) for place, share in exact.items()}
    by_remainder = sorted(over, key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: amount - sum(shares.values())]:
        shares[place] += 1
    return shares


def totals(lines: Sequence[Line]) -> tuple[tuple[Discount, int], ...]:
    """What each discount takes off the whole invoice, in the order of application."""
    sums: dict[int, tuple[Discount, int]] = {}
    for line in lines:
        for discount, amount in line.discount_amounts:
            sums[discount.number] = (discount, sums.get(discount.number, (discount, 0))[1] + amount)
    return tuple(sums.values())
