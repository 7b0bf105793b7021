"""Random histories of a company, and whether the log had every change in time."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.polled import Logged, PolledAccount
from services.poller.publishing.fingerprint import fingerprint
from services.poller.steady.bounds import BY_NAME, Name, bound_seconds
from services.poller.steady.plan import Sizes
from simulator.api.acts import Acts
from simulator.app import Simulator
from simulator.changes import Watch
from simulator.company import payments
from simulator.company.model import Charge, Customer
from simulator.company.world import World
from simulator.errors import SimulatorError
from simulator.founding import Company
from simulator.ids import Ids
from simulator.render.payments import charge_kind
from tests.integration.poller.changes_in import Happened, Telling


class ShortPages:
    """An application whose lists have at most so many objects a page, so that a small company has many pages."""

    def __init__(self, app: ASGIApp, page: int) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope.get("query_string", b"").replace(b"limit=100", f"limit={self._page}".encode())
        await self._app({**scope, "query_string": asked}, receive, send)


@dataclass
class Awaited:
    """Changes of one object that the log does not have yet, the oldest first."""

    changes: deque[Happened] = field(default_factory=deque)


@dataclass
class Ledger:
    """What the company did, what the log has, and what is late. `bound` gives the seconds that a change may take."""

    bound: Callable[[Happened], int | None]
    telling: Telling = field(default_factory=Telling)
    logged: dict[str, tuple[int, str]] = field(default_factory=dict)
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    """By record id, what was published under it."""
    repeated: list[str] = field(default_factory=list)
    """Ids that came again."""
    awaited: dict[str, Awaited] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    waited: dict[str, int] = field(default_factory=dict)
    """By row, the longest that a change of it took."""

    def keep(self, record: Logged) -> None:
        """A record came into the log."""
        state = fingerprint(record.kind, json.loads(record.value))
        said = f"{record.key.partition('@')[0]} {state}"
        if record.id in self.ids:
            self.repeated.append(record.id)
        if self.ids.setdefault(record.id, said) != said:
            self.late.append(f"one id was given to two states: {record.id}, {said}")
        object_id = record.key.partition("#")[2].partition("@")[0]
        if record.version >= self.logged.get(object_id, (0, ""))[0]:
            self.logged[object_id] = (record.version, state)
            self.latest[object_id] = json.loads(record.value)

    def happened(self, changes: list[Happened]) -> None:
        for change in changes:
            waiting = self.awaited.setdefault(change.id, Awaited()).changes
            waiting.append(self._unforeseen(change, waiting))

    def _unforeseen(self, change: Happened, waiting: Iterable[Happened]) -> Happened:
        """The end of a subscription is known beforehand only where the log has that it was scheduled."""
        unseen = any("scheduled_cancellation" in each.rows for each in waiting)
        if "scheduled_end" not in change.rows or not unseen:
            return change
        return replace(change, rows=("unforeseen_end",), told=f"{change.told}, which nobody foresaw")

    def look(self, now: int) -> None:
        """After a poll: which changes are in the log by now, and which should be and are not."""
        for object_id, waiting in list(self.awaited.items()):
            _, state = self.logged.get(object_id, (0, ""))
            shown = next(
                (at for at in reversed(range(len(waiting.changes))) if waiting.changes[at].fingerprint == state), None
            )
            for _ in range(0 if shown is None else shown + 1):
                self._saw(waiting.changes.popleft(), now)
            for change in waiting.changes:
                bound = self.bound(change)
                if bound is not None and now - change.at > bound:
                    late = f"{change.told} at {change.at}: not in the log after {now - change.at} s"
                    self.late.append(f"{late}; {self.lacks(object_id)}")
            if not waiting.changes:
                del self.awaited[object_id]

    def lacks(self, object_id: str) -> str:
        """In which fields the log's latest record of an object differs from the account."""
        held, shown = self.latest.get(object_id), self.telling.now[object_id]
        if held is None:
            return "no record"
        names = sorted(name for name in {*held, *shown} if held.get(name) != shown.get(name))
        return ", ".join(f"{name}: {held.get(name)!r:.80} is {shown.get(name)!r:.80}" for name in names)

    def _saw(self, change: Happened, now: int) -> None:
        bound = self.bound(change)
        for row in change.rows:
            self.waited[row] = max(self.waited.get(row, 0), now - change.at)
        if bound is not None and now - change.at > bound:
            self.late.append(f"{change.told} at {change.at}: in the log after {now - change.at} s, not {bound}")


