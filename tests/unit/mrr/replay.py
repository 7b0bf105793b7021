"""Runs records through the core in memory, as the pipeline would: timers due before a record run before it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.records import Record
from schemas.catalogue import PRODUCT_IDENTIFY
from schemas.events.movement import MrrMovement
from services.mrr.core import MrrCore, State, instant_of, microseconds
from services.mrr.in_force import Away, InForce, Switch, apart
from services.mrr.policy import DEFAULT, Policy
from services.mrr.processor import decode, decode_user
from services.mrr.timeline import Facts


@dataclass
class Replay:
    """A consumer without a database."""

    policy: Policy = DEFAULT
    away: tuple[Away, ...] = ()
    switches: tuple[Switch, ...] = ()
    core: MrrCore = field(default_factory=MrrCore)
    states: dict[str, State] = field(default_factory=dict)
    clocks: dict[str, datetime] = field(default_factory=dict)
    movements: list[MrrMovement] = field(default_factory=list)

    def take(self, records: Iterable[Record]) -> "Replay":
        """Merge and decide each record; messages must tell the same as rows."""
        for record in records:
            subject = record.subject
            self.tick(record.observed_at, {subject})
            fact = decode_user(record) if record.topic == PRODUCT_IDENTIFY.name else decode(record)
            if fact is None:
                continue
            now = self.clocks[subject] = max(record.observed_at, self.clocks.get(subject, record.observed_at))
            self._decide(self.core.merge(self._state(subject), fact), now)
        return self

    def tick(self, until: datetime, subjects: Iterable[str] | None = None) -> "Replay":
        """Run the timers due at `until` or before."""
        for subject in list(self.states if subjects is None else subjects):
            while (state := self.states.get(subject)) and (due := self._due(state)) and instant_of(due) <= until:
                now = self.clocks[subject] = max(instant_of(due), self.clocks[subject])
                self._decide(state, now)
        return self

    def end(self, away: Away) -> "Replay":
        """Learn now that another's number stands, or will: everybody is decided again at that instant."""
        self.away = apart([*self.away, away])
        return self._wake(away.start)

    def switch(self, switch: Switch) -> "Replay":
        """Learn of another policy: everybody is decided again when the decision counts."""
        self.switches = tuple(sorted([*self.switches, switch], key=lambda one: (one.at, one.cause.id)))
        return self._wake(switch.at)

    def _wake(self, at: int) -> "Replay":
        for subject, state in list(self.states.items()):
            now = self.clocks[subject] = max(instant_of(at), self.clocks[subject])
            self._decide(state, now)
        return self

    def standing(self) -> dict[str, list[tuple[str, datetime, int, int, str]]]:
        """The rows that stand, by subject."""
        return {
            subject: [(t.currency, instant_of(t.at), t.before, t.after, t.kind) for t in state.book.told]
            for subject, state in self.states.items()
            if state.book.told
        }

    def facts(self) -> dict[str, Facts]:
        return {subject: state.facts for subject, state in self.states.items()}

    def mrr_at(self, at: datetime) -> dict[str, int]:
        """MRR by currency as the rows that stand say; a currency that is 0 is left out."""
        totals: dict[str, int] = {}
        for state in self.states.values():
            for told in state.book.told:
                if instant_of(told.at) <= at:
                    totals[told.currency] = totals.get(told.currency, 0) + told.after - told.before
        return {currency: amount for currency, amount in sorted(totals.items()) if amount}

    def customers(self) -> dict[str, dict[str, int]]:
        """MRR by customer and currency, without zeros."""
        return {subject.partition("/")[2]: mrr for subject, state in self.states.items() if (mrr := _now(state))}

    def _due(self, state: State) -> int | None:
        clock = microseconds(self.clocks[state.subject])
        ahead = InForce(self.policy, self.switches, self.away).next_after(clock)
        return min((at for at in (state.book.due, ahead) if at is not None), default=None)

    def _state(self, subject: str) -> State:
        return self.states.get(subject) or self.core.empty(subject)

    def _decide(self, state: State, now: datetime) -> None:
        effects = self.core.decide(state, InForce(self.policy, self.switches, self.away), now)
        self.states[state.subject] = effects.state
        rows = [row for row in effects.rows if isinstance(row, MrrMovement)]
        assert [MrrMovement.model_validate_json(message.value) for message in effects.messages] == rows
        self.movements += rows


def _now(state: State) -> dict[str, int]:
    last = {told.currency: told.after for told in state.book.told}
    return {currency: amount for currency, amount in last.items() if amount}


def days(first: datetime, last: datetime) -> Iterator[datetime]:
    """The last second of every UTC day from that of `first`, up to `last`."""
    end = first.replace(hour=23, minute=59, second=59, microsecond=0)
    while end <= last:
        yield end
        end += timedelta(days=1)
