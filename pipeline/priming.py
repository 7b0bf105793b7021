"""At a start, decisions first: they are applied to their end before anything is decided by them."""

from collections.abc import Collection

from pipeline.apply import Applier
from pipeline.decisions import READ_FIRST
from pipeline.errors import Gap
from pipeline.log import LogReader
from pipeline.positions import take_up
from pipeline.records import LogPartition
from pipeline.sources.bulk import read_bulk
from runtime.kafka import Broker
from runtime.logs import get_logger
from schemas.catalogue import Topic

log = get_logger(__name__)


def read_first(applier: Applier, broker: Broker, reader: LogReader, topics: Collection[Topic]) -> int:
    """Apply what those of `topics` that come first hold now; gives how many records that were.

    Raises PassingFault, LogReplaced, OffsetExpired. A gap is left to the engine, which holds the partition and says so.
    """
    first = {topic.name: topic for topic in topics if topic.name in READ_FIRST}
    places = [LogPartition(name, number) for name, topic in first.items() for number in range(topic.partitions)]
    if not places:
        return 0
    positions = take_up(applier.session, reader, first, places)
    start = {place: position.next_offset for place, position in positions.items()}
    read = 0
    try:
        for batch in read_bulk(broker, start=start, until=reader.ends(places)):
            read += applier.apply(batch).records
    except Gap as gap:
        log.warning("decisions are not read to their end", reason=str(gap))
    return read
