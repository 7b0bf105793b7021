"""What every live source must do, as processes on a real Kafka and PostgreSQL."""

import json
import re
import signal
import time
from datetime import timedelta

import kafka
import pytest

from bench.counting import GROUP, INPUTS
from pipeline.dead_letters import REASON, SOURCE_OFFSET
from runtime.kafka import Producer
from schemas.catalogue import dead_letter_topic, retry_topic
from tests.fixtures.counting import START, Counting, Said, eventually, numbers, plain_read

pytestmark = pytest.mark.parametrize("source", ["kafka-python", "faust"])


def test_everything_is_read_and_counted_and_a_stop_is_quick(counting: Counting, source: str) -> None:
    counting.say(numbers(1, 2000))
    worker = counting.start(source)
    counting.settle()
    replayed = counting.replayed()
    assert counting.counts() == replayed.counts
    assert set(counting.event_ids()) == replayed.tenths()
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 10  # no measure of speed: a stop that hangs would be killed by its supervisor


def test_a_killed_worker_leaves_no_file_behind(counting: Counting, source: str) -> None:
    counting.say(numbers(1, 200))
    worker = counting.start(source)
    counting.settle()
    worker.kill()
    assert list(counting.scratch.iterdir()) == []


def test_it_goes_on_from_postgresqls_offsets_whatever_kafka_says(counting: Counting, source: str) -> None:
    counting.say(numbers(2, 1000))
    counting.start(source)
    counting.settle()
    counting.close()
    _commit_zero_in_kafka(counting)
    more = [said for said in numbers(3, 1200) if said.observed_at >= START + timedelta(seconds=1000)]
    counting.say(more)
    counting.start(source)
    counting.settle()
    assert counting.counts() == counting.replayed().counts


def test_a_second_worker_takes_its_share_and_gives_it_back(counting: Counting, source: str) -> None:
    counting.say(numbers(4, 1000))
    first = counting.start(source)
    counting.settle()
    second = counting.start(source)
    counting.eventually("the second worker has partitions", lambda: "partitions assigned" in second.log.read_text())
    shares = [int(found) for found in re.findall(r'"owned": (\d+)', second.log.read_text())]
    assert 0 < shares[-1] < 24
    counting.say(numbers(5, 1000))
    counting.settle()
    first.kill()
    counting.say(numbers(6, 1000))
    counting.settle()
    assert counting.counts() == counting.replayed().counts


def test_a_poisoned_record_is_a_dead_letter_and_comes_back_mended(counting: Counting, source: str) -> None:
    counting.say([*numbers(7, 50), Said(INPUTS[0], "con/1", 5, START + timedelta(hours=1), value=b"{half")])
    counting.start(source)
    counting.settle()
    letters = plain_read(counting.kafka, counting.prefix, [dead_letter_topic(GROUP).name])
    assert [letter.value for letter in letters] == [b"{half"]
    headers = dict(letters[0].headers)
    assert b"malformed" in headers[REASON]
    assert headers[SOURCE_OFFSET].isdigit()
    before = counting.counts().get("con/1", (0, 0))
    producer = Producer(counting.broker, client_id="test")
    producer.settle(
        [
            producer.place(
                retry_topic(GROUP).name,
                partition=letters[0].partition,
                key=letters[0].key,
                value=json.dumps({"n": 5}).encode(),
                headers=tuple(letters[0].headers),
            )
        ]
    )
    producer.close()
    counting.eventually(
        "the mended record counts", lambda: counting.counts().get("con/1") == (before[0] + 1, before[1] + 5)
    )


def test_a_topic_that_is_made_anew_ends_a_running_worker_and_lets_no_other_begin(
    counting: Counting, source: str
) -> None:
    counting.say(numbers(8, 500))
    running = counting.start(source)
    counting.settle()
    running.signal(signal.SIGSTOP)  # or it might see the topic gone, which is another thing to see
    _make_anew(counting)
    counting.say(numbers(9, 500))
    running.signal(signal.SIGCONT)
    assert running.outlived("it sees that the topic is another") == 1
    before = counting.counts()
    restarted = counting.start(source)
    assert restarted.outlived("it refuses a log that is another") == 1
    assert "was made anew" in restarted.log.read_text()
    assert counting.counts() == before


def _commit_zero_in_kafka(counting: Counting) -> None:
    """What Kafka has is only a hint: make it a wrong one."""
    admin = kafka.KafkaAdminClient(bootstrap_servers=counting.kafka)
    places = [kafka.TopicPartition(topic.full_name(counting.prefix), n) for topic in INPUTS for n in range(8)]
    group = f"{counting.prefix}{GROUP}"
    eventually("the group is empty", lambda: not admin.describe_groups([group])[group]["members"])
    admin.alter_group_offsets(group, {place: kafka.OffsetAndMetadata(0, "", -1) for place in places})
    admin.close()


def _make_anew(counting: Counting) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=counting.kafka)
    name = INPUTS[0].full_name(counting.prefix)
    admin.delete_topics([name])
    eventually("the topic is gone", lambda: name not in admin.list_topics())
    admin.create_topics([kafka.admin.NewTopic(name=name, num_partitions=8, replication_factor=1)])
    admin.close()
