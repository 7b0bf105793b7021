"""mrr as the pipeline runs it: how a raw record is read, and what it is put together of."""

from pipeline.errors import BadRecord
from pipeline.records import Record
from pipeline.subjects import SubjectProcessor
from schemas.catalogue import STRIPE_CUSTOMER_RAW, STRIPE_INVOICE_RAW, STRIPE_SUBSCRIPTION_RAW
from schemas.envelope import RawAttributes
from schemas.errors import EnvelopeError
from schemas.stripe.parsing import parse_object
from services.mrr.core import MrrCore, State, microseconds
from services.mrr.facts import Fact, read_terms
from services.mrr.policy import DEFAULT, Policy
from services.mrr.store import MrrStore
from services.mrr.timeline import Seen

GROUP = "mrr"
INPUTS = (STRIPE_SUBSCRIPTION_RAW, STRIPE_CUSTOMER_RAW, STRIPE_INVOICE_RAW)
_MAX_VERSION = 2**63 - 1


def decode(record: Record) -> Fact:
    """The fact in a raw record; raises BadRecord saying what is wrong with it."""
    envelope = record.envelope
    try:
        raw = RawAttributes.of(envelope)
        if raw.version > _MAX_VERSION:
            raise BadRecord(f"ce_objectversion {raw.version} is larger than a version can be")
        obj = parse_object(record.value or b"")
        seen = Seen(
            observed=microseconds(raw.observed_at),
            version=raw.version,
            offset=record.offset,
            id=envelope.id,
            backfilled=raw.change == "backfilled",
        )
        terms = read_terms(record.topic, obj)
    except (EnvelopeError, ValueError, OverflowError) as error:
        raise BadRecord(f"the record of {envelope.object_id} cannot be valued: {error}") from error
    return Fact(envelope.workspace_id, envelope.connection_id or "", obj["id"], seen, terms)


def mrr(policy: Policy = DEFAULT) -> SubjectProcessor[State, Fact, Policy]:
    """mrr's processor, under one policy for everybody."""
    return SubjectProcessor(
        group=GROUP, inputs=INPUTS, core=MrrCore(), store=MrrStore(), decoder=decode, policy_of=lambda _: policy
    )
