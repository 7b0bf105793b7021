"""The episodes of a customer: cases that overlap in time are one, and one sequence of emails is for all of them.

Everything here is a function of the facts, of what was decided, and of time: nothing is remembered. So any order of
records gives the same episodes, and a rebuild finds them again. What was mailed is a fact like any other: the log
says it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Literal

import msgspec

from schemas.events.decisions import DunningStep
from schemas.ids import derived_id
from services.dunning.cases import RECOVERING, Case, CaseEnd, cases_of
from services.dunning.contact import contact_of
from services.dunning.decisions import Image
from services.dunning.facts import Facts, Mail
from services.dunning.holds import hold_reason
from services.dunning.policy import Policy

State = Literal["proposed", "waiting", "due", "held", "exhausted", "recovered", "closed"]
OPEN: frozenset[State] = frozenset({"proposed", "waiting", "due", "held"})


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One episode as it stands. `reason` says why it is held or closed; `step` is the one that is next or was last."""

    id: str
    cases: tuple[Case, ...]
    state: State
    reason: str | None
    opened_at: datetime
    """When its first case was seen, or started by a person."""
    anchor: datetime
    """What its days are counted from."""
    step: int
    due_at: datetime | None
    """When that step is due; None where none is."""
    attempt: str = ""
    """The decision that asked for the step to be sent again."""
    mailed: int
    """The last step that went out, 0 before the first."""
    mailed_at: datetime | None
    ended_at: datetime | None
    policy: Policy
    livemode: bool = True
    """Failures of test and of live mode are never in one episode."""

    @property
    def open_cases(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.end is None)

    def totals(self) -> dict[str, int]:
        """What is still due, by currency; currencies are never added."""
        totals: dict[str, int] = {}
        for case in self.open_cases:
            totals[case.currency] = totals.get(case.currency, 0) + case.remaining
        return totals


def episode_id(subject: str, case: Case) -> str:
    """The name of an episode: its subject, and the first record that shows it."""
    return derived_id(subject=subject, rule="dunning.episode", cause_id=case.cause)


def episodes_of(subject: str, facts: Facts, image: Image, now: datetime) -> tuple[Episode, ...]:
    """All episodes of a subject, the oldest first; at most one of a mode is open, a proposed one aside."""
    counted = image.until(now)
    cases = cases_of(facts, counted, now)
    found: list[Episode] = []
    for apart in product((True, False), repeat=2):
        groups: list[_Group] = []
        for case in (case for case in cases if (case.proposed, case.livemode) == apart):
            if groups and groups[-1].is_open_at(case.started_at):
                groups[-1].cases.append(case)
            else:
                groups.append(_Group(subject, facts, counted, [case]))
        found.extend(group.episode(now) for group in groups)
    return tuple(sorted(found, key=lambda episode: (episode.opened_at, episode.id)))


