"""What the group gives a worker and takes from it, as the polling thread learns of it."""

from collections.abc import Collection

import kafka

from pipeline.sources.kafka_python import _Assignment

PLACE = kafka.TopicPartition("topic", 0)


class Client:
    """The part of a consumer that an assignment uses."""

    def seek(self, place: object, offset: int) -> None:
        """Positions are the polling thread's to set."""

    def pause(self, *places: object) -> None:
        """Nothing is read here."""


def assigned(places: Collection[object]) -> _Assignment:
    assignment = _Assignment(Client())
    assignment.on_partitions_assigned(places)
    assignment.positioned(places)
    assert assignment.settled(PLACE)
    return assignment


def test_a_partition_that_was_lost_with_the_membership_is_given_up_like_one_that_was_revoked() -> None:
    """A worker that was frozen for longer than its session is told so, and is not asked to give anything back."""
    for tell in ("on_partitions_revoked", "on_partitions_lost"):
        assignment = assigned([PLACE])
        getattr(assignment, tell)([PLACE])
        assert not assignment.settled(PLACE)
        assert assignment.take_lost() == {PLACE}


def test_a_partition_that_comes_back_is_positioned_anew() -> None:
    assignment = assigned([PLACE])
    assignment.on_partitions_lost([PLACE])
    assignment.on_partitions_assigned([PLACE])
    assert assignment.take_lost() == set()
    assert assignment.fresh() == {PLACE}
    assert not assignment.settled(PLACE)
