"""Blows to a running system, by a seed, and how long it takes to stand again."""

import os
import random
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen
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
SIDE_BY_SIDE_SECONDS = 1.0
"""How long who took over goes on beside the zombie."""
POLL = timedelta(minutes=5)
LATE_POLL = timedelta(minutes=7, seconds=30)
"""A poll that is due may take a while, when five minutes are five seconds."""
ALONE = frozenset({"console", "kafka", "postgres"})
"""Of whom there is no second one to take over."""
DEATHS = ("", "relay_after_send=kill", "after_commit=kill@3", "poller_after_publish=kill@2", "mail_data_started=kill")
"""Where who took over dies, if it comes there: after Kafka has records that PostgreSQL does not know were sent, or in
the middle of an email."""

_OVERDUE: LiteralString = """
SELECT count(*) FROM poller.connections
WHERE phase IN ('validating', 'first_minute', 'live')
  AND CASE WHEN lease_until > now() THEN lease_owner <> %s ELSE next_at < %s END
"""
_BUSY: LiteralString = """
SELECT count(*) FROM poller.connections
WHERE phase <> 'ended' AND (phase <> 'live' OR NOT synced OR next_at <= %s OR lease_until > now())
"""
_UNDER_WAY: LiteralString = """
SELECT (SELECT count(*) FROM poller.refreshes)
     + (SELECT count(*) FROM (TABLE mrr.timers UNION ALL TABLE detector.timers UNION ALL TABLE dunning.timers) AS timer
        WHERE due_at <= %s)
     + (SELECT count(*) FROM dunning.due LEFT JOIN dunning_io.mails AS mail USING (episode_id, step, attempt)
        WHERE coalesce(mail.state, '') <> 'unknown' AND coalesce(due.why, '') NOT LIKE 'the fresh read failed%%')
"""


@dataclass(frozen=True)
class Blow:
    """What befalls one process. One that is frozen is taken over from by a second one, which may die at `death`."""

    victim: str
    how: How
    death: str = ""


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
    return [
        Blow(victim, "freeze", draw.choice(DEATHS)) if place in frozen else Blow(victim, "kill")
        for place, victim in enumerate(order[:count])
    ]


@dataclass
class Harness:
    """A running system, the time it lives in and the account it watches."""

    dropfix: RunningDropFix
    stripe: SimulatedStripe
    time: Time
    write_key: str

    def strike(self, blow: Blow) -> float:
        """Deal a blow and wait until the system stands again; the seconds it took from the kill or the thaw."""
        victim = self.dropfix.identity(blow.victim)
        if blow.how == "freeze":
            began = self._freeze(victim.pid, blow)
        else:
            began = time.monotonic()
            self.dropfix.kill(blow.victim)
            self.dropfix.wait_back(blow.victim, after=victim, seconds=PATIENCE_SECONDS)
        wait_for(f"everything works after {blow}: {self.dropfix.unready()}", self.stands, seconds=PATIENCE_SECONDS)
        return time.monotonic() - began

    def _freeze(self, pid: int, blow: Blow) -> float:
        """Freeze, let another take over, and thaw: a zombie that believes it is at work. When it thawed."""
        os.kill(pid, signal.SIGSTOP)
        if blow.victim in ALONE:
            time.sleep(FREEZE_SECONDS)
            began = time.monotonic()
            os.kill(pid, signal.SIGCONT)
            return began
        with _second(pid, failpoints=blow.death):
            time.sleep(FREEZE_SECONDS)
            began = time.monotonic()
            os.kill(pid, signal.SIGCONT)
            time.sleep(SIDE_BY_SIDE_SECONDS)
        return began

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
            self._wake_the_poller()
        wait_for("every connection is polled", self.polled, seconds=PATIENCE_SECONDS)
        self.wait_quiet()
        return self.time.now

    def _wake_the_poller(self) -> None:
        with psycopg.connect(self.dropfix.database) as connection:
            connection.execute("NOTIFY dropfix_connections")

    def wait_quiet(self) -> None:
        """Wait until nothing is due and no email under way, and everything is applied and published."""
        wait_for("all is applied and published, and nothing is due", self._is_quiet, seconds=PATIENCE_SECONDS)

    def _is_quiet(self) -> bool:
        """What is applied may make something due, and what is due may publish something: so in this order."""
        return self._is_applied() and self._count(_UNDER_WAY, self.time.now) == 0 and self._is_applied()


@contextmanager
def _second(pid: int, *, failpoints: str) -> Iterator[Popen[bytes]]:
    """Another process of the same service while the block runs, as if it had been scaled up."""
    command = _strings(pid, "cmdline")
    environment = dict(one.split("=", 1) for one in _strings(pid, "environ"))
    environment |= {"DROPFIX_HTTP_PORT": "0", "DROPFIX_FAILPOINTS": failpoints}
    with Popen(command, env=environment, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _strings(pid: int, name: str) -> list[str]:
    """What the kernel says of a process, e.g. its `environ`."""
    return [one.decode() for one in (Path("/proc") / str(pid) / name).read_bytes().split(b"\0") if one]


def table(recoveries: Sequence[Recovery]) -> str:
    """The blows, one a line, and the worst recovery of each victim."""
    lines = [f"{'at':>7}  {'process':<10} {'blow':<7} {'stands again':>12}"]
    lines += [f"{one.at:6.1f}s  {one.blow.victim:<10} {one.blow.how:<7} {one.seconds:11.1f}s" for one in recoveries]
    worst = max(recoveries, key=lambda one: one.seconds)
    lines.append(f"{len(recoveries)} blows; the longest recovery took {worst.seconds:.1f} s ({worst.blow.victim})")
    return "\n".join(lines)
