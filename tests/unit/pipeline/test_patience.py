"""What a patient client of aiokafka waits for, and how often it asks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

import aiokafka.errors
import pytest

from pipeline.sources import patience
from pipeline.sources.patience import ASK_SECONDS, patient


@dataclass
class Cluster:
    """What a client has learned."""

    known: set[str] = field(default_factory=set)
    there: bool = False

    def brokers(self) -> set[str]:
        return {"one"} if self.there else set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.known else None


@dataclass
class Client:
    """An aiokafka client that gets these answers, one after the other: brokers named or not, or an error."""

    answers: Sequence[bool | Exception] = (True,)
    cluster: Cluster = field(default_factory=Cluster)
    closed: int = 0
    asked: list[float] = field(default_factory=list)
    topics_after: int = 0
    _topics: set[str] = field(default_factory=lambda: {"a", "b"})
    _nth: int = 0

    async def bootstrap(self) -> None:
        answer = self.answers[self._nth]
        self._nth += 1
        if isinstance(answer, Exception):
            raise answer
        self.cluster.there = answer

    async def close(self) -> None:
        self.closed += 1

    async def _metadata_update(self, cluster: object, topics: object) -> bool:
        self.asked.append(monotonic())
        if len(self.asked) >= self.topics_after:
            self.cluster.known = {"a", "b"}
        return True

    async def _maybe_wait_metadata(self) -> None:
        """Nothing is under way."""

    async def force_metadata_update(self) -> bool:
        return await self._metadata_update(self.cluster, self._topics)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "backoff", lambda _: 0.0)


def test_it_begins_once_a_broker_is_named_and_leaves_no_connection_of_a_try_before() -> None:
    client = patient(Client((aiokafka.errors.KafkaConnectionError(), False, False, True)))
    asyncio.run(client.bootstrap())
    assert client.cluster.brokers()
    assert client.closed == 3


def test_a_fault_that_is_not_kafkas_is_not_waited_out() -> None:
    client = patient(Client((TypeError("a bug"), True)))
    with pytest.raises(TypeError):
        asyncio.run(client.bootstrap())


def test_partitions_are_shared_out_once_every_topic_is_known() -> None:
    client = patient(Client(topics_after=3))
    asyncio.run(client._maybe_wait_metadata())
    assert client.cluster.known == {"a", "b"}
    assert len(client.asked) == 3


def test_a_topic_that_does_not_come_holds_up_the_others_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TOPICS_SECONDS", 0.0)
    client = patient(Client(topics_after=10))
    asyncio.run(client._maybe_wait_metadata())
    assert client.cluster.known == set()


def test_a_cluster_without_leaders_is_not_asked_as_fast_as_it_answers() -> None:
    client = patient(Client())

    async def ask_and_ask() -> None:
        for _ in range(4):
            await client.force_metadata_update()

    asyncio.run(ask_and_ask())
    waits = [later - earlier for earlier, later in zip(client.asked, client.asked[1:], strict=False)]
    assert min(waits) >= ASK_SECONDS * 0.9
