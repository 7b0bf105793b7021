"""Subscriptions a second that are valued on one core: from what was read of them, and from Stripe's bytes.

Compared with decoding the same bytes as JSON and doing nothing with them.
"""

import time
from collections.abc import Callable

from bench.accounts import account, subscriptions
from bench.measurement import Measurement
from bench.servers import Servers, Tell
from schemas.stripe.parsing import parse_object
from services.mrr.evidence import SECOND
from services.mrr.policy import DEFAULT
from services.mrr.reading import read_subscription
from services.mrr.terms import SubscriptionTerms
from services.mrr.valuation import Evidence, Valuation, value

CUSTOMERS = 5_000
ROUNDS = 5
GOAL = 30_000.0


def run(_: Servers, tell: Tell) -> Measurement:
    """The best of some rounds over the subscriptions of a simulated company."""
    company = account(CUSTOMERS)
    raw = list(subscriptions(company))
    read = [read_subscription(parse_object(one)) for one in raw]
    tell(f"{len(raw):,} subscriptions of {sum(map(len, raw)) // len(raw):,} bytes")
    now = company.world.now * SECOND
    count = len(raw)
    return Measurement(
        name="valuation",
        value={
            "subscriptions": round(_rate(count, lambda: [_worth(terms, now) for terms in read])),
            "from Stripe's bytes": round(
                _rate(count, lambda: [_worth(read_subscription(parse_object(one)), now) for one in raw])
            ),
        },
        unit="subscriptions/s",
        goal={"subscriptions": GOAL},
        compared_with={"JSON alone": round(_rate(count, lambda: [parse_object(one) for one in raw]))},
    )


def _worth(terms: SubscriptionTerms, now: int) -> Valuation:
    discounts = [discount for discount in terms.discounts if discount.holds(now)]
    return value(Evidence(terms.items), discounts, DEFAULT, currency=terms.currency)


def _rate(count: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return count / best
