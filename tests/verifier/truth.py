"""The tables against what the simulator knows: nothing may be missing beyond the bound on when it must be seen.

Stripe's lists show some changes at once and others when a sweep comes round. So the truth is asked twice: as it is
`now`, and as it was at `seen`, an instant so long ago that every change until then must be in the tables. What both
say must be there; what only the first says may be; what neither says must not be.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg

from tests.fixtures.system import SimulatedStripe

CODES = ("payment_failed", "subscription_lapsed")
WINDOW = timedelta(days=30)
LOOK_EVERY = timedelta(minutes=5)
NEW_CUSTOMER = timedelta(hours=3)
"""In which a customer without a subscription is seen; one with is seen with it."""
UNSTAMPED = 0

_SIGNALS: LiteralString = """
SELECT code, customer_id, extract(epoch FROM opened_at)::bigint, extract(epoch FROM resolved_at)::bigint, detail
FROM analytics.signals WHERE state <> 'withdrawn'
"""
_MRR: LiteralString = "SELECT customer_id, currency, mrr FROM analytics.mrr_by_customer WHERE mrr <> 0"
_CUSTOMERS: LiteralString = "SELECT customer_id FROM analytics.customers WHERE NOT deleted"


@dataclass(frozen=True)
class Signal:
    """One signal, in Unix seconds; UNSTAMPED stands for an instant that Stripe does not tell."""

    code: str
    customer: str
    opened_at: int
    resolved_at: int | None


@dataclass(frozen=True)
class Truth:
    """The simulator, and the two instants to ask it about."""

    stripe: SimulatedStripe
    now: datetime
    seen: datetime

    def at(self, instant: datetime) -> Any:
        return self.stripe.truth(at=instant)


def untrue(database: str, truth: Truth) -> Iterator[str]:
    """Everything in the tables that is not true, and everything true that is not in them."""
    now, seen = truth.at(truth.now), truth.at(truth.seen)
    with psycopg.connect(database) as connection:
        signals = connection.execute(_SIGNALS).fetchall()
        customers = {customer for (customer,) in connection.execute(_CUSTOMERS)}
        mrr: dict[str, dict[str, int]] = {}
        for customer, currency, amount in connection.execute(_MRR):
            mrr.setdefault(customer, {})[currency] = amount
    yield from _signals(signals, now, seen)
    yield from _reasons(signals, now, seen)
    yield from _mrr(mrr, now, truth)
    yield from _customers(customers, truth)


def _signals(rows: list[tuple[Any, ...]], now: Any, seen: Any) -> Iterator[str]:
    since = now["at"] - int(WINDOW.total_seconds())
    unpaid = _unpaid(now) | _unpaid(seen)
    shown = {_shown(row) for row in rows if row[2] > since}
    possible = _told(now, since, unpaid)
    early = _told(seen, since, unpaid)
    for signal in sorted(shown - possible - early, key=str):
        yield f"{signal} is shown and not true"
    for signal in sorted((possible & early) - shown, key=str):
        yield f"{signal} is true and not shown"
    opened = {(one.code, one.customer, one.opened_at) for one in shown}
    for signal in sorted(early, key=str):  # it may have been resolved since, but it is there
        if (signal.code, signal.customer, signal.opened_at) not in opened:
            yield f"{signal} was true and is not shown at all"


def _shown(row: tuple[Any, ...]) -> Signal:
    code, customer, opened_at, resolved_at, detail = row
    statuses = [one["status"] for one in detail.get("subscriptions", ())]
    return _signal(code, customer, opened_at, resolved_at, stamped=statuses[:1] != ["unpaid"])


def _told(truth: Any, since: int, unpaid: Set[str]) -> Set[Signal]:
    return {
        _signal(
            code,
            one["customer"],
            one["opened_at"],
            one["resolved_at"],
            stamped=one.get("subscription") not in unpaid,
        )
        for code in CODES
        for one in truth["signals"][code]
        if one["opened_at"] > since
    }


def _signal(code: str, customer: str, opened_at: int, resolved_at: int | None, *, stamped: bool) -> Signal:
    if stamped:
        return Signal(code, customer, opened_at, resolved_at)
    return Signal(code, customer, UNSTAMPED, None if resolved_at is None else UNSTAMPED)


def _unpaid(truth: Any) -> Set[str]:
    """Subscriptions that became unpaid: Stripe keeps no time of that, nor of its end, so none is compared."""
    lapses = truth["lapsed_subscriptions"]["customers"].values()
    return {one["subscription"] for several in lapses for one in several if one["status"] == "unpaid"}


def _reasons(rows: list[tuple[Any, ...]], now: Any, seen: Any) -> Iterator[str]:
    """One by one: every invoice that failed and every subscription that lapsed is in a signal of its customer."""
    named = {(row[1], invoice["invoice_id"]) for row in rows for invoice in row[4].get("invoices", ())}
    lapsed = {(row[1], one["subscription_id"]) for row in rows for one in row[4].get("subscriptions", ())}
    seen_at = seen["at"]
    for customer, failures in now["failed_payments"]["customers"].items():
        for failure in failures:
            if failure["known_at"] <= seen_at and (customer, failure["invoice"]) not in named:
                yield f"{failure['invoice']} of {customer} failed and is in no signal"
    for customer, lapses in now["lapsed_subscriptions"]["customers"].items():
        for lapse in lapses:
            if lapse["lapsed_at"] <= seen_at and (customer, lapse["subscription"]) not in lapsed:
                yield f"{lapse['subscription']} of {customer} lapsed and is in no signal"


def _mrr(shown: Mapping[str, Mapping[str, int]], now: Any, truth: Truth) -> Iterator[str]:
    true = now["mrr_by_customer"]
    suspects = {who for who in shown.keys() | true.keys() if dict(shown.get(who, {})) != true.get(who, {})}
    if not suspects:
        return
    past = [truth.at(instant)["mrr_by_customer"] for instant in _instants(truth.seen, truth.now)]
    for who in sorted(suspects):
        worth = dict(shown.get(who, {}))
        if worth not in [then.get(who, {}) for then in past]:
            yield f"the MRR of {who} is shown as {worth}, and is {true.get(who, {})}"


def _instants(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += LOOK_EVERY
    yield end


def _customers(shown: set[str], truth: Truth) -> Iterator[str]:
    there = {customer["id"]: customer["created"] for customer in truth.stripe.everything("customers")}
    seen_at = (truth.now - NEW_CUSTOMER).timestamp()
    for customer, created in there.items():
        if created <= seen_at and customer not in shown:
            yield f"the customer {customer} is not there"
    yield from (f"the customer {customer} is shown and is gone" for customer in sorted(shown - there.keys()))
