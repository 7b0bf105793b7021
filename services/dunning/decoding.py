"""From a record to what it says: an observed fact, or a decision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from pipeline.errors import BadRecord
from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION, DUNNING_EVENT, RAW_TOPICS, STRIPE_REFRESH_RESULT
from schemas.envelope import Envelope, RawAttributes
from schemas.errors import EnvelopeError
from schemas.events.base import Event
from schemas.events.control import Decision
from schemas.events.dunning import DunningEvent
from schemas.events.stripe import RefreshResult
from schemas.faults import faults_of
from schemas.stripe import objects
from schemas.stripe.parsing import parse_object
from services.dunning.decisions import Ruling, ruling_of
from services.dunning.facts import Mail, MailState, Observed, Refresh, Seen
from services.dunning.readers import Kind, read

KIND_OF: dict[str, Kind] = {
    RAW_TOPICS["customer"].name: "customer",
    RAW_TOPICS["subscription"].name: "subscription",
    RAW_TOPICS["invoice"].name: "invoice",
    RAW_TOPICS["charge"].name: "charge",
    RAW_TOPICS["payment_intent"].name: "payment_intent",
    RAW_TOPICS["dispute"].name: "dispute",
}
_MAILS: dict[str, MailState] = {
    "email_due": "due",
    "email_sent": "sent",
    "email_captured": "captured",
    "email_failed": "failed",
    "email_unknown": "unknown",
}
_MAX_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as a record brought it; `ruling` is None where it does not concern dunning."""

    workspace_id: str
    ruling: Ruling | None


@dataclass(frozen=True, slots=True)
class Told:
    """An event of dunning's own as it was read back."""

    event: DunningEvent
    observed: Observed


Decoded = Observed | Decided | Told


def decode(record: Record) -> Decoded:
    """What one record says; raises BadRecord saying what is wrong with it."""
    if record.topic in KIND_OF:
        return _raw(record, KIND_OF[record.topic])
    reader = _READERS.get(record.topic)
    if reader is None:
        raise BadRecord(f"{record.topic} is no topic that dunning reads")
    return reader(record)


def _raw(record: Record, kind: Kind) -> Observed:
    envelope = record.envelope
    try:
        raw = RawAttributes.of(envelope)
        if raw.version > _MAX_VERSION:
            raise BadRecord(f"ce_objectversion {raw.version} is larger than a version can be")
        obj = parse_object(record.value or b"")
        fact = read(kind, obj, _seen(record, envelope, raw))
    except (EnvelopeError, ValueError, OverflowError) as error:
        raise BadRecord(f"the {kind} cannot be read: {error}") from error
    return Observed(
        workspace_id=envelope.workspace_id,
        connection_id=envelope.connection_id,
        customer_id=objects.customer_id(obj),
        user_id=None,
        livemode=raw.livemode,
        fact=fact,
    )


def _seen(record: Record, envelope: Envelope, raw: RawAttributes) -> Seen:
    return Seen(
        version=raw.version,
        at=raw.observed_at,
        id=envelope.id,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        backfilled=raw.change == "backfilled",
    )


def _refresh(record: Record) -> Observed:
    result = _value(record, RefreshResult)
    return Observed(
        workspace_id=record.envelope.workspace_id,
        connection_id=result.connection_id,
        customer_id=result.customer_id,
        user_id=None,
        livemode=None,
        fact=Refresh(
            request_id=result.request_id,
            read_at=result.read_at,
            outcome=result.outcome,
            reason=result.reason,
            versions=dict(result.versions),
        ),
    )


def _event(record: Record) -> Told:
    event = _value(record, DunningEvent)
    state = _MAILS.get(event.kind)
    if state is not None and event.step is None:
        raise BadRecord(f"the event {event.kind} names no step")
    mail = Mail(
        episode_id=event.episode_id,
        step=event.step or 0,
        attempt=str(event.detail.get("attempt") or ""),
        state=state or "due",
        at=event.at,
        recipient=str(event.detail["to"]) if event.detail.get("to") else None,
    )
    observed = Observed(
        workspace_id=event.workspace_id,
        connection_id=event.connection_id,
        customer_id=event.customer_id,
        user_id=event.user_id,
        livemode=None,
        fact=mail if state else None,
    )
    return Told(event, observed)


def _decision(record: Record) -> Decided:
    decision = _value(record, Decision)
    try:
        return Decided(decision.workspace_id, ruling_of(decision))
    except ValueError as error:
        raise BadRecord(str(error)) from error


V = TypeVar("V", bound=Event)


def _value(record: Record, model: type[V]) -> V:
    try:
        return model.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise BadRecord(f"it is no {model.__name__}: {faults_of(error)}") from error


_READERS: dict[str, Callable[[Record], Decoded]] = {
    STRIPE_REFRESH_RESULT.name: _refresh,
    DUNNING_EVENT.name: _event,
    CONTROL_DECISION.name: _decision,
}
