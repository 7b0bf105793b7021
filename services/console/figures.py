"""Figures and lists from the views of the other services. A view that is not there yet gives None, not an error."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, LiteralString, TypeVar

from psycopg.rows import TupleRow

from runtime.database import Connection as Db
from runtime.database import Pool
from services.console.chart import DayOfMrr
from services.console.connections import NOT_THERE
from services.console.explanations import explained
from services.console.model import Customer, Signal
from services.console.overview import Figures, Scope, SignalCount
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S

T = TypeVar("T")
PAGE = 50
HISTORY = timedelta(days=90)
A_DAY = timedelta(days=1)
_SQL, _MRR = statements("figures"), statements("mrr")
_EXPLANATIONS = statements("explanations")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list begins: after the row with this value and id."""

    value: str
    id: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of a list; `rows` is None where the view is not there yet, `next` where there is no further page."""

    rows: Sequence[T] | None
    next: Place | None = None


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals a list shows: of one code, of one customer, open ones alone, or those since an instant."""

    code: str | None = None
    customer_id: str | None = None
    only_open: bool = True
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as a customer's page shows it."""

    subscription_id: str
    status: str
    trial_end: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None


@dataclass(frozen=True, slots=True)
class MrrOfDay:
    """MRR at the end of a day by connection and currency; `rows` is None where there is no ledger yet."""

    day: date | None
    rows: Sequence[Mapping[str, Any]] | None


class FigureStore:
    """What the views say of one workspace's scope. Every statement names both the workspace and the connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def figures(self, workspace_id: str, scope: Scope, now: datetime) -> Figures:
        """The dashboard's numbers at `now` (domain time)."""
        parameters = in_scope(workspace_id, scope) | {"since": scope.recent_since(now)}
        with self._session() as db:
            customers = rows_or_none(db, "customers_count", parameters)
            mrr = rows_or_none(db, "mrr_by_currency", parameters)
            signals = rows_or_none(db, "signals_by_code", parameters)
            alone = rows_or_none(db, "users_alone", parameters)
        return Figures(
            customers=customers[0][0] if customers else None,
            mrr=None if mrr is None else {row[0]: row[1] for row in mrr},
            paying={row[0]: row[2] for row in mrr or ()},
            signals=None if signals is None else {row[0]: SignalCount(row[1], row[2]) for row in signals},
            users_alone=alone[0][0] if alone else None,
        )

    def mrr_history(self, workspace_id: str, scope: Scope, now: datetime) -> list[DayOfMrr]:
        """Every day's MRR of the last 90 (domain time), by connection and currency.

        Days are the workspace's own, whose today may be another than UTC's.
        """
        parameters = in_scope(workspace_id, scope) | {"since": (now - HISTORY).date(), "until": (now + A_DAY).date()}
        with self._session() as db:
            return [DayOfMrr(*row) for row in rows_or_none(db, "mrr_history", parameters) or ()]

    def explanation(self, workspace_id: str, customer_id: str, day: date | None) -> list[dict[str, Any]] | None:
        """Why a customer's or a user's MRR is what it is at the end of a day (of the workspace's zone; None: now), by
        account and currency; None where the view is not there yet."""
        parameters = {"workspace_id": workspace_id, "customer_id": customer_id, "day": day}
        with self._session() as db:
            rows = rows_or_none(db, "movements", parameters, of=_EXPLANATIONS)
            held = rows_or_none(db, "held", parameters, of=_EXPLANATIONS) if day is None else []
        return None if rows is None else explained(rows, held or [])

    def mrr_of_day(
        self, workspace_id: str, scope: Scope, *, day: date | None = None, known_at: datetime | None = None
    ) -> MrrOfDay:
        """MRR at the end of a day (the workspace's; today without one), as known now or as known at an instant."""
        parameters = in_scope(workspace_id, scope)
        statement = "mrr_as_of" if known_at is None else "mrr_as_known"
        with self._session() as db:
            if day is None:
                today = rows_or_none(db, "today", parameters, of=_MRR)
                day = today[0][0] if today else None
            if day is None:
                return MrrOfDay(None, None)
            rows = rows_or_none(db, statement, parameters | {"day": day, "at": known_at}, of=_MRR)
        names = ("connection_id", "currency", "mrr", "customers", "reconstructed")
        return MrrOfDay(day, None if rows is None else [dict(zip(names, row, strict=True)) for row in rows])

    def signals(
        self, workspace_id: str, scope: Scope, wanted: SignalFilter, after: Place | None = None
    ) -> Page[Signal]:
        """Signals, the latest first."""
        parameters = in_scope(workspace_id, scope) | {
            "code": wanted.code,
            "customer_id": wanted.customer_id,
            "only_open": wanted.only_open,
            "since": wanted.since,
            "after_at": after.value if after else None,
            "after_id": after.id if after else None,
            "limit": PAGE + 1,
        }
        with self._session() as db:
            rows = rows_or_none(db, "signals", parameters)
            if rows is None:
                return Page(None)
            found = [Signal(*row) for row in rows[:PAGE]]
            named = self._named(db, workspace_id, scope, found)
        last = found[-1] if len(rows) > PAGE else None
        return Page(named, Place(last.opened_at.isoformat(), last.signal_id) if last else None)

    def customers(
        self, workspace_id: str, scope: Scope, *, search: str, currency: str | None, after: Place | None = None
    ) -> Page[Customer]:
        """Customers, the newest first; with a currency whoever pays in it, users of the product included, the largest
        MRR first."""
        statement = "paying_customers" if currency else "newest_customers"
        parameters = in_scope(workspace_id, scope) | {
            "search": f"%{like_literally(search)}%" if search else None,
            "currency": currency,
            "after": after.value if after else None,
            "after_id": after.id if after else None,
            "limit": PAGE + 1,
        }
        with self._session() as db:
            rows = rows_or_none(db, statement, parameters)
            if rows is None:
                return Page(None)
            found = _completed(db, workspace_id, scope, [Customer(*row[:5]) for row in rows[:PAGE]])
        if len(rows) <= PAGE:
            return Page(found)
        last = rows[PAGE - 1]
        value = last[5] if currency else last[4]
        return Page(found, Place(value.isoformat() if isinstance(value, datetime) else str(value), last[1]))

    def customer(self, workspace_id: str, scope: Scope, customer_id: str) -> Customer | None:
        """One customer of the scope, None where there is none."""
        parameters = in_scope(workspace_id, scope) | {"customer_id": customer_id}
        with self._session() as db:
            rows = rows_or_none(db, "customer", parameters) or []
            found = _completed(db, workspace_id, scope, [Customer(*row) for row in rows])
        return found[0] if found else None

    def subscriptions(self, workspace_id: str, scope: Scope, customer_id: str) -> list[Subscription] | None:
        """A customer's subscriptions, the current ones first."""
        with self._session() as db:
            rows = rows_or_none(db, "subscriptions_of", in_scope(workspace_id, scope) | {"customer_id": customer_id})
        return None if rows is None else [Subscription(*row) for row in rows]

    @contextmanager
    def _session(self) -> Iterator[Db]:
        with self._pool.connection(timeout=BORROW_WITHIN_S) as connection:
            yield connection

    def _named(self, db: Db, workspace_id: str, scope: Scope, signals: list[Signal]) -> list[Signal]:
        ids = sorted({signal.customer_id for signal in signals if signal.customer_id})
        names = {
            row[0]: row[1] or row[2]
            for row in rows_or_none(db, "names", in_scope(workspace_id, scope) | {"ids": ids}) or ()
        }
        return [
            replace(each, who=names.get(each.customer_id) or each.customer_id or each.user_id or "") for each in signals
        ]


