"""The mirror as the pipeline runs it: each record is a whole row, and the newest version of an object wins."""

from collections.abc import Sequence

from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from schemas.catalogue import RAW_TOPICS, Topic
from services.mirror.observation import Observation, newest, observe
from services.mirror.readers import TABLES
from services.mirror.store import MirrorStore

GROUP = "mirror"


class MirrorProcessor:
    """The Processor of the mirror."""

    group = GROUP
    inputs: tuple[Topic, ...] = tuple(RAW_TOPICS.values())

    def __init__(self) -> None:
        self._store = MirrorStore()

    def decode(self, record: Record) -> Observation:
        """The row in one record; raises BadRecord."""
        return observe(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[Observation]]) -> None:
        """Write what a batch leaves; a version that the table has passed changes nothing."""
        by_table: dict[str, list[Observation]] = {}
        for arrived in facts:
            by_table.setdefault(arrived.fact.table.kind, []).append(arrived.fact)
        for kind, observations in by_table.items():
            self._store.save(tx.conn, TABLES[kind], newest(observations))

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """The mirror sets no timers."""
