"""A customer's life as records: told object by object, run through the core, and read back as a ledger."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.records import Record
from schemas.envelope import Change
from services.mrr.core import State
from services.mrr.in_force import InForce
from services.mrr.ledger import Ledger, ledger
from services.mrr.policy import STRIPE, Policy
from tests.unit.mrr.build import DAY, START, Json
from tests.unit.mrr.feed import CONNECTION, raw_record
from tests.unit.mrr.replay import Replay

_KINDS = {"sub_": "subscription", "cus_": "customer", "in_": "invoice"}
SUBJECT = f"{CONNECTION}/cus_1"
Row = tuple[float, int, int, str]


def day(number: float) -> int:
    """So many days after START, in Unix seconds."""
    return int(START + number * DAY)


@dataclass
class Story:
    """Objects as they are seen, one after the other."""

    policy: Policy = STRIPE
    records: list[Record] = field(default_factory=list)

    def see(self, obj: Json, on: float, *, change: Change = "updated", version: int | None = None) -> "Story":
        """The object is observed so many days after START."""
        kind = next(kind for prefix, kind in _KINDS.items() if obj["id"].startswith(prefix))
        number = len(self.records) + 1 if version is None else version
        self.records.append(raw_record(kind, obj, at=day(on), version=number, change=change, offset=len(self.records)))
        return self

    def play(self, until: float | None = None) -> Replay:
        """Run it, and the timers that are due by then."""
        replay = Replay(self.policy).take(self.records)
        return replay if until is None else replay.tick(datetime.fromtimestamp(day(until), UTC))

    def rows(self, until: float | None = None) -> list[Row]:
        """The rows that stand: (days after START, before, after, kind)."""
        standing = self.play(until).standing().get(SUBJECT, [])
        return [((at.timestamp() - START) / DAY, before, after, kind) for _, at, before, after, kind in standing]

    def state(self, until: float | None = None) -> State:
        return self.play(until).states[SUBJECT]

    def ledger(self, until: float) -> Ledger:
        """The ledger computed afresh from the facts."""
        return ledger(self.state().facts, InForce(self.policy), day(until) * 1_000_000)
