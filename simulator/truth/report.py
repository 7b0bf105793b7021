"""The truth as JSON, with Stripe's ids, as `GET /_truth` gives it and an end-to-end test compares it."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from simulator.company.periods import DAY
from simulator.company.world import World
from simulator.ids import Ids
from simulator.truth.record import Failure, Lapse, Record

E = TypeVar("E")

WINDOW_DAYS = 30


def report(world: World, record: Record, ids: Ids, *, at: int | None = None, days: int = WINDOW_DAYS) -> dict[str, Any]:
    """The company at `at` (now if None). Times are Unix seconds, amounts minor units by currency.

    `failed_payments` and `lapsed_subscriptions` tell what happened in the last `days` days, by customer; `signals`
    tells what a service should have opened in them, one open at a time per customer.
    """
    at = world.now if at is None else min(at, world.now)
    after = at - days * DAY
    return {
        "object": "truth",
        "at": at,
        "window_days": days,
        "account": ids.account,
        "customers": record.customers_at(at),
        "mrr": record.mrr_at(at),
        "failed_payments": _failed_payments(record, ids, after, at),
        "lapsed_subscriptions": _lapsed(record, ids, after, at),
        "signals": {
            "payment_failed": [s for s in _failure_signals(record, ids, at) if s["opened_at"] > after],
            "subscription_lapsed": [s for s in _lapse_signals(record, ids, at) if s["opened_at"] > after],
        },
        "recovered_invoices": [
            _failure(failure, ids, at) for failure in record.settled_between(after, at) if failure.settled == "paid"
        ],
    }


def mrr_by_customer(record: Record, ids: Ids, at: int) -> dict[str, dict[str, int]]:
    return {ids.encode("customer", number): mrr for number, mrr in record.customers_with_mrr(at).items()}


def mrr_daily(world: World, record: Record) -> list[dict[str, Any]]:
    """MRR at the end of each UTC day since the company opened; the last row is the running day, as of now."""
    first, today = world.opened_at // DAY, world.now // DAY
    past = enumerate(record.mrr_by_day(first, today - 1), start=first)
    rows = [{"day": day * DAY, "mrr": mrr} for day, mrr in past]
    return [*rows, {"day": today * DAY, "mrr": record.mrr_at(world.now)}]


def _failed_payments(record: Record, ids: Ids, after: int, at: int) -> dict[str, Any]:
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for failure in record.failures_between(after, at):
        customer = ids.encode("customer", failure.invoice.customer.number)
        by_customer.setdefault(customer, []).append(_failure(failure, ids, at))
    return {"count": len(by_customer), "customers": by_customer}


def _failure(failure: Failure, ids: Ids, at: int) -> dict[str, Any]:
    invoice = failure.invoice
    settled = failure.settled_at is not None and failure.settled_at <= at
    return {
        "customer": ids.encode("customer", invoice.customer.number),
        "invoice": ids.encode("invoice", invoice.number),
        "subscription": ids.encode("subscription", invoice.subscription.number),
        "amount": invoice.amount_due,
        "currency": invoice.currency,
        "first_failed_at": failure.first_failed_at,
        "known_at": failure.known_at,
        "charged": failure.charged,
        "hard": failure.hard,
        "reason": failure.reason,
        "resolved_at": failure.settled_at if settled else None,
        "resolution": failure.settled if settled else None,
    }


def _lapsed(record: Record, ids: Ids, after: int, at: int) -> dict[str, Any]:
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for lapse in record.lapses_between(after, at):
        customer = ids.encode("customer", lapse.subscription.customer.number)
        by_customer.setdefault(customer, []).append(_lapse(lapse, ids))
    return {"count": len(by_customer), "customers": by_customer}


def _lapse(lapse: Lapse, ids: Ids) -> dict[str, Any]:
    return {
        "subscription": ids.encode("subscription", lapse.subscription.number),
        "lapsed_at": lapse.at,
        "status": lapse.status,
        "voluntary": lapse.voluntary,
    }


def _failure_signals(record: Record, ids: Ids, at: int) -> Iterator[dict[str, Any]]:
    """A customer's failures that overlap are one signal: open from the first until none of them is open."""
    for number, failures in _grouped((f, f.invoice.customer.number) for f in record.all_failures(at)):
        current: list[Failure] = []
        for failure in sorted(failures, key=lambda f: f.first_failed_at):
            if current and _all_settled_by(current, failure.first_failed_at):
                yield _failure_signal(number, current, ids, at)
                current = []
            current.append(failure)
        yield _failure_signal(number, current, ids, at)


def _all_settled_by(failures: list[Failure], instant: int) -> bool:
    return all(f.settled_at is not None and f.settled_at <= instant for f in failures)


def _failure_signal(number: int, failures: list[Failure], ids: Ids, at: int) -> dict[str, Any]:
    return {
        "customer": ids.encode("customer", number),
        "opened_at": failures[0].first_failed_at,
        "resolved_at": max(f.settled_at or 0 for f in failures) if _all_settled_by(failures, at) else None,
        "invoices": [ids.encode("invoice", f.invoice.number) for f in failures],
    }


def _lapse_signals(record: Record, ids: Ids, at: int) -> Iterator[dict[str, Any]]:
    """Open from the first lapse until the customer has a subscription that counts again."""
    for number, lapses in _grouped((e, e.subscription.customer.number) for e in record.all_lapses(at)):
        resolved: int | None = -1
        for lapse in lapses:
            if resolved is None or lapse.at < resolved:
                continue
            resolved = record.paying_again(number, lapse.at, at)
            yield {
                "customer": ids.encode("customer", number),
                "opened_at": lapse.at,
                "resolved_at": resolved,
                "subscription": ids.encode("subscription", lapse.subscription.number),
                "voluntary": lapse.voluntary,
            }


def _grouped(pairs: Iterable[tuple[E, int]]) -> Iterable[tuple[int, list[E]]]:
    groups: dict[int, list[E]] = {}
    for thing, number in pairs:
        groups.setdefault(number, []).append(thing)
    return groups.items()
