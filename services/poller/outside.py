"""What the poller's shell reaches outside through: PostgreSQL on a few threads, and Kafka's producer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from runtime.database import Connection, Database
from runtime.errors import BrokerError
from runtime.kafka import Broker, Producer

T = TypeVar("T")
THREADS = 4


class Outside:
    """The database and the producer of a poller process. Work in the database runs on threads, since psycopg and
    kafka-python wait; each piece of work is one transaction."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self.database = database
        self._broker = broker
        self._pool = database.pool(max_size=THREADS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="poller")
        self._producer: Producer | None = None
        self._making = Lock()

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        """Send what is queued and let go of everything."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._producer is not None:
            self._producer.close()
        self._pool.close()

    @property
    def producer(self) -> Producer:
        """The process's one idempotent producer."""
        with self._making:
            if self._producer is None:
                self._producer = Producer(self._broker, client_id="dropfix-poller")
            return self._producer

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run work in one transaction on a thread; it is committed when it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_transaction, work)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._pool.connection(timeout=10) as conn:
                return work(conn)
        except BrokerError:
            self._renew_producer()
            raise

    def _renew_producer(self) -> None:
        """A broken idempotent producer fails for ever: the next send makes a new one."""
        with self._making:
            broken, self._producer = self._producer, None
        if broken is not None:
            broken.close(timeout=0.5)
