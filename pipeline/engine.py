"""What happens to what a source delivers, and the upkeep beside it: one thread's work, whichever the source."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

from pipeline.apply import Applier
from pipeline.errors import Gap, LogReplaced, PassingFault, Stalled
from pipeline.fence import covers
from pipeline.log import LogReader
from pipeline.offsets import erased_ranges, load_positions
from pipeline.positions import take_up
from pipeline.records import LogPartition, Record
from pipeline.relay import Relay
from pipeline.slots import Slot
from pipeline.stragglers import STUCK_SECONDS, Stragglers
from pipeline.timer_runner import TimerRunner
from runtime.clock import Clock, RealClock
from runtime.health import Health
from runtime.logs import get_logger
from schemas.catalogue import Topic

log = get_logger(__name__)

TIMERS_SECONDS = 1.0
LAG_SECONDS = 5.0
CHECK_SECONDS = 5.0
"""How long foreign records could be taken from a topic that is made anew under a running consumer."""
JOIN_SECONDS = 60.0
"""How long the group may take to let a worker in, the first time or again: a client can fail to join and not say so."""
ASSIGNMENT = "assignment"
"""What a worker waits for between two assignments. One that was given no partition, because there are more workers than
partitions, stands by and is ready: it does what it is there for. It is not when whoever has them does not get on."""
NOBODY = "stragglers"
"""What a worker waits for while partitions that are not its own are behind and do not move."""


@dataclass
class _Progress:
    """How far a partition is; `told` is what Kafka was told, `at` when it moved last (monotonic seconds)."""

    next_offset: int
    told: int
    at: float


@dataclass
class _Every:
    """Something to do every so many seconds."""

    seconds: float
    due: float = 0.0

    def now(self) -> bool:
        """Whether it is time; if so the next time is set."""
        if monotonic() < self.due:
            return False
        self.due = monotonic() + self.seconds
        return True


@dataclass
class _EveryOfEither(_Every):
    """Something to do every so many seconds of the machine's time or of the clock's, which may run, or jump."""

    clock: Clock = field(default_factory=RealClock)
    due_at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))

    def now(self) -> bool:
        now = self.clock.now()
        if now < self.due_at and not super().now():
            return False
        self.due, self.due_at = monotonic() + self.seconds, now + timedelta(seconds=self.seconds)
        return True


class Engine:
    """The Sink of a live consumer."""

    def __init__(
        self,
        applier: Applier,
        *,
        topics: Collection[Topic],
        log_reader: LogReader,
        relay: Relay,
        slot: Slot,
        clock: Clock,
        health: Health,
    ) -> None:
        self._applier = applier
        self._topics = {topic.name: topic for topic in topics}
        self._places = [LogPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        self._stragglers = Stragglers()
        self._log = log_reader
        self._relay = relay
        self._slot = slot
        self._health = health
        self._timers = TimerRunner(applier, log_reader, clock, topics)
        self._progress: dict[LogPartition, _Progress] = {}
        self._topic_ids: dict[str, UUID] = {}
        self._held: dict[LogPartition, Gap] = {}
        self._joined = False
        self._join_by = monotonic() + JOIN_SECONDS
        self._upkeep: Sequence[tuple[_Every, Callable[[], object]]] = (
            (_EveryOfEither(TIMERS_SECONDS, clock=clock), self._run_timers),
            (_Every(TIMERS_SECONDS), slot.renew),
            (_Every(LAG_SECONDS), self._measure_lag),
            (_Every(CHECK_SECONDS, monotonic() + CHECK_SECONDS), self._check_log),
        )

    def assigned(self, places: Collection[LogPartition]) -> Mapping[LogPartition, int]:
        """Check the log and give where each partition goes on (see Sink)."""
        positions = take_up(self._applier.session, self._log, self._topics, places) if places else {}
        self._joined = True
        now = monotonic()
        for place, position in positions.items():
            self._topic_ids[place.topic] = position.topic_id
            self._held.pop(place, None)
            self._progress[place] = _Progress(position.next_offset, position.next_offset, now)
        self._health.resumes("start")
        self._health.resumes(ASSIGNMENT)
        self._health.note("partitions", len(self._progress))
        self._health.progressed()
        log.info("partitions assigned", partitions=len(positions), owned=len(self._progress))
        return {place: position.next_offset for place, position in positions.items()}

    def revoked(self, places: Collection[LogPartition]) -> None:
        """Forget them (see Sink)."""
        for place in places:
            self._progress.pop(place, None)
            self._held.pop(place, None)
            self._health.forget(_name(place))
            self._health.resumes(_name(place))
        self._health.note("partitions", len(self._progress))
        if not self._progress:
            self._joined, self._join_by = False, monotonic() + JOIN_SECONDS
            self._health.waits(ASSIGNMENT, "its partitions were taken back, and the group has not shared them out anew")

    def batch(self, records: Sequence[Record]) -> None:
        """Apply (see Sink). A partition with an unexplained gap is held: what comes of it is not looked at."""
        place = LogPartition(records[0].topic, records[0].partition)
        if place in self._held:
            return
        try:
            applied = self._applier.apply(records)
        except Gap as gap:
            self._explain(place, gap)
            return
        if applied.outbox_rows:
            self._relay.wake()
        if (progress := self._progress.get(place)) is not None:
            progress.next_offset, progress.at = applied.next_offset, monotonic()
        self._health.progressed(applied.records)

    def tick(self) -> None:
        """Timers, the slot, lag, checks: each when it is time (see Sink)."""
        for every, work in self._upkeep:
            if not every.now():
                continue
            try:
                work()
            except PassingFault as error:
                log.warning("upkeep waits", reason=str(error))
                self._health.waits("upkeep", str(error))
                self._join_by = monotonic() + JOIN_SECONDS  # nobody is let in while Kafka is away
                return
            self._health.resumes("upkeep")

    def hints(self) -> Mapping[LogPartition, int]:
        """What was applied before the outbox was last seen empty (see Sink)."""
        ready = {}
        for place, progress in self._progress.items():
            if progress.next_offset != progress.told and self._relay.empty_since(progress.at):
                ready[place] = progress.told = progress.next_offset
        return ready

    def _run_timers(self) -> None:
        if self._timers.run():
            self._relay.wake()
            self._health.progressed()

    def _measure_lag(self) -> None:
        ends = self._log.ends({*self._places, *self._progress})
        if not self._joined and monotonic() > self._join_by:
            raise Stalled(f"the consumer group did not let this worker in within {JOIN_SECONDS:.0f} s")
        for place, progress in self._progress.items():
            if place not in self._held:
                self._health.behind(_name(place), ends[place] - progress.next_offset)
        self._look_for_stragglers(ends)

    def _look_for_stragglers(self, ends: Mapping[LogPartition, int]) -> None:
        """End where one of ours does not get on; say so where another's, or nobody's, does not."""
        with self._applier.session.transaction() as conn:
            reached = {place: position.next_offset for place, position in load_positions(conn, list(ends)).items()}
        stuck = self._stragglers.look(reached, ends) - set(self._held)
        if own := stuck & set(self._progress):
            raise Stalled(f"behind and not moved for {STUCK_SECONDS:.0f} s: {_names(own)}")
        if stuck:
            self._health.waits(NOBODY, f"no worker has got on for {STUCK_SECONDS:.0f} s with {_names(stuck)}")
        else:
            self._health.resumes(NOBODY)

    def _check_log(self) -> None:
        """A topic that is made anew gives foreign records without an error, also to a running consumer."""
        if not self._topic_ids:
            return
        ids = self._log.topic_ids(self._topic_ids)
        for topic, known in self._topic_ids.items():
            if ids.get(topic) != known:
                raise LogReplaced(f"the topic {topic} was made anew or deleted while it was being consumed")
        self._recheck_held()

    def _explain(self, place: LogPartition, gap: Gap) -> None:
        """Hold the partition if the log itself has the gap; if only the source skipped, end and start again."""
        there = self._log.first_from({place: gap.expected}).get(place)
        if there is not None and there.offset == gap.expected:
            raise gap
        reason = (
            f"{gap}; nobody wrote down that these were erased. The partition is held until they are restored,"
            " or entered in the table erased_offsets"
        )
        log.error("a partition is held", place=_name(place), reason=reason)
        self._held[place] = gap
        self._health.forget(_name(place))
        self._health.waits(_name(place), reason)

    def _recheck_held(self) -> None:
        """Start again once a held gap was entered as erased: the source is beyond it by now."""
        for place, gap in self._held.items():
            with self._applier.session.transaction() as conn:
                erased = erased_ranges(conn, self._applier.processor.group, place)
            if covers(erased, gap.expected, gap.found):
                raise gap


def _name(place: LogPartition) -> str:
    return f"{place.topic}/{place.partition}"


def _names(places: Collection[LogPartition]) -> str:
    return ", ".join(sorted(_name(place) for place in places))
