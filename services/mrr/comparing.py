"""What another policy would make of the same facts: month by month, customer by customer, and why. Pure.

The ledger follows from facts and policy alone, so the comparison is the ledger twice over the same facts: as it is,
and as it would be had the other policy counted all along. Why is asked choice by choice: the current policy with one
choice of the other's, and what that alone would make of it. Instants are Unix microseconds, amounts minor units.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.mrr.in_force import InForce
from services.mrr.ledger import Row, ledger
from services.mrr.policy import Policy
from services.mrr.timeline import Facts

Amounts = Mapping[str, int]
"""MRR by currency, without zeros."""


@dataclass(frozen=True, slots=True)
class Months:
    """The ends of calendar months in a zone, as instants; the last is the running month's, as of now."""

    zone: str
    now: datetime

    def since(self, first: int) -> Iterator[tuple[date, int]]:
        """(first day of the month, the last instant of it) of the month of `first` and of those after it."""
        zone = ZoneInfo(self.zone)
        month = datetime.fromtimestamp(first / 1_000_000, zone).date().replace(day=1)
        until = round(self.now.timestamp() * 1_000_000)
        while True:
            following = (month + timedelta(days=32)).replace(day=1)
            end = round(datetime(following.year, following.month, 1, tzinfo=zone).timestamp() * 1_000_000) - 1
            yield month, min(end, until)
            if end >= until:
                return
            month = following


@dataclass(frozen=True, slots=True)
class Reason:
    """What one choice of the other policy would make alone: so much more, or less, at the end of a month."""

    choice: str
    from_value: str
    to_value: str
    change: int


@dataclass(frozen=True, slots=True)
class Differs:
    """A ledger whose MRR at the end of a month would be another. `reasons` are of that month."""

    subject: str
    month: date
    currency: str
    mrr: int
    other: int
    reasons: tuple[Reason, ...]


@dataclass(slots=True)
class Total:
    """What a month ends with in one currency, as it is and as it would be, and how many customers would differ."""

    mrr: int = 0
    other: int = 0
    customers: int = 0


@dataclass(slots=True)
class Comparison:
    """All of it so far. `totals` by (connection, or the workspace for users; month; currency)."""

    totals: dict[tuple[str, date, str], Total] = field(default_factory=dict)
    differing: list[Differs] = field(default_factory=list)

    def add(self, subject: str, found: "Compared") -> None:
        """Add one ledger."""
        scope = subject.partition("/")[0]
        differing = {(one.month, one.currency) for one in found.differing}
        self.differing += found.differing
        currencies = {currency for amounts in found.months.values() for each in amounts for currency in each}
        for month, (mrr, other) in found.months.items():
            for currency in currencies:
                total = self.totals.setdefault((scope, month, currency), Total())
                total.mrr += mrr.get(currency, 0)
                total.other += other.get(currency, 0)
                total.customers += (month, currency) in differing


@dataclass(frozen=True, slots=True)
class Compared:
    """One ledger: by month what it ends with, as it is and as it would be; and where these differ."""

    months: Mapping[date, tuple[Amounts, Amounts]]
    differing: tuple[Differs, ...]


def compare(subject: str, facts: Facts, in_force: InForce, other: Policy, months: Months) -> Compared:
    """Compare one ledger with what it would be had the other policy counted all along."""
    both = _Both(facts, in_force, other, round(months.now.timestamp() * 1_000_000))
    mine, theirs = both.rows(in_force), both.rows(InForce(other, away=in_force.away))
    first = min((row.at for row in (*mine, *theirs)), default=None)
    if first is None:
        return Compared({}, ())
    ends = list(months.since(first))
    found = {month: (mrr_at(mine, end), mrr_at(theirs, end)) for month, end in ends}
    differing = []
    for month, end in ends:
        current, would_be = found[month]
        for currency in sorted(current.keys() | would_be.keys()):
            mrr, another = current.get(currency, 0), would_be.get(currency, 0)
            if mrr != another:
                reasons = tuple(both.reasons(currency, end, mrr))
                differing.append(Differs(subject, month, currency, mrr, another, reasons))
    return Compared(found, tuple(differing))


@dataclass(frozen=True, slots=True)
class _Both:
    """One ledger's facts, by what counts and by the other policy. `alone`: by one choice of the other's alone."""

    facts: Facts
    in_force: InForce
    other: Policy
    now: int
    alone: dict[str, Sequence[Row]] = field(default_factory=dict)

    def rows(self, in_force: InForce) -> Sequence[Row]:
        return ledger(self.facts, in_force, self.now).rows

    def reasons(self, currency: str, at: int, mrr: int) -> Iterator[Reason]:
        """Which choices of the other policy make a difference to a currency at an instant, one at a time."""
        policy = next(era.policy for era in reversed(self.in_force.eras(self.now)) if era.start <= at)
        for choice, (was, would_be) in differences(policy, self.other).items():
            key = f"{policy.version} {choice}"
            if key not in self.alone:
                self.alone[key] = self.rows(InForce(_with(policy, choice, self.other), away=self.in_force.away))
            change = mrr_at(self.alone[key], at).get(currency, 0) - mrr
            if change:
                yield Reason(choice, was, would_be, change)


def mrr_at(rows: Iterable[Row], at: int) -> dict[str, int]:
    """What rows add up to at an instant."""
    last = {row.currency: row.after for row in rows if row.at <= at}
    return {currency: amount for currency, amount in last.items() if amount}


def differences(policy: Policy, other: Policy) -> dict[str, tuple[str, str]]:
    """The choices in which two policies differ, by name (`discounts.repeating`): (the one's, the other's)."""
    mine, theirs = _choices(policy), _choices(other)
    return {name: (_text(value), _text(theirs[name])) for name, value in mine.items() if value != theirs[name]}


def _choices(policy: Policy) -> dict[str, Any]:
    found = policy.model_dump(exclude={"version", "discounts"})
    return found | {f"discounts.{name}": value for name, value in policy.discounts.model_dump().items()}


def _with(policy: Policy, choice: str, other: Policy) -> Policy:
    part, _, name = choice.partition(".")
    value: object = getattr(other, part)
    if name:
        value = policy.discounts.model_copy(update={name: getattr(other.discounts, name)})
    return policy.model_copy(update={part: value})


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "taken off" if value else "not taken off"
    return "no limit" if value is None else str(value)
