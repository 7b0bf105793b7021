"""Where a partition goes on, and whether the log is still the one that its offset belongs to.

Asked at the start and at every rebalance. A log that was cut or made anew gives foreign records without an error:
the topic's id, the log's end and the record before the offset tell.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import BadRecord, LogReplaced, OffsetExpired
from pipeline.log import Bounds, LogReader
from pipeline.offsets import Position, load_positions, store_positions
from pipeline.records import LogPartition, Record
from pipeline.session import Session
from schemas.catalogue import Topic


@dataclass(frozen=True, slots=True)
class Found:
    """What the log says of one partition; `before` is the record before the stored offset, where there is one."""

    topic_id: UUID
    bounds: Bounds
    before: Record | None


def check_position(place: LogPartition, topic: Topic, stored: Position | None, found: Found) -> Position:
    """Where to go on. Differs from `stored` at a first start, and where a topic that expires has lost the stretch.

    Raises LogReplaced or OffsetExpired: then nothing may be read from this partition.
    """
    begin = found.bounds.begin
    if stored is None:
        _must_have_all(place, topic, 0, begin)
        return Position(topic_id=found.topic_id, next_offset=begin, last_id=None)
    _must_be_the_same(place, stored, found)
    if stored.next_offset >= begin:
        return stored
    _must_have_all(place, topic, stored.next_offset, begin)
    return Position(topic_id=found.topic_id, next_offset=begin, last_id=None)


def _must_have_all(place: LogPartition, topic: Topic, wanted: int, begin: int) -> None:
    if topic.kept_for_ever and begin > wanted:
        raise OffsetExpired(
            f"{place.topic}/{place.partition} begins at {begin} and offset {wanted} is needed, though the topic is"
            " kept for ever: restore the log, or rebuild from what is left"
        )


def _must_be_the_same(place: LogPartition, stored: Position, found: Found) -> None:
    name = f"{place.topic}/{place.partition}"
    remedy = "; restore the log, or rebuild the service from the log as it is"
    if stored.topic_id != found.topic_id:
        raise LogReplaced(
            f"the topic of {name} was made anew: its id is {found.topic_id}, not {stored.topic_id}{remedy}"
        )
    if found.bounds.end < stored.next_offset:
        raise LogReplaced(f"{name} ends at {found.bounds.end}, before the stored offset {stored.next_offset}{remedy}")
    before = found.before
    if before is None or before.offset != stored.next_offset - 1 or stored.last_id is None:
        return  # erased or expired since, or never known: no sign of another log
    if _id_of(before) != stored.last_id:
        raise LogReplaced(f"{before.place} has the id {_id_of(before)}, not {stored.last_id}{remedy}")


def _id_of(record: Record) -> str | None:
    try:
        return record.header("ce_id")
    except BadRecord:
        return None


def take_up(
    session: Session, log: LogReader, topics: Mapping[str, Topic], places: Collection[LogPartition]
) -> dict[LogPartition, Position]:
    """Check these partitions against the log and give where each goes on; stores what it begins or skips.

    Raises PassingFault, LogReplaced, OffsetExpired.
    """
    with session.transaction() as conn:
        stored = load_positions(conn, places)
    found = _look(log, places, stored)
    positions = {place: check_position(place, topics[place.topic], stored.get(place), found[place]) for place in places}
    changed = {place: position for place, position in positions.items() if position != stored.get(place)}
    if changed:
        with session.transaction() as conn:
            store_positions(conn, changed)
            positions |= load_positions(conn, list(changed))
    return positions


def _look(
    log: LogReader, places: Collection[LogPartition], stored: Mapping[LogPartition, Position]
) -> dict[LogPartition, Found]:
    ids = log.topic_ids({place.topic for place in places})
    missing = {place.topic for place in places} - set(ids)
    if missing:
        raise LogReplaced(f"the topics {', '.join(sorted(missing))} are gone")
    bounds = log.bounds(places)
    before = log.first_from(
        {
            place: position.next_offset - 1
            for place, position in stored.items()
            if bounds[place].begin < position.next_offset <= bounds[place].end
            and position.topic_id == ids[place.topic]
            and position.last_id is not None
        }
    )
    return {place: Found(ids[place.topic], bounds[place], before.get(place)) for place in places}
