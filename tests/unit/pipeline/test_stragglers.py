"""Which partitions are behind and do not get on."""

from pipeline.records import LogPartition
from pipeline.stragglers import STUCK_SECONDS, Stragglers

ONE, TWO = LogPartition("topic", 1), LogPartition("topic", 2)
ENDS = {ONE: 10, TWO: 10}


class Machine:
    """A clock that is moved by hand."""

    at = 0.0

    def now(self) -> float:
        return self.at


def test_who_moves_or_is_at_the_end_is_none() -> None:
    machine = Machine()
    stragglers = Stragglers(machine.now)
    for offset in range(5):
        assert stragglers.look({ONE: offset, TWO: 10}, ENDS) == set()
        machine.at += STUCK_SECONDS


def test_who_is_behind_and_stands_is_one_until_it_moves() -> None:
    machine = Machine()
    stragglers = Stragglers(machine.now)
    assert stragglers.look({ONE: 3, TWO: 10}, ENDS) == set()
    machine.at = STUCK_SECONDS
    assert stragglers.look({ONE: 3, TWO: 10}, ENDS) == {ONE}
    assert stragglers.look({ONE: 4, TWO: 10}, ENDS) == set()


def test_who_was_never_taken_up_is_behind_where_there_is_a_record() -> None:
    machine = Machine()
    stragglers = Stragglers(machine.now)
    stragglers.look({}, {ONE: 1, TWO: 0})
    machine.at = STUCK_SECONDS
    assert stragglers.look({}, {ONE: 1, TWO: 0}) == {ONE}


def test_the_time_at_the_end_does_not_count() -> None:
    machine = Machine()
    stragglers = Stragglers(machine.now)
    stragglers.look({ONE: 10, TWO: 10}, ENDS)
    machine.at = 10 * STUCK_SECONDS
    assert stragglers.look({ONE: 10, TWO: 10}, {ONE: 11, TWO: 10}) == set()
