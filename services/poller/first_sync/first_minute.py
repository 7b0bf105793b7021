"""The first minute after a key was accepted: what is read, in which order, and how far it is. Pure.

First what a founder looks at (how many customers, which payments failed, who lapsed), then everything that carries
MRR, then the rest. An earlier stage goes before a later one wherever both could be read (`agenda.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from services.poller.kinds import Kind
from services.poller.reading.capabilities import WANTED, Capabilities
from services.poller.reading.queries import Query

DAY = 86_400
RECENT_DAYS = 30
HISTORY_DAYS = 90

Stage = Literal["counting", "failed_payments", "lapsed", "mrr", "history", "disputes"]
STAGES: tuple[Stage, ...] = get_args(Stage)
URGENT: frozenset[Stage] = frozenset({"counting", "failed_payments", "lapsed", "mrr"})
"""The first minute; what comes after it fills in the history."""
PERCENT_AT_END: dict[Stage, int] = {
    "counting": 5,
    "failed_payments": 15,
    "lapsed": 25,
    "mrr": 50,
    "history": 98,
    "disputes": 100,
}


@dataclass(frozen=True, slots=True)
class Task:
    """One list or search to read to its end. `counts` names the progress it adds to; `divisible` whether it may be
    read in shards by creation; `after` a task that is to be finished before."""

    stage: Stage
    name: str
    query: Query
    counts: str
    divisible: bool = False
    after: str | None = None

    @property
    def only_sooner(self) -> bool:
        """Whether other tasks read everything of it too, only later."""
        return self.stage == "lapsed" or self.query.search is not None


def tasks(found: Capabilities, *, as_of: int, history_days: int = HISTORY_DAYS) -> tuple[Task, ...]:
    """Everything the first sync reads, in the order of the stages; `as_of` is the newest instant of Stripe's clock
    that was seen, in Unix seconds."""
    wanted = (
        *_failed(found, as_of),
        *_lapsed(found, as_of),
        *_carrying_mrr(found),
        *_history(found, as_of, history_days),
    )
    return tuple(task for task in wanted if found.can_read(task.query.kind))


def _failed(found: Capabilities, as_of: int) -> tuple[Task, ...]:
    since = as_of - RECENT_DAYS * DAY
    open_invoices = Task(
        "failed_payments", "open_invoices", found.query("invoice", filters={"status": "open"}), "failed_payments"
    )
    if not found.can_search("charge"):
        return (open_invoices,)  # the failed charges come with the history, which lists every charge
    failed = found.query("charge", search=f'status:"failed" AND created>={since}')
    return open_invoices, Task("failed_payments", "failed_charges", failed, "failed_payments")


def _lapsed(found: Capabilities, as_of: int) -> tuple[Task, ...]:
    since = as_of - RECENT_DAYS * DAY
    lists = {
        "past_due": {"status": "past_due"},
        "unpaid": {"status": "unpaid"},
        "ended_in_window": {"status": "canceled", "current_period_end[gte]": str(since)},
    }
    tasks = [Task("lapsed", name, _light(found, filters=filters), "lapsed") for name, filters in lists.items()]
    incomplete = _light(found, filters={"status": "ended"}).between(since, None)
    tasks.append(Task("lapsed", "never_started", incomplete, "lapsed"))
    if found.can_search("subscription"):
        tasks.append(Task("lapsed", "canceled", _light(found, search=f"canceled_at>{since}"), "lapsed"))
    return tuple(tasks)


def _carrying_mrr(found: Capabilities) -> tuple[Task, ...]:
    """The default list has every subscription that has not ended: one consistent list, so that none is missed while
    it changes its status."""
    return (Task("mrr", "running", _light(found), "subscriptions", divisible=True),)


def _history(found: Capabilities, as_of: int, days: int) -> tuple[Task, ...]:
    since = as_of - days * DAY
    every = [Task("history", "customers", found.query("customer"), "customers", divisible=True)]
    ended = _light(found, filters={"status": "ended"})
    every.append(Task("history", "ended", ended, "subscriptions", divisible=True))
    kinds: tuple[Kind, ...] = ("invoice", "charge", "payment_intent")
    for kind in kinds:
        alone = found.expansions(kind, WANTED[kind] - {"payment_intent"})
        query = Query(kind, expand=alone).between(since, None)
        every.append(Task("history", f"{kind}s", query, f"{kind}s", divisible=True))
    # A dispute belongs to its charge's customer, so the charges come first.
    disputes = found.query("dispute").between(since, None)
    every.append(Task("disputes", "disputes", disputes, "disputes", divisible=True, after="charges"))
    return tuple(every)


def _light(found: Capabilities, *, filters: Mapping[str, str] | None = None, search: str | None = None) -> Query:
    """Subscriptions with their discounts and customers, without the invoices, which the history reads."""
    expand = found.expansions("subscription", {"discounts", "items.data.discounts", "customer"})
    return Query("subscription", filters=dict(filters or {}), expand=expand, search=search)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the first sync is. `done` and `total` are objects by name; a total that is not known is None."""

    stage: str
    done: Mapping[str, int]
    totals: Mapping[str, int | None]
    percent: int

    def shown(self) -> dict[str, object]:
        """As the card takes it."""
        names = ("customers", "subscriptions", "invoices", "charges", "payment_intents", "failed_payments", "lapsed")
        counts = {name: {"done": self.done.get(name, 0), "total": self.totals.get(name)} for name in names}
        return {"stage": self.stage, **counts, "percent": self.percent}


def percent_of(stage: Stage, *, share: float, before: int) -> int:
    """Per cent of the whole: the stage's own part by its share that is done (0 to 1); never less than `before`."""
    index = STAGES.index(stage)
    start = PERCENT_AT_END[STAGES[index - 1]] if index else 0
    end = PERCENT_AT_END[stage]
    return max(before, start + int((end - start) * min(1.0, max(0.0, share))))