def in_scope(workspace_id: str, scope: Scope) -> dict[str, Any]:
    """The parameters that every statement takes."""
    return {"workspace_id": workspace_id, "connections": scope.connection_ids, "by_hand": scope.modes_by_hand}


def rows_or_none(
    db: Db, statement: str, parameters: Mapping[str, Any], *, of: Mapping[str, LiteralString] = _SQL
) -> list[TupleRow] | None:
    """The rows of one of the statements `of`, None where a view it reads is not there yet."""
    try:
        with db.transaction():
            return db.execute(of[statement], parameters).fetchall()
    except NOT_THERE:
        return None


def like_literally(search: str) -> str:
    """The text as a LIKE pattern that means just that text."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _completed(db: Db, workspace_id: str, scope: Scope, customers: list[Customer]) -> list[Customer]:
    """With MRR, trial end and open signals, in three statements whatever their number."""
    parameters = in_scope(workspace_id, scope) | {"ids": [customer.customer_id for customer in customers]}
    mrr: dict[tuple[str, str], dict[str, int]] = {}
    for connection_id, customer_id, currency, amount in rows_or_none(db, "mrr_of", parameters) or ():
        mrr.setdefault((connection_id, customer_id), {})[currency] = amount
    trials = {row[0]: row[1] for row in rows_or_none(db, "trial_ends_of", parameters) or ()}
    signals = {row[0]: row[1] for row in rows_or_none(db, "open_signals_of", parameters) or ()}
    return [
        replace(
            customer,
            mrr=mrr.get((customer.connection_id, customer.customer_id), {}),
            is_user=customer.connection_id == workspace_id,
            trial_end=trials.get(customer.customer_id),
            open_signals=signals.get(customer.customer_id, 0),
        )
        for customer in customers
    ]
