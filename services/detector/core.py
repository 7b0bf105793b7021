"""The pure core: facts in, signals out.

    merge(state, observed) -> state        commutative and idempotent
    decide(state, policy, now) -> Outcome  what follows, against what was published

What is desired is a function of the facts and of time. It is compared with what was published: a signal that is new is
opened, one that reads otherwise is updated, one that is over is resolved, one that no longer follows is withdrawn.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from schemas.ids import derived_id
from services.detector.facts import Facts, Observed
from services.detector.facts import merge as merge_facts
from services.detector.rules import RULES
from services.detector.rules.base import BILLING, Finding, Found, Policy, Rule
from services.detector.wording import day

State = Literal["open", "resolved", "withdrawn"]
DISCONNECTED = "disconnected"
Step = Literal["opened", "updated", "resolved", "withdrawn"]


class Signal(msgspec.Struct, frozen=True):
    """A signal as it was last published. `revision` counts its publications from 1."""

    signal_id: str
    state: State
    revision: int
    finding: Finding


class SubjectState(msgspec.Struct, frozen=True):
    """All that the detector keeps of a subject."""

    subject: str
    facts: Facts = Facts()
    signals: dict[str, Signal] = {}


class Publication(msgspec.Struct, frozen=True):
    """One thing to be said of a signal."""

    step: Step
    signal: Signal


class Outcome(msgspec.Struct, frozen=True):
    """What follows: the state that remembers what is now published, what is to be said, in order, and by rule the
    instants (Unix seconds) at which to decide again."""

    state: SubjectState
    publications: tuple[Publication, ...]
    timers: dict[str, int]


def empty(subject: str) -> SubjectState:
    """The state of a subject of whom nothing is known."""
    return SubjectState(subject=subject)


def merge(state: SubjectState, observed: Observed) -> SubjectState:
    """The state with one more fact."""
    return msgspec.structs.replace(state, facts=merge_facts(state.facts, observed))


def findings(state: SubjectState, policy: Policy, now: int, rules: Sequence[Rule] = RULES) -> list[Finding]:
    """Every signal that follows from the facts at `now`."""
    return [finding for found in _found(state, policy, now, rules).values() for finding in found.findings]


def _found(state: SubjectState, policy: Policy, now: int, rules: Sequence[Rule]) -> dict[str, Found]:
    found: dict[str, Found] = {rule.code: rule.find(state.facts, policy, now) for rule in rules}
    at = policy.disconnected_at
    if at is None or at > now:
        return found
    return {code: _disconnected(one, at) if code in BILLING else one for code, one in found.items()}


def _disconnected(found: Found, at: int) -> Found:
    """What a rule finds of an account that was let go: nothing opens any more, and what was open is over."""
    kept = (finding for finding in found.findings if finding.opened_at <= at)
    return Found(tuple(_ended_by_disconnect(finding, at) for finding in kept), found.look_again_at)


def _ended_by_disconnect(finding: Finding, at: int) -> Finding:
    if finding.resolved_at is not None and finding.resolved_at <= at:
        return finding
    sentence = f"{finding.sentence} The account was disconnected on {day(at)}; what became of it is not known."
    return msgspec.structs.replace(finding, resolved_at=at, resolution=DISCONNECTED, sentence=sentence)


def signal_id(subject: str, finding: Finding) -> str:
    """The name of a signal: its subject, its rule, and the first record that shows it."""
    return derived_id(subject=subject, rule=finding.code, cause_id=finding.cause)


def decide(state: SubjectState, policy: Policy, now: int, rules: Sequence[Rule] = RULES) -> Outcome:
    """What is to be published at `now` so that what is published is what follows."""
    found = _found(state, policy, now, rules)
    timers: dict[str, int] = {code: one.look_again_at for code, one in found.items() if one.look_again_at is not None}
    if policy.disconnected_at is not None and policy.disconnected_at > now:
        timers[DISCONNECTED] = policy.disconnected_at
    wanted = {signal_id(state.subject, finding): finding for one in found.values() for finding in one.findings}
    gone = [signal for known, signal in state.signals.items() if known not in wanted and signal.state != "withdrawn"]
    said = (*_withdrawals(gone), *_changes(state, wanted))
    if said:
        signals = {**state.signals, **{publication.signal.signal_id: publication.signal for publication in said}}
        state = msgspec.structs.replace(state, signals=signals)
    return Outcome(state, said, timers)


def reads_the_same(a: Finding, b: Finding) -> bool:
    """Whether two findings say the same, whichever of several records that say so each points at."""
    return a == b or _without_places(a) == _without_places(b)


def _without_places(finding: Finding) -> tuple[Finding, tuple[tuple[str, str, str], ...]]:
    shown = tuple((exhibit.kind, exhibit.object_id, exhibit.says) for exhibit in finding.evidence)
    return msgspec.structs.replace(finding, evidence=()), shown


def _withdrawals(signals: Iterable[Signal]) -> Iterator[Publication]:
    for signal in signals:
        gone = Signal(signal.signal_id, "withdrawn", signal.revision + 1, signal.finding)
        yield Publication("withdrawn", gone)


def _changes(state: SubjectState, wanted: dict[str, Finding]) -> Iterator[Publication]:
    for name, finding in wanted.items():
        known = state.signals.get(name)
        over: State = "open" if finding.resolved_at is None else "resolved"
        if known is not None and known.state == over and reads_the_same(known.finding, finding):
            continue
        revision = known.revision if known is not None else 0
        for step in _steps(known, over):
            revision += 1
            reached: State = "resolved" if step == "resolved" else over if step == "updated" else "open"
            yield Publication(step, Signal(name, reached, revision, finding))


def _steps(known: Signal | None, over: State) -> tuple[Step, ...]:
    """The way from what was published to what follows: never resolved without having been opened."""
    if known is None or known.state == "withdrawn":
        return ("opened",) if over == "open" else ("opened", "resolved")
    if known.state == over:
        return ("updated",)
    return ("resolved",) if over == "resolved" else ("opened",)
