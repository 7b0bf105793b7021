"""Topics are made before they are used, whoever makes them."""

from concurrent.futures import ThreadPoolExecutor

from bench.counting import INPUTS, OUTPUT
from runtime.kafka import Broker, create_topics, describe

TOPICS = (*INPUTS, OUTPUT)


def test_whoever_asks_for_topics_finds_a_leader_for_each_partition_though_another_makes_them(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    broker = Broker(kafka_bootstrap, topic_prefix)

    def ask(_: int) -> tuple[list[str], list[int]]:
        made = create_topics(broker, TOPICS)
        leaders = [p["leader_id"] for topic in describe(broker, TOPICS).values() for p in topic["partitions"]]
        return made, leaders

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    for _, leaders in answers:
        assert len(leaders) == sum(topic.partitions for topic in TOPICS)
        assert min(leaders) >= 0
    assert create_topics(broker, TOPICS) == []
