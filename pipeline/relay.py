"""The relay: from the outbox to Kafka, at least once, in the order of each lane.

One relay at a time works a lane: it holds an advisory lock of its transaction, so that the lock ends with whatever
ends the transaction. Rows are chosen by lane and deleted by their ids; a high-water mark would skip rows that commit
late. Every acknowledgement is waited for; a producer that failed is made anew, since a broken idempotent one fails
for ever.
"""

from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

from psycopg import sql

from pipeline.errors import PassingFault
from pipeline.failpoints import failpoint
from pipeline.outbox import LANES, decode_headers, outbox_table
from pipeline.session import Session
from runtime.database import Connection, Database
from runtime.errors import BrokerError
from runtime.kafka import Broker, Producer
from runtime.logs import get_logger
from runtime.metrics import PUBLISHED

log = get_logger(__name__)

BATCH = 1000
POLL_SECONDS = 1.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
DELIVERY_SECONDS = 20.0
IDLE_LIMIT = "30s"
"""How long a relay's transaction may wait for Kafka before PostgreSQL ends it and its lock."""

Row = tuple[int, str, int, bytes, bytes, bytes]


class Relay:
    """Drains the outbox of one group. `drain` is for one thread; `start` gives it one of its own."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        failed: Callable[[BaseException], None],
        woken: Event | None = None,
    ) -> None:
        """`failed` is told of what is no passing fault; the thread has ended then. Whoever else in the process writes
        to the outbox sets `woken`."""
        self._session = Session(database)
        self._schema = database.schema
        self._broker = broker
        self._failed = failed
        self._producer: Producer | None = None
        self._wake = woken or Event()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._empty_since = float("-inf")
        statements = (
            "SELECT lane FROM generate_series(0, %s) AS l (lane)"
            " WHERE EXISTS (SELECT FROM {o} AS o WHERE o.lane = l.lane)",
            "SELECT id, topic, partition, key, value, headers FROM {o} WHERE lane = %s ORDER BY id LIMIT %s",
            "DELETE FROM {o} WHERE lane = %s AND id = ANY(%b)",
        )
        self._lanes_sql, self._rows_sql, self._delete_sql = (
            sql.SQL(statement).format(o=outbox_table(database.schema)) for statement in statements
        )

    def start(self) -> None:
        """Relay in a thread: at every `wake`, and every second for what a crash or another worker left."""
        self._thread = Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There are new rows."""
        self._wake.set()

    def empty_since(self, moment: float) -> bool:
        """Whether the outbox was found empty by a look that began after `moment` (monotonic seconds)."""
        return self._empty_since > moment

    def stop(self, *, timeout: float = 5.0) -> None:
        """Relay what is there, within the time given, and end. What is left is the next process's."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def drain(self) -> int:
        """Relay all that is committed; gives how many rows. Raises PassingFault; then some may have been sent."""
        total = 0
        while True:
            began = monotonic()
            with self._session.transaction() as conn:
                lanes = [int(lane) for (lane,) in conn.execute(self._lanes_sql, (LANES - 1,))]
            if not lanes:
                self._empty_since = began
                return total
            sent = sum(self._relay_lane(lane) for lane in lanes)
            total += sent
            if not sent:
                return total  # another relay is at work in all of them

    def close(self) -> None:
        """Let go of the connections."""
        self._discard_producer()
        self._session.close()

    def _relay_lane(self, lane: int) -> int:
        with self._session.transaction() as conn:
            if not self._lock(conn, lane):
                return 0
            rows: list[Row] = conn.execute(self._rows_sql, (lane, BATCH)).fetchall()
            if not rows:
                return 0
            failpoint("relay_before_send")
            self._send(rows)
            failpoint("relay_after_send")
            conn.execute(self._delete_sql, (lane, [row[0] for row in rows]))
            failpoint("relay_before_commit")
        failpoint("relay_after_commit")
        return len(rows)

    def _lock(self, conn: Connection, lane: int) -> bool:
        conn.execute(sql.SQL("SET LOCAL idle_in_transaction_session_timeout = {}").format(sql.Literal(IDLE_LIMIT)))
        row = conn.execute(
            "SELECT pg_try_advisory_xact_lock(hashtext(%s), %s)", (f"dropfix.outbox.{self._schema}", lane)
        ).fetchone()
        return row is not None and bool(row[0])

    def _send(self, rows: Sequence[Row]) -> None:
        try:
            if self._producer is None:
                self._producer = Producer(
                    self._broker, client_id=f"{self._schema}-relay", delivery_timeout_ms=int(DELIVERY_SECONDS * 1000)
                )
            producer = self._producer
            producer.settle(
                [
                    producer.place(topic, partition=partition, key=key, value=value, headers=decode_headers(headers))
                    for _, topic, partition, key, value, headers in rows
                ],
                timeout=DELIVERY_SECONDS + 5,
            )
        except BrokerError as error:
            self._discard_producer()
            raise PassingFault(str(error)) from error
        for row in rows:
            PUBLISHED.labels(row[1]).inc()

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _run(self) -> None:
        failures = 0
        try:
            while True:
                last = self._stopping.is_set()
                self._wake.clear()
                failures = self._try_drain(failures)
                if last:
                    return
                self._wake.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] if failures else POLL_SECONDS)
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self.close()

    def _try_drain(self, failures: int) -> int:
        try:
            self.drain()
        except PassingFault as error:
            log.warning("the relay waits", reason=str(error), failures=failures + 1)
            return failures + 1
        return 0
