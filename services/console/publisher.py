"""Records onto their topics, acknowledged: nothing is said to be taken before Kafka has it."""

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock, Thread

from runtime.errors import BrokerError
from runtime.kafka import Acknowledgement, Broker, Producer
from runtime.logs import get_logger
from runtime.metrics import PUBLISHED
from services.console.errors import Unavailable
from services.console.intake import ProductRecord

ACKNOWLEDGED_WITHIN_S = 10.0
CONNECTED_WITHIN_S = 3.0

log = get_logger(__name__)


class Publisher:
    """A producer that is made when it is first needed, and made anew after it broke. Safe among threads.

    Connecting may take long where there is no broker: it goes on in a thread of its own, and requests do not wait
    for it longer than a moment.
    """

    def __init__(self, broker: Broker, *, client_id: str = "dropfix-console") -> None:
        self._broker = broker
        self._client_id = client_id
        self._producer: Future[Producer] | None = None
        self._lock = Lock()

    def publish(self, records: Sequence[ProductRecord]) -> None:
        """Return once Kafka has every record; raises Unavailable, then some may be there and all may be sent again."""
        attempt = self._attempt()
        try:
            producer = attempt.result(CONNECTED_WITHIN_S)
            producer.settle(_send(producer, records), timeout=ACKNOWLEDGED_WITHIN_S)
        except TimeoutError:
            raise _not_acknowledged() from None  # it is still being tried
        except BrokerError as error:
            log.warning("intake refused: Kafka did not acknowledge", reason=str(error))
            self._discard(attempt)
            raise _not_acknowledged() from None
        except BaseException:
            self._discard(attempt)
            raise
        for record in records:
            PUBLISHED.labels(record.topic.name).inc()

    def close(self) -> None:
        """Let go of the producer."""
        if self._producer is not None:
            self._discard(self._producer)

    def _attempt(self) -> "Future[Producer]":
        with self._lock:
            if self._producer is None:
                self._producer = Future()
                Thread(target=self._connect, args=(self._producer,), name="intake", daemon=True).start()
            return self._producer

    def _connect(self, attempt: "Future[Producer]") -> None:
        try:
            attempt.set_result(Producer(self._broker, client_id=self._client_id))
        except BaseException as error:
            attempt.set_exception(error)
            if not isinstance(error, BrokerError):
                raise

    def _discard(self, attempt: "Future[Producer]") -> None:
        """The next request makes a new one; one that another request made meanwhile stays."""
        with self._lock:
            if self._producer is not attempt:
                return
            self._producer = None
        if attempt.done() and attempt.exception() is None:
            attempt.result().close(timeout=1.0)


def _send(producer: Producer, records: Sequence[ProductRecord]) -> list[Acknowledgement]:
    return [
        producer.send(
            record.topic,
            subject=record.subject,
            key=record.key,
            value=record.value,
            headers=record.envelope.headers(),
        )
        for record in records
    ]


def _not_acknowledged() -> Unavailable:
    return Unavailable(
        "Kafka did not acknowledge in time, so nothing is promised.",
        "Send the same messages again; their messageId keeps them from counting twice.",
    )
