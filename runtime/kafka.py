"""Kafka, typed: kafka-python behind the few verbs that DropFix uses.

Names on the broker carry the deployment's prefix; everywhere else a topic goes by its catalogue name. Offsets are
owned by PostgreSQL: nothing here commits by itself, and a position that is out of range stops loudly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import kafka
import kafka.errors
from kafka.admin import NewTopic

from runtime.errors import BrokerError
from runtime.settings import BrokerSettings
from schemas.catalogue import MAX_RECORD_BYTES, Topic
from schemas.envelope import Headers
from schemas.partition import partition_of

RECONNECT_BACKOFF_MAX_MS = 1_000
REQUEST_TIMEOUT_MS = 15_000
DELIVERY_TIMEOUT_MS = 60_000
LINGER_MS = 5
BATCH_BYTES = 262_144
"""A broker that flushes every batch spends half as much on batches of this size as on batches of 64 KB."""
ANSWER_TIMEOUT_MS = 6_000
"""How long whoever waits at a command waits for a broker that may be dead."""

TOPICS_READY_MS = 60_000
"""A busy broker has answered before it has made the files of a hundred partitions."""


class Acknowledgement(Protocol):
    """What a send gives: `get()` waits until the broker has the record, or raises."""

    def get(self, timeout: float | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach Kafka: addresses, security, and the prefix of this deployment's topics."""

    bootstrap_servers: str
    prefix: str = ""
    security: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, settings: BrokerSettings) -> "Broker":
        password = settings.kafka_sasl_password
        security = {
            "security_protocol": settings.kafka_security_protocol,
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
            "ssl_cafile": str(settings.kafka_ssl_cafile) if settings.kafka_ssl_cafile else None,
        }
        return cls(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            prefix=settings.topic_prefix,
            security={name: value for name, value in security.items() if value is not None},
        )

    def client_options(self, client_id: str) -> dict[str, Any]:
        """What every client of kafka-python is given."""
        return {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "client_id": client_id,
            "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
            **(self.security or {}),
        }


class Producer:
    """An idempotent producer that waits for every acknowledgement it was given.

    After a fatal error of the client it is made anew by the caller: a broken idempotent producer fails for ever.
    """

    def __init__(self, broker: Broker, *, client_id: str, delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS) -> None:
        """Connect; raises BrokerError. A record not acknowledged within `delivery_timeout_ms` has failed."""
        self._broker = broker
        try:
            self._producer = kafka.KafkaProducer(
                **broker.client_options(client_id),
                acks="all",
                enable_idempotence=True,
                linger_ms=LINGER_MS,
                batch_size=BATCH_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                delivery_timeout_ms=delivery_timeout_ms,
                max_request_size=MAX_RECORD_BYTES,
                metrics_enabled=False,
            )
        except kafka.errors.KafkaError as error:
            raise BrokerError(f"no Kafka answers at {broker.bootstrap_servers}: {error!r}") from error

    def find(self, topics: Iterable[Topic]) -> None:
        """Learn where the partitions of these topics are, so that the first record of each need not wait for it."""
        try:
            for topic in topics:
                self._producer.partitions_for(f"{self._broker.prefix}{topic.name}")
        except kafka.errors.KafkaError as error:
            raise BrokerError(f"Kafka does not say where the topics are: {error!r}") from error

    def send(self, topic: Topic, *, subject: str, key: str, value: bytes | None, headers: Headers) -> Acknowledgement:
        """Queue one record on the partition of its subject; raises BrokerError if the client refuses it."""
        return self.place(
            topic.name,
            partition=partition_of(subject, topic.partitions),
            key=key.encode(),
            value=value,
            headers=headers,
        )

    def place(
        self, topic: str, *, partition: int, key: bytes, value: bytes | None, headers: Headers
    ) -> Acknowledgement:
        """Queue one record on a partition that is already known; `topic` is the catalogue's name."""
        if not key:
            raise BrokerError(f"a record without a key was meant for {topic}; every topic needs one")
        try:
            acknowledgement: Acknowledgement = self._producer.send(
                f"{self._broker.prefix}{topic}",
                key=key,
                value=value,
                headers=list(headers),
                partition=partition,
            )
        except kafka.errors.KafkaError as error:
            raise BrokerError(f"Kafka did not take a record for {topic}: {error!r}") from error
        return acknowledgement

    def settle(self, acknowledgements: Iterable[Acknowledgement], *, timeout: float = 60.0) -> None:
        """Wait until the broker has all of these; raises BrokerError at the first that it has not."""
        try:
            for acknowledgement in acknowledgements:
                acknowledgement.get(timeout=timeout)
        except kafka.errors.KafkaError as error:
            raise BrokerError(f"Kafka did not acknowledge: {error!r}") from error

    def close(self, *, timeout: float = 5.0) -> None:
        """Send what is queued, then let go."""
        self._producer.close(timeout=timeout)


def create_topics(broker: Broker, topics: Sequence[Topic], *, replication: int = 1) -> list[str]:
    """Create the topics that are missing; returns their names on the broker. Never changes one that is there.

    Every partition of all of `topics` has a leader then, whoever made them. Raises BrokerError.
    """
    admin = _admin(broker)
    try:
        there = {described["name"] for described in admin.describe_topics()}
        missing = [topic for topic in topics if topic.full_name(broker.prefix) not in there]
        if missing:
            _create(admin, broker, missing, replication)
        admin.wait_for_topics([topic.full_name(broker.prefix) for topic in topics], timeout_ms=TOPICS_READY_MS)
        return [topic.full_name(broker.prefix) for topic in missing]
    except kafka.errors.KafkaError as error:
        raise BrokerError(f"topics could not be created at {broker.bootstrap_servers}: {error!r}") from error
    finally:
        admin.close()


def _create(admin: Any, broker: Broker, topics: Sequence[Topic], replication: int) -> None:
    wanted = [
        NewTopic(
            name=topic.full_name(broker.prefix),
            num_partitions=topic.partitions,
            replication_factor=replication,
            topic_configs=topic.config(),
        )
        for topic in topics
    ]
    try:
        admin.create_topics(wanted, timeout_ms=30_000)
    except kafka.errors.TopicAlreadyExistsError:
        if len(wanted) == 1:
            return  # another process created it between the look and the call
        for topic in topics:
            _create(admin, broker, [topic], replication)


def _admin(broker: Broker) -> Any:
    options = broker.client_options("dropfix-admin")
    try:
        return kafka.KafkaAdminClient(**options, bootstrap_timeout_ms=ANSWER_TIMEOUT_MS)
    except kafka.errors.KafkaError as error:
        raise BrokerError(f"no Kafka answers at {broker.bootstrap_servers}: {error!r}") from error


def describe(broker: Broker, topics: Sequence[Topic]) -> dict[str, dict[str, Any]]:
    """What the broker says of these topics, by catalogue name; one that is missing is left out."""
    admin = _admin(broker)
    try:
        by_full_name = {topic.full_name(broker.prefix): topic.name for topic in topics}
        return {
            by_full_name[described["name"]]: described
            for described in admin.describe_topics(list(by_full_name))
            if described.get("error_code", 0) == 0
        }
    except kafka.errors.UnknownTopicOrPartitionError:
        return {}
    finally:
        admin.close()