class _Group:
    """Cases that make up one episode, while they are put together."""

    def __init__(self, subject: str, facts: Facts, image: Image, cases: list[Case]) -> None:
        self.subject, self.facts, self.image, self.cases = subject, facts, image, cases

    @property
    def policy(self) -> Policy:
        return self.image.until(self.opened_at).policy

    @property
    def proposed(self) -> bool:
        return self.cases[0].proposed

    @property
    def livemode(self) -> bool:
        return self.cases[0].livemode

    @property
    def opened_at(self) -> datetime:
        return min(max(case.seen_at, case.started_at) for case in self.cases)

    @property
    def mails(self) -> list[Mail]:
        """The emails of this episode; under whichever of its cases it was named when they went out."""
        found = (mail for mail in self.facts.mails.values() if mail.episode_id in self.names)
        return sorted(found, key=lambda mail: (mail.at, mail.id))

    @property
    def names(self) -> set[str]:
        """Every name that the episode may have gone by: records that come late can change which case is its first."""
        return {episode_id(self.subject, case) for case in self.cases}

    def settled(self) -> dict[int, Mail]:
        """By step, the email that counts as sent: it went out, was captured, was refused for good, or was left."""
        settled = {mail.step: mail for mail in self.mails if mail.state in {"sent", "captured", "failed"}}
        for mail in self.mails:
            if mail.state == "unknown" and mail.step not in settled and self._left(mail):
                settled[mail.step] = mail
        return settled

    def unknown(self) -> Mail | None:
        """An email whose fate nobody has looked at yet."""
        settled = self.settled()
        return next((mail for mail in self.mails if mail.state == "unknown" and mail.step not in settled), None)

    def exhausted_at(self) -> datetime | None:
        last = self.settled().get(self.policy.steps)
        return last.at if last else None

    def stopped(self) -> tuple[datetime, str] | None:
        """When a person ended it, and how."""
        kind, how = ("dunning.skip", "skipped") if self.proposed else ("dunning.stop", "stopped")
        since, exhausted_at = self.opened_at, self.exhausted_at()
        at = min((ruling.at for ruling in self.image.acts(kind) if ruling.at >= since), default=None)
        return None if at is None or (exhausted_at is not None and exhausted_at <= at) else (at, how)

    def is_open_at(self, at: datetime) -> bool:
        """Whether a case that begins then joins this episode."""
        ends = [self.exhausted_at()]
        if (stopped := self.stopped()) is not None:
            ends.append(stopped[0])
        if all(case.ended_at is not None for case in self.cases):
            ends.append(max(case.ended_at for case in self.cases if case.ended_at is not None))
        return all(end is None or end > at for end in ends)

    def episode(self, now: datetime) -> Episode:
        settled = self.settled()
        mailed = max(settled, default=0)
        last = settled.get(mailed)
        name = min(self.cases, key=lambda case: (case.seen_at, case.kind, case.cause))
        standing = Episode(
            id=episode_id(self.subject, name),
            cases=tuple(self.cases),
            state="waiting",
            reason=None,
            opened_at=self.opened_at,
            anchor=min(case.started_at for case in self.cases),
            step=max(mailed, 1),
            due_at=None,
            mailed=mailed,
            mailed_at=last.at if last else None,
            ended_at=None,
            policy=self.policy,
            livemode=self.livemode,
        )
        return (
            self._ended(standing)
            or (_as(standing, "proposed", None, None) if self.proposed else None)
            or self._resend(standing)
            or self._exhausted(standing)
            or self._held(standing)
            or self._next(standing, now)
        )

    def _ended(self, episode: Episode) -> Episode | None:
        over, stopped = _over(episode.cases), self.stopped()
        if stopped is not None and (over is None or stopped[0] <= over[0]):
            return _as(episode, "closed", stopped[1], stopped[0])
        if over is None:
            return None
        at, end = over
        exhausted_at = self.exhausted_at()
        if exhausted_at is not None and at > exhausted_at + timedelta(days=episode.policy.recovery_days):
            return None
        return _as(episode, "recovered" if end in RECOVERING else "closed", end, at)

    def _exhausted(self, episode: Episode) -> Episode | None:
        exhausted_at = self.exhausted_at()
        return _as(episode, "exhausted", None, exhausted_at) if exhausted_at is not None else None

    def _held(self, episode: Episode) -> Episode | None:
        reason = self._hold_reason(episode, mails=self.mails, unknown=self.unknown())
        return _as(episode, "held", reason, None) if reason else None

    def _hold_reason(self, episode: Episode, *, mails: Sequence[Mail], unknown: Mail | None) -> str | None:
        return hold_reason(
            self.facts,
            self.image,
            email=contact_of(self.facts, self.image, livemode=episode.livemode).email,
            cases=episode.open_cases,
            below_threshold=episode.policy.below_threshold(episode.totals()),
            stop_when_canceling=episode.policy.stop_when_canceling,
            mails=mails,
            unknown=unknown,
        )

    def _resend(self, episode: Episode) -> Episode | None:
        """A step that a person asked for again is due at once, but for what else holds the episode."""
        done = {mail.attempt for mail in self.mails if mail.state != "due"}
        for ruling, detail in self.image.each(DunningStep, "dunning.resend"):
            failed = any(mail.step == detail.step and mail.state in {"unknown", "failed"} for mail in self.mails)
            if not failed or detail.episode_id not in self.names or ruling.id in done:
                continue
            if reason := self._hold_reason(episode, mails=(), unknown=None):
                return _as(episode, "held", reason, None)
            return msgspec.structs.replace(episode, state="due", step=detail.step, attempt=ruling.id, due_at=ruling.at)
        return None

    def _next(self, episode: Episode, now: datetime) -> Episode:
        """The step that is due by the calendar: of several that were missed the last, and only that."""
        policy, zone = episode.policy, zone_of(self.facts, self.image, episode)
        hard = any(case.hard for case in episode.open_cases)
        due = {
            step: policy.step_due(
                step, anchor=episode.anchor, hard=hard, last_mail_at=episode.mailed_at, zone_name=zone
            )
            for step in range(episode.mailed + 1, policy.steps + 1)
        }
        reached = [step for step, at in due.items() if at <= now]
        step = max(reached) if reached else min(due)
        at = due[step] if not reached else max(due[step], policy.next_open(now, zone))
        state: State = "due" if at <= now else "waiting"
        return msgspec.structs.replace(episode, state=state, step=step, due_at=due[step] if state == "due" else at)

    def _left(self, mail: Mail) -> bool:
        named = any(
            detail.episode_id == mail.episode_id and detail.step == mail.step and ruling.at >= mail.at
            for ruling, detail in self.image.each(DunningStep, "dunning.leave")
        )
        return named or any(ruling.at >= mail.at for ruling in self.image.acts("dunning.release"))


def zone_of(facts: Facts, image: Image, episode: Episode) -> str:
    """The zone that the customer is mailed in."""
    return episode.policy.zone_for(contact_of(facts, image, livemode=episode.livemode).country)


def _as(episode: Episode, state: State, reason: str | None, at: datetime | None) -> Episode:
    return msgspec.structs.replace(episode, state=state, reason=reason, ended_at=at)


def _over(cases: Iterable[Case]) -> tuple[datetime, CaseEnd] | None:
    """When and how nothing was due any more; money that came back counts before other ends."""
    ends = [(case.ended_at, case.end) for case in cases]
    if any(at is None or end is None for at, end in ends):
        return None
    told = [(at, end) for at, end in ends if at is not None and end is not None]
    recovering = [one for one in told if one[1] in RECOVERING]
    at = max(one[0] for one in told)
    return at, max(recovering or told)[1]


def boundaries(episode: Episode, facts: Facts, image: Image, now: datetime) -> Iterator[datetime]:
    """The next instants at which the episode reads otherwise though nothing was heard: its due date, the end of the
    sending hours, and the next step's date while one is due."""
    if episode.state == "waiting" and episode.due_at is not None:
        yield episode.due_at
    if episode.state == "due" and not episode.attempt:
        zone = zone_of(facts, image, episode)
        yield episode.policy.closes(now, zone)
        if episode.step < episode.policy.steps:
            hard = any(case.hard for case in episode.open_cases)
            yield episode.policy.step_due(
                episode.step + 1, anchor=episode.anchor, hard=hard, last_mail_at=episode.mailed_at, zone_name=zone
            )
