"""The facts of a workspace read again from the topics, into memory: for whoever will not take the tables at their word.

Of each ledger only its facts are kept, encoded: some hundred bytes a customer. Nothing is written anywhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.apply import DECODE_FAULTS
from pipeline.dead_letters import source_of
from pipeline.records import LogPartition, Record
from pipeline.sources.bulk import read_bulk
from runtime.database import Connection
from runtime.kafka import Broker
from schemas.catalogue import PRODUCT_IDENTIFY, retry_topic
from services.mrr.core import MrrCore, State
from services.mrr.facts import Fact, UserFact
from services.mrr.processor import GROUP, RAW_INPUTS, decode, decode_user
from services.mrr.store import decode_state, encode_state

_READ = [topic.name for topic in (*RAW_INPUTS, PRODUCT_IDENTIFY, retry_topic(GROUP))]


def read_until(conn: Connection) -> dict[LogPartition, int]:
    """How far the service has read what facts come from."""
    rows = conn.execute("SELECT topic, partition, next_offset FROM offsets WHERE topic = ANY(%s)", (_READ,))
    return {LogPartition(topic, partition): at for topic, partition, at in rows}


def read_again(
    broker: Broker, until: Mapping[LogPartition, int], workspace_id: str, progressed: Callable[[int], None]
) -> Iterator[State]:
    """The ledgers' states of a workspace, in the order of subjects, by the records before these offsets.

    `progressed` is told how many more records were read. What the service put aside is left out. Raises PassingFault.
    """
    core, kept = MrrCore(), dict[str, bytes]()
    for batch in read_bulk(broker, start=dict.fromkeys(until, 0), until=until):
        changed: dict[str, State] = {}
        for subject, fact in _facts(batch):
            if fact.workspace_id == workspace_id:
                state = changed.get(subject) or _kept(kept, subject, workspace_id)
                changed[subject] = core.merge(state, fact)
        kept.update((subject, encode_state(state)) for subject, state in changed.items())
        progressed(len(batch))
    for subject in sorted(kept):
        yield _kept(kept, subject, workspace_id)


def _kept(kept: Mapping[str, bytes], subject: str, workspace_id: str) -> State:
    known = kept.get(subject)
    return State(subject, workspace_id) if known is None else decode_state(subject, workspace_id, known)


def _facts(records: Sequence[Record]) -> Iterator[tuple[str, Fact | UserFact]]:
    for record in records:
        if record.value is None:
            continue
        try:
            source = source_of(record) if record.topic == retry_topic(GROUP).name else record
            fact = decode_user(source) if source.topic == PRODUCT_IDENTIFY.name else decode(source)
            subject = source.subject
        except DECODE_FAULTS:
            continue  # the service put it aside, with the reason
        if fact is not None:
            yield subject, fact
