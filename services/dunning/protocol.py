"""From due to sent: what comes next for an email, as a pure decision at the real now.

1. Ask for a fresh read of the customer, for each email anew; a request that nobody answers is made again.
2. When an answer is fresh, and all that it names has arrived here, put into the log that the email is due.
3. When that is read back, Kafka has it: then, and if the read is still fresh, send.

A fresh read that could not be made, or found the customer gone, sends nothing; it is tried again later.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.events.decisions import DunningAllowList
from services.dunning.contact import contact_of
from services.dunning.core import Due, SubjectState
from services.dunning.decisions import Image
from services.dunning.episode import Episode, episodes_of
from services.dunning.facts import Facts, Refresh

FRESH = timedelta(minutes=5)
"""How old a read may be when the email goes (machine time)."""
ANSWER = timedelta(seconds=60)
"""How long an answer to a request is waited for before it is asked again (machine time)."""
LATER = timedelta(minutes=5)
"""After how long a read that failed is tried again (machine time)."""

Move = Literal["drop", "request", "wait", "announce", "send", "capture"]


class Work(msgspec.Struct, frozen=True):
    """How far a due email has come. Times are the machine's."""

    due: Due
    request_id: str | None = None
    requested_at: datetime | None = None
    announced: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What is to be done next, with which episode, and why."""

    move: Move
    why: str
    episode: Episode | None = None


def plan_of(state: SubjectState, image: Image, work: Work, *, now: datetime, machine_now: datetime) -> Plan:
    """The next move of a due email. `now` is domain time, `machine_now` the machine's: freshness is real time."""
    episode = still_due(state, image, work.due, now)
    if episode is None:
        return Plan("drop", "it is no longer due")
    if needs_read(state.facts):
        waits = _until_read(state.facts, work, machine_now)
        if waits is not None:
            return msgspec.structs.replace(waits, episode=episode)
    if not work.announced:
        return Plan("announce", "the read is fresh", episode)
    if work.due.key not in state.facts.mails:
        return Plan("wait", "the log has not acknowledged yet that it is due", episode)
    return Plan(
        "capture" if is_captured(state, image.until(now), episode) else "send",
        "it is due, read and acknowledged",
        episode,
    )


def still_due(state: SubjectState, image: Image, due: Due, now: datetime) -> Episode | None:
    """The episode, if this very email is due at `now`."""
    for episode in episodes_of(state.subject, state.facts, image, now):
        if (episode.id, episode.step, episode.attempt) == (due.episode_id, due.step, due.attempt):
            return episode if episode.state == "due" else None
    return None


def needs_read(facts: Facts) -> bool:
    """A user without Stripe has nothing to be read."""
    return facts.connection_id is not None


def _until_read(facts: Facts, work: Work, machine_now: datetime) -> Plan | None:
    """What is to be waited for; None when a fresh read is here with all that it names."""
    answer = facts.refresh
    if answer is not None and machine_now - answer.read_at <= FRESH and _is_for(work, answer):
        if answer.outcome in {"unchanged", "changed"}:
            if missing := _missing(facts, answer):
                return Plan("wait", f"the read left versions that have not arrived: {', '.join(missing)}")
            return None
        if work.request_id == answer.request_id:
            return Plan("wait", f"the fresh read failed ({answer.outcome}: {answer.reason or 'no reason given'})")
    asked = work.requested_at
    if asked is None or machine_now - asked > _patience(answer, work):
        return Plan("request", "there is no fresh read")
    return Plan("wait", "a fresh read was asked for")


def _is_for(work: Work, answer: Refresh) -> bool:
    """Whether the read was made since this email asked for one. What was read for the email before may be minutes old
    by the machine's clock and days by a simulated one."""
    asked = work.requested_at
    return asked is not None and (answer.request_id == work.request_id or answer.read_at >= asked)


def _patience(answer: Refresh | None, work: Work) -> timedelta:
    return LATER if answer is not None and answer.request_id == work.request_id else ANSWER


def _missing(facts: Facts, answer: Refresh) -> list[str]:
    return sorted(name for name, version in answer.versions.items() if facts.versions.get(name, -1) < version)


def is_captured(state: SubjectState, image: Image, episode: Episode) -> bool:
    """Whether an email of the episode is kept for people to look at instead of being sent: shadow mode, or test mode
    and not on the allow-list."""
    if image.mode != "on":
        return True
    if episode.livemode:
        return False
    allowed, email = image.last(DunningAllowList), contact_of(state.facts, image, livemode=False).email
    return allowed is None or email is None or not _allows(allowed, email)


def _allows(allowed: DunningAllowList, address: str) -> bool:
    """Whether the address, or its domain, is on the list."""
    wanted = address.strip().lower()
    domain = wanted[wanted.rfind("@") :]
    return any(entry.strip().lower() in {wanted, domain} for entry in allowed.entries)
