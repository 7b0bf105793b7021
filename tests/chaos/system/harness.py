"""Blows to a running system, by a seed, and how long it takes to stand again."""

import os
import random
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, LiteralString

import kafka.errors
import psycopg

from tests.fixtures.stacks import wait_for
from tests.fixtures.system import RunningDropFix, SimulatedStripe, Time
from tests.verifier.applied import behind

How = Literal["kill", "freeze"]
RECOVERY_SECONDS = 20.0
PATIENCE_SECONDS = 90.0
FREEZE_SECONDS = 12.0
"""Longer than a session with Kafka, than a lease, and than a transaction may stand idle."""
POLL = timedelta(minutes=5)
LATE_POLL = timedelta(minutes=7, seconds=30)
"""A poll that is due may take a while, when five minutes are five seconds."""

_OVERDUE: LiteralString = """
SELECT count(*) FROM poller.connections
WHERE phase IN ('validating', 'first_minute', 'live')
  AND CASE WHEN lease_until > now() THEN lease_owner <> %s ELSE next_at < %s END
"""
_BUSY: LiteralString = """
SELECT count(*) FROM poller.connections
WHERE phase <> 'ended' AND (phase <> 'live' OR NOT synced OR next_at <= %s OR lease_until > now())
"""


@dataclass(frozen=True)
class Blow:
    """What befalls one process."""

    victim: str
    how: How


@dataclass(frozen=True)
class Recovery:
    """A blow, when it fell (seconds after the first), and how long until everything did its work again."""

    at: float
    blow: Blow
    seconds: float


def blows(seed: int, count: int, victims: Sequence[str], *, freezes: int) -> list[Blow]:
    """So many blows: every victim in turn, in an order by the seed, before any for a second time."""
    draw = random.Random(seed)
    order: list[str] = []
    while len(order) < count:
        order += draw.sample(victims, len(victims))
    frozen = set(draw.sample(range(count), freezes))
    return [Blow(victim, "freeze" if place in frozen else "kill") for place, victim in enumerate(order[:count])]


@dataclass
class Harness:
    """A running system, the time it lives in and the account it watches."""

    dropfix: RunningDropFix
    stripe: SimulatedStripe
    time: Time

    def strike(self, blow: Blow) -> float:
        """Deal a blow and wait until the system stands again; the seconds it took from the kill or the thaw."""
        victim = self.dropfix.identity(blow.victim)
        if blow.how == "freeze":
            os.kill(victim.pid, signal.SIGSTOP)
            time.sleep(FREEZE_SECONDS)
            began = time.monotonic()
            os.kill(victim.pid, signal.SIGCONT)
        else:
            began = time.monotonic()
            self.dropfix.kill(blow.victim)
            self.dropfix.wait_back(blow.victim, after=victim, seconds=PATIENCE_SECONDS)
        wait_for(f"everything works after {blow}: {self.dropfix.unready()}", self.stands, seconds=PATIENCE_SECONDS)
        return time.monotonic() - began

    def stands(self) -> bool:
        """Whether every process does its work, the poller polls on time, and all that it published is applied."""
        return not self.dropfix.unready() and self._polls_on_time() and self._is_applied()

    def _is_applied(self) -> bool:
        try:
            return not list(behind(self.dropfix.database, self.dropfix.addresses["kafka"]))
        except (psycopg.OperationalError, kafka.errors.KafkaError):
            return False

    def _polls_on_time(self) -> bool:
        owner = f"{socket.gethostname()}:{self.dropfix.identity('poller').pid}"
        return self._count(_OVERDUE, owner, self.time.now - LATE_POLL) == 0

    def _count(self, statement: LiteralString, *values: object) -> int | None:
        """None while the database does not answer."""
        try:
            return int(self.dropfix.rows(statement, *values)[0][0])
        except psycopg.OperationalError:
            return None

    def polled(self) -> bool:
        """Whether every connection was read in whole, and polled as of now."""
        return self._count(_BUSY, self.time.now) == 0

    def settle(self, polls: int) -> datetime:
        """Let so many polls pass, stand still until nothing is left to do; the instant at which time stands."""
        self.time.run(0)
        for _ in range(polls):
            wait_for("every connection is polled", self.polled, seconds=PATIENCE_SECONDS)
            self.time.step(POLL)
        wait_for("every connection is polled", self.polled, seconds=PATIENCE_SECONDS)
        self.wait_quiet()
        return self.time.now

    def wait_quiet(self) -> None:
        """Wait until everything is applied and published."""
        wait_for("all is applied and published", self._is_applied, seconds=PATIENCE_SECONDS)


@dataclass
class Director:
    """Has things happen to the company, by a seed: what a founder wants to hear of, and Stripe puts a time on."""

    stripe: SimulatedStripe
    draw: random.Random
    done: int = 0

    def act(self, count: int) -> None:
        """So many things, each to another customer where possible."""
        running = [one for one in self.stripe.everything("subscriptions", status="active") if _plain(one)]
        due = list(self.stripe.everything("invoices", status="open"))
        for order in self._orders(running, due, count):
            self.done += self.stripe.tries(**order)

    def _orders(
        self, running: list[dict[str, object]], due: list[dict[str, object]], count: int
    ) -> Iterator[dict[str, object]]:
        for subscription in self.draw.sample(running, min(count, len(running))):
            match self.draw.randrange(5):
                case 0 | 1:
                    yield {"do": "fail_now", "subscription": subscription["id"]}
                case 2:
                    yield {"do": "cancel", "subscription": subscription["id"]}
                case 3 if due:
                    yield {"do": self.draw.choice(["pay", "void"]), "invoice": self.draw.choice(due)["id"]}
                case _:
                    quantity = self.draw.randrange(2, 9)
                    seats = {"quantity": quantity, "proration": "always_invoice"}
                    yield {"do": "change_seats", "subscription": subscription["id"], **seats}


def _plain(subscription: dict[str, object]) -> bool:
    """Whether it is worth money by its seats alone, so that what happens to it has one reading."""
    items = subscription["items"]
    assert isinstance(items, dict)
    prices = [item["price"] for item in items["data"]]
    return all(price["billing_scheme"] == "per_unit" and price["unit_amount"] for price in prices) and not (
        subscription["pause_collection"] or subscription["cancel_at"] or subscription["discounts"]
    )


def table(recoveries: Sequence[Recovery]) -> str:
    """The blows, one a line, and the worst recovery of each victim."""
    lines = [f"{'at':>7}  {'process':<10} {'blow':<7} {'stands again':>12}"]
    lines += [f"{one.at:6.1f}s  {one.blow.victim:<10} {one.blow.how:<7} {one.seconds:11.1f}s" for one in recoveries]
    worst = max(recoveries, key=lambda one: one.seconds)
    lines.append(f"{len(recoveries)} blows; the longest recovery took {worst.seconds:.1f} s ({worst.blow.victim})")
    return "\n".join(lines)
