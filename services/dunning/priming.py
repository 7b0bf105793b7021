"""At a start, decisions first: the image is read to its end before anything is decided by it.

The consumer reads the same records again in its own time: a decision that is in the image stays as it is, and whom it
concerns is woken then.
"""

from pipeline.errors import BadRecord, PassingFault
from pipeline.log import LogReader
from pipeline.records import LogPartition, Record
from pipeline.session import Session
from pipeline.sources import backoff
from pipeline.sources.bulk import read_bulk
from runtime.database import Database
from runtime.kafka import Broker
from runtime.logs import get_logger
from runtime.service import Frame
from schemas.catalogue import CONTROL_DECISION
from services.dunning.arming import read_to
from services.dunning.decisions import Ruling
from services.dunning.decoding import Decided, decode
from services.dunning.image import save_rulings

log = get_logger(__name__)


def read_decisions_first(database: Database, broker: Broker, frame: Frame) -> None:
    """Bring the image to the end that control.decision.v1 has now; waits until Kafka and PostgreSQL are there."""
    session, log_reader, failures = Session(database), LogReader(broker, client_id="dunning-decisions"), 0
    while not frame.stopping.is_set():
        try:
            decisions = prime(session, broker, log_reader)
        except PassingFault as error:
            failures += 1
            frame.health.waits("decisions", f"{CONTROL_DECISION.name} cannot be read yet: {error}")
            frame.stopping.wait(backoff(failures))
        else:
            frame.health.resumes("decisions")
            log.info("decisions read", decisions=decisions)
            break
    session.close()
    log_reader.close()


def prime(session: Session, broker: Broker, log_reader: LogReader) -> int:
    """Read what the consumer has not applied yet; gives how many decisions that were. Raises PassingFault."""
    if not log_reader.topic_ids([CONTROL_DECISION.name]):
        raise PassingFault("the topic does not exist yet; `dropfix migrate` makes it")
    bounds = log_reader.bounds([LogPartition(CONTROL_DECISION.name, p) for p in range(CONTROL_DECISION.partitions)])
    with session.transaction() as conn:
        reached = read_to(conn, [CONTROL_DECISION.name])
    start = {place: max(reached.get((place.topic, place.partition), 0), b.begin) for place, b in bounds.items()}
    count = 0
    for batch in read_bulk(broker, start=start, until={place: b.end for place, b in bounds.items()}):
        rulings = [told for record in batch if (told := _ruling(record)) is not None]
        if rulings:
            with session.transaction() as conn:
                save_rulings(conn, rulings)
        count += len(rulings)
    return count


def _ruling(record: Record) -> tuple[Record, str, Ruling] | None:
    """None for a tombstone, what does not concern dunning, and what the consumer will send to the dead letters."""
    if record.value is None:
        return None
    try:
        decided = decode(record)
    except BadRecord:
        return None
    if not isinstance(decided, Decided) or decided.ruling is None:
        return None
    return record, decided.workspace_id, decided.ruling
