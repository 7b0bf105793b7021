"""The core as the pipeline runs it: records are decoded, outcomes become messages and rows."""

from collections.abc import Callable
from datetime import UTC, datetime

from pipeline.errors import BadRecord
from pipeline.processor import Message
from pipeline.records import Record
from pipeline.subjects import Effects, SubjectProcessor
from schemas.catalogue import CHURN_SIGNAL, RAW_TOPICS
from schemas.envelope import RawAttributes
from schemas.errors import EnvelopeError
from schemas.stripe import objects
from schemas.stripe.parsing import parse_object
from schemas.subjects import kept_key
from services.detector import core
from services.detector.core import SubjectState
from services.detector.facts import TOPIC_OF, Kind, Observed, Seen
from services.detector.messages import SignalRow, event_id, event_of, row_of
from services.detector.readers import read
from services.detector.rules.base import Policy
from services.detector.store import SignalStore

GROUP = "detector"
KIND_OF: dict[str, Kind] = {topic: kind for kind, topic in TOPIC_OF.items()}
INPUTS = tuple(RAW_TOPICS[kind] for kind in TOPIC_OF)
_MAX_VERSION = 2**63 - 1


def decode(record: Record) -> Observed:
    """The fact in a raw record; raises BadRecord saying what is wrong with it."""
    kind = KIND_OF.get(record.topic)
    if kind is None:
        raise BadRecord(f"{record.topic} is no topic that {GROUP} reads")
    envelope = record.envelope
    try:
        raw = RawAttributes.of(envelope)
        if raw.version > _MAX_VERSION:
            raise BadRecord(f"ce_objectversion {raw.version} is larger than a version can be")
        obj = parse_object(record.value or b"")
        observed_at = round(raw.observed_at.timestamp() * 1_000_000)
        seen = Seen(raw.version, observed_at, envelope.id, record.partition, record.offset)
        fact = read(kind, obj, seen)
    except (EnvelopeError, ValueError, OverflowError) as error:
        raise BadRecord(f"the {kind} cannot be read: {error}") from error
    return Observed(
        workspace_id=envelope.workspace_id,
        connection_id=envelope.connection_id or "",
        customer_id=objects.customer_id(obj),
        livemode=raw.livemode,
        observed_at=observed_at,
        fact=fact,
    )


class DetectorCore:
    """The pipeline's Core over the pure one."""

    def empty(self, subject: str) -> SubjectState:
        return core.empty(subject)

    def merge(self, state: SubjectState, fact: Observed) -> SubjectState:
        return core.merge(state, fact)

    def decide(self, state: SubjectState, policy: Policy, now: datetime) -> Effects[SubjectState]:
        outcome = core.decide(state, policy, int(now.timestamp()))
        subject, facts = state.subject, state.facts
        return Effects(
            state=outcome.state,
            messages=tuple(_message(outcome.state, publication, now) for publication in outcome.publications),
            rows=tuple(row_of(subject, facts, publication) for publication in outcome.publications),
            timers={rule: datetime.fromtimestamp(due_at, UTC) for rule, due_at in outcome.timers.items()},
        )


def _message(state: SubjectState, publication: core.Publication, now: datetime) -> Message:
    signal = publication.signal
    event = event_of(state.facts, publication)
    return Message(
        topic=CHURN_SIGNAL,
        subject=state.subject,
        key=kept_key(state.subject, signal.signal_id, signal.revision),
        id=event_id(state.subject, publication),
        workspace_id=event.workspace_id,
        value=event.encode(),
        time=now,
        connection_id=event.connection_id,
        object_id=signal.signal_id,
    )


def detector(policy_of: Callable[[str], Policy] | None = None) -> SubjectProcessor[SubjectState, Observed, Policy]:
    """The detector's processor. `policy_of` gives the policy in force for a subject; by default the usual one."""
    usual = Policy()
    return SubjectProcessor(
        group=GROUP,
        inputs=INPUTS,
        core=DetectorCore(),
        store=SignalStore(),
        decoder=decode,
        policy_of=policy_of or (lambda _: usual),
    )


__all__ = ["GROUP", "INPUTS", "DetectorCore", "SignalRow", "decode", "detector"]
