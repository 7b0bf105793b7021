"""Records onto their topics, acknowledged: nothing is said to be taken before Kafka has it."""

from collections.abc import Sequence
from threading import Lock

from runtime.errors import BrokerError
from runtime.kafka import Broker, Producer
from runtime.logs import get_logger
from runtime.metrics import PUBLISHED
from services.console.errors import Unavailable
from services.console.intake import ProductRecord

ACKNOWLEDGED_WITHIN_S = 10.0

log = get_logger(__name__)


class Publisher:
    """A producer that is made when it is first needed, and made anew after it broke. Safe among threads."""

    def __init__(self, broker: Broker, *, client_id: str = "dropfix-console") -> None:
        self._broker = broker
        self._client_id = client_id
        self._producer: Producer | None = None
        self._lock = Lock()

    def publish(self, records: Sequence[ProductRecord]) -> None:
        """Return once Kafka has every record; raises Unavailable, then some may be there and all may be sent again."""
        producer: Producer | None = None
        try:
            producer = self._ready()
            sent = [
                producer.send(
                    record.topic,
                    subject=record.subject,
                    key=record.key,
                    value=record.value,
                    headers=record.envelope.headers(),
                )
                for record in records
            ]
            producer.settle(sent, timeout=ACKNOWLEDGED_WITHIN_S)
        except BrokerError as error:
            log.warning("intake refused: Kafka did not acknowledge", reason=str(error))
            self._discard(producer)
            raise Unavailable(
                "Kafka did not acknowledge in time, so nothing is promised.",
                "Send the same messages again; their messageId keeps them from counting twice.",
            ) from None
        for record in records:
            PUBLISHED.labels(record.topic.name).inc()

    def close(self) -> None:
        """Let go of the producer."""
        self._discard(self._producer)

    def _ready(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = Producer(self._broker, client_id=self._client_id)
            return self._producer

    def _discard(self, broken: Producer | None) -> None:
        """The next request makes a new one; one that another request made meanwhile stays."""
        with self._lock:
            if self._producer is broken:
                self._producer = None
        if broken is not None:
            broken.close(timeout=1.0)
