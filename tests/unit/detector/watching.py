"""The pure core over records, as the pipeline drives it but without one: states by subject, and what was published."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Record
from services.detector import core
from services.detector.core import Publication, SubjectState
from services.detector.processor import RAW_INPUTS, decode
from services.detector.rules.base import Finding, Policy
from simulator.founding import Company
from simulator.truth.report import report

DAY = 86_400
POLICY = Policy()
_TOPICS = {topic.name for topic in RAW_INPUTS}


@dataclass
class Watch:
    """Merges and decides one record after the other; timers run when time passes them."""

    states: dict[str, SubjectState] = field(default_factory=dict)
    said: list[tuple[str, Publication]] = field(default_factory=list)
    _timers: dict[str, int] = field(default_factory=dict)

    def feed(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.topic in _TOPICS:
                observed_at = int(record.observed_at.timestamp())
                self._fire(record.subject, observed_at)
                state = self.states.get(record.subject) or core.empty(record.subject)
                self._decide(core.merge(state, decode(record)), observed_at)

    def pass_time(self, now: int) -> None:
        for subject in list(self._timers):
            self._fire(subject, now)

    def _fire(self, subject: str, now: int) -> None:
        due_at = self._timers.get(subject)
        if due_at is not None and due_at <= now:
            self._decide(self.states[subject], due_at)

    def _decide(self, state: SubjectState, now: int) -> None:
        outcome = core.decide(state, POLICY, now)
        self.states[state.subject] = outcome.state
        self._timers.pop(state.subject, None)
        if outcome.timers:
            self._timers[state.subject] = min(outcome.timers.values())
        self.said += [(state.subject, publication) for publication in outcome.publications]

    def published(self, code: str, *, after: int) -> dict[str, list[Finding]]:
        """By customer, the signals of a code that stand and opened after an instant, the oldest first."""
        found: dict[str, list[Finding]] = {}
        for subject, state in self.states.items():
            for signal in state.signals.values():
                finding = signal.finding
                if finding.code == code and signal.state != "withdrawn" and finding.opened_at > after:
                    found.setdefault(subject.partition("/")[2], []).append(finding)
        return {customer: sorted(ones, key=lambda one: one.opened_at) for customer, ones in found.items()}


def truth_of(company: Company, code: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """(start of the window, by customer the signals that should have opened in it)."""
    truth = report(company.world, company.record, company.ids)
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for signal in truth["signals"][code]:
        by_customer.setdefault(signal["customer"], []).append(signal)
    return truth["at"] - truth["window_days"] * DAY, by_customer
