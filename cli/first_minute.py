"""The conditions of the first minute: what the dashboard says beside what is true, and when it became so."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from cli.console_api import ConsoleApi
from cli.errors import CommandError
from cli.output import out, print_json

LIMIT_SECONDS = 60.0
GIVE_UP_SECONDS = 120.0
LOOK_SECONDS = 0.5
SIGNALS = ("payment_failed", "subscription_lapsed")

_SIGNALS_SQL = """
SELECT code, customer_id, count(*) FROM analytics.signals
WHERE state <> 'withdrawn'
  AND opened_at > to_timestamp(%s) - make_interval(days => 30) AND opened_at <= to_timestamp(%s)
GROUP BY code, customer_id
"""
_MRR_SQL = "SELECT currency, sum(mrr) FROM analytics.mrr_by_customer GROUP BY currency HAVING sum(mrr) <> 0"


@dataclass(frozen=True, slots=True)
class Expected:
    """The truth of the account. Signals are how many each customer has of a code; MRR is by currency."""

    at: int
    customers: int
    signals: Mapping[str, Mapping[str, int]]
    mrr: Mapping[str, int]

    @classmethod
    def of(cls, truth: Mapping[str, Any]) -> "Expected":
        """From what the simulator knows."""
        signals = {code: Counter(signal["customer"] for signal in truth["signals"][code]) for code in SIGNALS}
        return cls(at=truth["at"], customers=truth["customers"], signals=signals, mrr=truth["mrr"])


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: what is shown, what is true, and after how many seconds they were the same."""

    name: str
    shown: str
    truth: str
    same: bool
    seconds: float

    @property
    def holds(self) -> bool:
        return self.same and self.seconds <= LIMIT_SECONDS


class FirstMinute:
    """Watches a console and its tables from `began` (monotonic seconds): the moment of *Connect*."""

    def __init__(self, api: ConsoleApi, database_url: str, *, began: float) -> None:
        self._api = api
        self._database_url = database_url
        self._began = began

    def wait_for(self, truth: Expected) -> list[Condition]:
        """Wait until everything that is shown is true, or for two minutes; what was found."""
        looks: dict[str, Callable[[], Any]] = {
            "tracked users": lambda: self._api.get("/api/overview")["tracked_users"],
            "payments failed in 30 days": lambda: self._signals(truth.at).get("payment_failed", {}),
            "subscriptions lapsed in 30 days": lambda: self._signals(truth.at).get("subscription_lapsed", {}),
            "MRR": self._mrr,
        }
        wanted: dict[str, Any] = {
            "tracked users": truth.customers,
            "payments failed in 30 days": dict(truth.signals["payment_failed"]),
            "subscriptions lapsed in 30 days": dict(truth.signals["subscription_lapsed"]),
            "MRR": dict(truth.mrr),
        }
        found: dict[str, Condition] = {}
        while len(found) < len(looks) and self._elapsed() < GIVE_UP_SECONDS:
            for name in looks.keys() - found.keys():
                if looks[name]() == wanted[name]:
                    found[name] = self._condition(name, wanted[name], wanted[name])
            self._refuse_a_refused_key()
            time.sleep(LOOK_SECONDS)
        return [found.get(name) or self._condition(name, looks[name](), wanted[name]) for name in looks]

    def _condition(self, name: str, shown: Any, truth: Any) -> Condition:
        return Condition(name, _text(shown), _text(truth), shown == truth, round(self._elapsed(), 1))

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _refuse_a_refused_key(self) -> None:
        for connection in self._api.get("/api/stripe/status")["connections"]:
            if connection["state"] in {"refused", "stopped"}:
                raise CommandError(f"the connection was refused: {connection['reason']}", remedy=connection["remedy"])

    def _signals(self, at: int) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        with psycopg.connect(self._database_url) as connection:
            for code, customer, count in connection.execute(_SIGNALS_SQL, (at, at)):
                found.setdefault(code, {})[customer] = count
        return found

    def _mrr(self) -> dict[str, int]:
        with psycopg.connect(self._database_url) as connection:
            return {currency: int(mrr) for currency, mrr in connection.execute(_MRR_SQL)}


def _text(value: Any) -> str:
    """A number, customers with how many each, or amounts by currency, short enough for a line."""
    if not isinstance(value, Mapping):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if all(isinstance(name, str) and len(name) == 3 for name in value):
        return " ".join(f"{name} {amount:,}" for name, amount in sorted(value.items())) or "nothing"
    return f"{sum(value.values()):,} at {len(value):,} customers"


def show(conditions: list[Condition], *, as_json: bool) -> None:
    """Print each condition with its value beside the truth."""
    if as_json:
        print_json([{**asdict(condition), "holds": condition.holds} for condition in conditions])
        return
    for condition in conditions:
        mark = "[green]✓[/]" if condition.holds else "[red]✗[/]"
        out.print(f"{mark} {condition.name:<32} {condition.shown}  [dim]after {condition.seconds:.1f} s[/]")
        if not condition.same:
            out.print(f"  {'the truth is':<32} {condition.truth}")
        elif not condition.holds:
            out.print(f"  later than the {LIMIT_SECONDS:.0f} s that were promised")