class Director:
    """Makes a company live, and does to it what people do, at random."""

    def __init__(self, simulator: Simulator, ledger: Ledger, *, seed: int) -> None:
        self._simulator = simulator
        self._company = simulator.company
        self._ledger = ledger
        self._random = Random(seed)
        self._acts = Acts(simulator.company)
        self._watch = Watch(simulator.company)
        self._touched: list[int] = []
        self.did: list[str] = []
        for change in self._watch.look():
            ledger.telling.tell([change])
        self._company.world.observers.append(self._touched.append)

    @property
    def world(self) -> World:
        return self._company.world

    def live(self, until: int, *, acts: int) -> None:
        """Up to an instant, with so many acts at instants between; some share a second."""
        begin = self.world.now
        for at in sorted(self._random.randint(begin + 1, until) for _ in range(acts)):
            self._pass(at)
            for _ in range(1 + (self._random.random() < 0.2)):
                self._act()
        self._pass(until)

    def _pass(self, until: int) -> None:
        while (event := self.world.next_event_at()) is not None and event <= until:
            self.world.advance(event)
            self._tell()
        self.world.advance(until)

    def _tell(self) -> None:
        for number in dict.fromkeys(self._touched):
            if number < len(self.world.customers):
                self._ledger.happened(self._ledger.telling.tell(self._watch.look([number])))
        self._touched.clear()

    def _act(self) -> None:
        """One thing that people do: to a customer who has what it takes, if there is one."""
        wanted, who = self._choose()
        try:
            self._acts.perform(wanted)
        except SimulatorError:
            return
        self.did.append(str(wanted["do"]))
        self._touched.append(who.number)
        self._tell()

    def decide_a_dispute(self) -> None:
        """Some open dispute moves on, if there is one."""
        found = [self.world.disputes[at] for at in range(len(self.world.disputes))]
        if pending := [case for case in found if case.status in {"needs_response", "under_review"}]:
            case = self._random.choice(pending)
            self.world.act(payments.set_dispute, case, self._random.choice(["under_review", "won", "lost"]))
            self.did.append("decide_dispute")
            self._touched.append(case.customer.number)
            self._tell()

    def _choose(self) -> tuple[dict[str, Any], Customer]:
        chance, ids = self._random, self._company.ids
        who = self.world.customers[chance.randrange(len(self.world.customers))]
        sold = [each for each in who.subscriptions if not each.ended]
        owed = [each for each in who.invoices if each.status == "open"]
        charged = [each for each in who.charges if each.status == "succeeded"]
        verbs = ["subscribe", "change_email", "fail_next", "new_card"] + ["delete_customer"] * (chance.random() < 0.3)
        verbs += ["cancel", "cancel_later", "keep", "pause", "resume", "seats", "seats", "fail_now"] * bool(sold)
        verbs += ["pay", "pay_out_of_band", "void", "give_up"] * 3 * bool(owed) + ["dispute", "refund"] * bool(charged)
        verb = chance.choice(verbs)
        wanted: dict[str, Any] = {"do": verb, "customer": ids.encode("customer", who.number)}
        if sold:
            wanted["subscription"] = ids.encode("subscription", chance.choice(sold).number)
        if owed:
            wanted["invoice"] = ids.encode("invoice", chance.choice(owed).number)
        if charged:
            wanted["charge"] = _charge_id(ids, chance.choice(charged))
        return wanted | self._details(verb), who

    def _details(self, verb: str) -> dict[str, Any]:
        chance = self._random
        soon = {"at": self.world.now + chance.randint(600, 20_000)}
        details: dict[str, dict[str, Any]] = {
            "cancel_later": {"do": "cancel"} | chance.choice([soon, {"at_period_end": True}]),
            "seats": {
                "do": "change_seats",
                "quantity": chance.randint(1, 40),
                "proration": chance.choice(["none", "create_prorations", "always_invoice"]),
            },
            "change_email": {"email": f"u{chance.randrange(10**9)}@customers.example"},
            "subscribe": {"trial_days": chance.choice([0, 0, 7]), "quantity": chance.randint(1, 9)},
            "pause": {"behavior": chance.choice(["void", "keep_as_draft", "mark_uncollectible"])},
            "fail_next": {"times": chance.randint(1, 3)},
        }
        return details.get(verb, {})


def _charge_id(ids: Ids, charge: Charge) -> str:
    return ids.encode(charge_kind(charge), charge.number)


def sizes_of(company: Company) -> Sizes:
    """How large the account really is."""
    world = company.world
    sold = [world.subscriptions[at] for at in range(len(world.subscriptions))]
    bills = [world.invoices[at] for at in range(len(world.invoices))]
    ended = sum(each.status == "canceled" for each in sold)
    return Sizes(len(sold), len(sold) - ended, len(world.customers), sum(each.status == "open" for each in bills))


def larger(one: Sizes, other: Sizes) -> Sizes:
    """The most that either has of every list."""
    return Sizes(
        max(one.subscriptions, other.subscriptions),
        min(one.running, other.running),
        max(one.customers, other.customers),
        max(one.open_invoices, other.open_invoices),
    )


def bound_of(rows: tuple[Name, ...], sizes: Sizes, *, allowed: int, search: bool, search_lag: int) -> int | None:
    """Seconds that a change of these rows may take; None for what no call looks for."""
    bounds = {row: bound_seconds(BY_NAME[row], sizes, allowed=allowed, search=search) for row in rows}
    found = [bound for row, bound in bounds.items() if bound is not None and row != "superseded"]
    if not found:
        return None
    soonest = min(found) + (search_lag if search else 0)
    return max(soonest, bounds.get("superseded") or 0)


def polls(account: PolledAccount, count: int) -> Iterator[int]:
    """The instants of so many polls to come, on the connection's own grid."""
    for _ in range(count):
        due = account.rows("SELECT extract(epoch FROM next_at)::bigint FROM poller.connections")[0][0]
        yield max(account.now + 1, int(due))
