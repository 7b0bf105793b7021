"""Which page of the first sync is read next. Pure: it keeps the parts, and who reads them, and decides.

There is no barrier between stages: a list that nobody urgent reads would stand idle while Stripe's limits count by
endpoint. Instead every page is handed out anew, the earliest stage first; later stages get what is left over, and
only while what was read is published as fast as it comes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.poller.first_sync.first_minute import STAGES, URGENT, Stage, Task
from services.poller.first_sync.ranges import Shard

READERS_PER_LIST = 6
READERS_BESIDE_URGENT = 3
"""Readers that a list may have and still be given one for history, while something urgent is read from it: they take
turns at Stripe's limit for the endpoint, and the urgent would wait for all of them at every page."""
UNPUBLISHED_AT_MOST = 48
UNPUBLISHED_OF_HISTORY = 32
"""Pages that may wait to be published: they are held in memory, and what is urgent waits behind them."""


class Agenda:
    """The parts of the first sync. A part is taken, one page of it is read, it is given back; when the page is in the
    log it is `published`."""

    def __init__(self, tasks: Sequence[Task], shards: Iterable[Shard], *, readers: int) -> None:
        """`readers` pages may be read at once."""
        self.tasks = {task.name: task for task in tasks}
        self._shards: dict[str, list[Shard]] = {name: [] for name in self.tasks}
        for shard in shards:
            if shard.task in self._shards:
                self._shards[shard.task].append(shard)
        self._order = sorted(self.tasks.values(), key=lambda task: STAGES.index(task.stage))
        self._room = readers
        self._taken: set[int] = set()
        self._aside: set[int] = set()
        self._reading: Counter[str] = Counter()
        self._unpublished: Counter[str] = Counter()

    def take(self) -> Shard | None:
        """The part whose next page is to be read now; None where there is none, or no room."""
        waiting = self._unpublished.total() + len(self._taken)
        if len(self._taken) >= self._room or waiting >= UNPUBLISHED_AT_MOST:
            return None
        urgent = {task.query.path for task in self._order if task.stage in URGENT and not self._is_over(task)}
        for task in self._order:
            history = task.stage not in URGENT
            if history and self._unpublished.total() >= UNPUBLISHED_OF_HISTORY:
                return None
            readers = READERS_BESIDE_URGENT if history and task.query.path in urgent else READERS_PER_LIST
            if self._reading[task.query.path] < readers and self._may_begin(task):
                for shard in self._shards[task.name]:
                    if not self._is_left(shard) and id(shard) not in self._taken:
                        self._taken.add(id(shard))
                        self._reading[task.query.path] += 1
                        return shard
        return None

    def give_back(self, shard: Shard) -> None:
        """A page of it was read, and is yet to be published."""
        self._taken.discard(id(shard))
        self._reading[self.tasks[shard.task].query.path] -= 1
        self._unpublished[shard.task] += 1

    def published(self, shard: Shard) -> None:
        """A page of it is in the log and its position is committed."""
        self._unpublished[shard.task] -= 1

    def set_aside(self, shard: Shard) -> None:
        """It cannot be read now: the rest is read without it, and its stage is not over."""
        self._aside.add(id(shard))

    def cut_off(self, shard: Shard, *, created_from: int | None, created_before: int) -> Shard:
        """A new part, taken off this one."""
        mine = self._shards[shard.task]
        other = Shard(shard.task, len(mine), created_from, created_before)
        mine.append(other)
        return other

    def wants_readers(self, task: Task) -> bool:
        """Whether more of the task could be read side by side than it has parts."""
        return task.divisible and sum(not shard.done for shard in self._shards[task.name]) < READERS_PER_LIST

    def is_read(self, stage: Stage) -> bool:
        """Whether everything of a stage is in the log and committed."""
        return all(self._is_finished(task) for task in self.tasks.values() if task.stage == stage)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left that can be read."""
        return all(self._is_over(task) for task in self.tasks.values())

    def share(self, stage: Stage) -> float:
        """How much of a stage is read, from 0 to 1."""
        shares = [_share_of(self._shards[task.name]) for task in self.tasks.values() if task.stage == stage]
        return sum(shares) / len(shares) if shares else 1.0

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """(objects read, and those totals that are known because everything is read), by the name of the progress."""
        done, open_ = Counter[str](), set[str]()
        for task in self.tasks.values():
            done[task.counts] += sum(shard.objects for shard in self._shards[task.name])
            if not self._is_at_end(task):
                open_.add(task.counts)
        return dict(done), {name: count for name, count in done.items() if name not in open_}

    def _may_begin(self, task: Task) -> bool:
        if task.after is None or task.after not in self.tasks:
            return True
        return self._unpublished[task.after] == 0 and self._is_over(self.tasks[task.after])

    def _is_finished(self, task: Task) -> bool:
        return self._unpublished[task.name] == 0 and self._is_at_end(task)

    def _is_over(self, task: Task) -> bool:
        """Whether every part was read to its end, or was set aside."""
        return all(self._is_left(shard) for shard in self._shards[task.name])

    def _is_left(self, shard: Shard) -> bool:
        return shard.done or id(shard) in self._aside

    def _is_at_end(self, task: Task) -> bool:
        return all(shard.done for shard in self._shards[task.name])


def _share_of(shards: Sequence[Shard]) -> float:
    """How much of a task is read: unknown until its end, so it only ever comes closer to it."""
    if all(shard.done for shard in shards):
        return 1.0
    objects = sum(shard.objects for shard in shards)
    return objects / (objects + 300 * sum(not shard.done for shard in shards))
