"""mrr on a real PostgreSQL: records applied in the one transaction, tables read back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from pipeline.apply import Applier
from pipeline.offsets import Position, store_positions
from pipeline.records import LogPartition, Record
from pipeline.session import Session
from pipeline.timer_runner import fire_batch
from runtime.database import Database
from runtime.migrations import migrate
from services.mrr.processor import INPUTS, mrr
from services.mrr.schema import MIGRATIONS
from tests.unit.mrr.replay import Replay

_TOPIC_ID = UUID(int=1)
PARTITIONS = 8


@dataclass
class Tables:
    """The service without a broker: it goes on where the database stands. `now` is its clock."""

    url: str
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    _ends: dict[LogPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        migrate(self.url, [MIGRATIONS])
        self.session = Session(Database(url=self.url, schema="mrr", application="test"))
        places = [LogPartition(topic.name, number) for topic in INPUTS for number in range(PARTITIONS)]
        with self.session.transaction() as conn:
            store_positions(conn, {place: Position(_TOPIC_ID, 0, None) for place in places})
            read = conn.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
        self._ends = {LogPartition(topic, partition): next_offset for topic, partition, next_offset in read}
        self.applier = Applier(mrr(), self.session, now=lambda: self.now)

    def apply(self, records: Iterable[Record], *, batch: int = 1000) -> list[Record]:
        """Apply records, batched by partition as a source would; gives them with their offsets."""
        logged = [self._logged(record) for record in records]
        for place in sorted({LogPartition(record.topic, record.partition) for record in logged}):
            own = [record for record in logged if LogPartition(record.topic, record.partition) == place]
            for start in range(0, len(own), batch):
                self.applier.apply(own[start : start + batch])
        return logged

    def run_timers(self, until: datetime) -> None:
        """Run what is due at `until` or before, in every partition."""
        self.now = until
        for partition in range(PARTITIONS):
            while fire_batch(self.applier, partition, until):
                pass

    def _logged(self, record: Record) -> Record:
        place = LogPartition(record.topic, record.partition)
        offset = self._ends.get(place, 0)
        self._ends[place] = offset + 1
        return replace(record, offset=offset)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return query(self.url, statement, *parameters)

    def close(self) -> None:
        self.session.close()


def query(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of a statement, as the database's administrator."""
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        return conn.execute(statement, parameters).fetchall()


def by_customer(url: str) -> dict[str, dict[str, int]]:
    """analytics.mrr_by_customer, without zeros."""
    found: dict[str, dict[str, int]] = {}
    for customer, currency, mrr_now in query(
        url, "SELECT customer_id, currency, mrr FROM analytics.mrr_by_customer WHERE mrr <> 0"
    ):
        found.setdefault(customer, {})[currency] = mrr_now
    return found


def standing(url: str) -> list[tuple[Any, ...]]:
    """The ledger as it is known now, in an order of its own."""
    return query(
        url,
        "SELECT connection_id || '/' || customer_id, currency, effective_at, mrr_before, mrr_after, kind"
        " FROM analytics.mrr_movements WHERE stands ORDER BY 1, 2, 3, 4, 5, 6",
    )


def standing_of(replay: Replay) -> list[tuple[Any, ...]]:
    """The same of a replay in memory."""
    return sorted((subject, *row) for subject, rows in replay.standing().items() for row in rows)


def daily(url: str) -> Iterator[tuple[datetime, dict[str, int]]]:
    """(the last second of the day, MRR by currency) of every day in analytics.mrr_daily."""
    found: dict[Any, dict[str, int]] = {}
    for day, currency, mrr_end in query(url, "SELECT day, currency, mrr_end FROM analytics.mrr_daily ORDER BY 1, 2"):
        found.setdefault(day, {})
        if mrr_end:
            found[day][currency] = mrr_end
    for day, mrr_of in found.items():
        yield datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, seconds=-1), mrr_of
