"""The core as the pipeline runs it: records are decoded, outcomes become messages and rows.

Who is whom is decided beside it, from the customers' records and from what the product says of its users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from pipeline.decided import DecidedProcessor
from pipeline.errors import BadRecord
from pipeline.processor import Message, Timer, Tx
from pipeline.rebuild.swap import RULE as AFTER_REBUILD
from pipeline.records import Arrived, Record
from pipeline.subjects import Effects, SubjectProcessor
from schemas.catalogue import CHURN_SIGNAL, CONTROL_DECISION, PRODUCT_IDENTIFY, PRODUCT_TRACK, RAW_TOPICS
from schemas.envelope import RawAttributes
from schemas.errors import EnvelopeError, InvalidDecision
from schemas.events.control import Decision
from schemas.events.product import ProductMessage
from schemas.faults import faults_of
from schemas.stripe import objects
from schemas.stripe.parsing import parse_object
from schemas.subjects import kept_key
from services.detector import core
from services.detector.core import SubjectState
from services.detector.facts import TOPIC_OF, Kind, Observed, Seen
from services.detector.governance import DetectorGovernance
from services.detector.identity import HandSaid, Said, UserSaid
from services.detector.identity_store import apply_said, redecide
from services.detector.in_force import InForce
from services.detector.messages import SignalRow, event_id, event_of, row_of
from services.detector.readers import read
from services.detector.saying import customer_said, hand_said, user_said
from services.detector.store import SignalStore

GROUP = "detector"
KIND_OF: dict[str, Kind] = {topic: kind for kind, topic in TOPIC_OF.items()}
RAW_INPUTS = tuple(RAW_TOPICS[kind] for kind in TOPIC_OF)
PRODUCT_INPUTS = (PRODUCT_IDENTIFY, PRODUCT_TRACK)
INPUTS = (*RAW_INPUTS, CONTROL_DECISION, *PRODUCT_INPUTS)
MATCH = "identity.match"
_PRODUCT_TOPICS = frozenset(topic.name for topic in PRODUCT_INPUTS)
Decoded = Observed | Decision | UserSaid | HandSaid | None
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
    workspace_id, connection_id = envelope.workspace_id, envelope.connection_id or ""
    said = None
    if kind == "customer":
        said = customer_said(
            obj,
            workspace_id=workspace_id,
            connection_id=connection_id,
            livemode=raw.livemode,
            version=raw.version,
            at=observed_at,
        )
    return Observed(
        workspace_id=workspace_id,
        connection_id=connection_id,
        customer_id=objects.customer_id(obj),
        livemode=raw.livemode,
        observed_at=observed_at,
        fact=fact,
        said=said,
    )


def decode_user(record: Record) -> UserSaid | None:
    """What a message says of a user; None of somebody who is not known yet. Raises BadRecord."""
    try:
        message = ProductMessage.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise BadRecord(f"it is no message about a user: {faults_of(error)}") from error
    return user_said(message, record.envelope.workspace_id)


def _by_hand(decision: Decision) -> HandSaid:
    try:
        return hand_said(decision)
    except InvalidDecision as error:
        raise BadRecord(str(error)) from error


class DetectorCore:
    """The pipeline's Core over the pure one."""

    def empty(self, subject: str) -> SubjectState:
        return core.empty(subject)

    def merge(self, state: SubjectState, fact: Observed) -> SubjectState:
        return core.merge(state, fact)

    def decide(self, state: SubjectState, policy: InForce, now: datetime) -> Effects[SubjectState]:
        instant = int(now.timestamp())
        outcome = core.decide(state, policy.policy(state.facts, instant), instant)
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


@dataclass(frozen=True)
class DetectorProcessor:
    """Who is whom first, since its locks come first; then signals, by decisions and facts."""

    decided: DecidedProcessor[SubjectState, Observed, InForce]
    group = GROUP
    inputs = INPUTS

    def decode(self, record: Record) -> Decoded:
        """What one record says; raises BadRecord."""
        if record.topic in _PRODUCT_TOPICS:
            return decode_user(record)
        decoded = self.decided.decode(record)
        return _by_hand(decoded) if isinstance(decoded, Decision) and decoded.kind == MATCH else decoded

    def apply(self, tx: Tx, facts: Sequence[Arrived[Decoded]]) -> None:
        """What was said of customers and users; then decisions into their image, and facts to their subjects."""
        said: list[Arrived[Said]] = []
        told: list[Arrived[Observed | Decision]] = []
        for arrived in facts:
            match arrived.fact:
                case UserSaid() | HandSaid() as who:
                    said.append(Arrived(arrived.record, who))
                case Observed(said=customer) as observed:
                    told.append(Arrived(arrived.record, observed))
                    if customer is not None:
                        said.append(Arrived(arrived.record, customer))
                case Decision() as decision:
                    told.append(Arrived(arrived.record, decision))
                case None:
                    continue
        if said:
            apply_said(tx, said)
        if told:
            self.decided.apply(tx, told)

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's subject at its `due_at`; after a rebuild who is whom of it too."""
        rebuilt = [timer for timer in timers if timer.rule == AFTER_REBUILD]
        if rebuilt:
            redecide(tx, {timer.subject for timer in rebuilt}, max(timer.due_at for timer in rebuilt))
        self.decided.fire(tx, timers)


def detector() -> DetectorProcessor:
    """The detector's processor."""
    subjects = SubjectProcessor(
        group=GROUP,
        inputs=RAW_INPUTS,
        core=DetectorCore(),
        store=SignalStore(),
        decoder=decode,
        policy_of=lambda _: InForce(),
    )
    return DetectorProcessor(DecidedProcessor(subjects, DetectorGovernance()))


__all__ = ["GROUP", "INPUTS", "RAW_INPUTS", "DetectorCore", "SignalRow", "decode", "decode_user", "detector"]
