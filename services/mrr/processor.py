"""mrr as the pipeline runs it: how a record is read, and what it is put together of."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.decided import DecidedProcessor
from pipeline.errors import BadRecord
from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from pipeline.subjects import SubjectProcessor
from schemas.catalogue import (
    CONTROL_DECISION,
    IDENTITY_MATCH,
    STRIPE_CUSTOMER_RAW,
    STRIPE_INVOICE_RAW,
    STRIPE_SUBSCRIPTION_RAW,
)
from schemas.envelope import RawAttributes
from schemas.errors import EnvelopeError
from schemas.events.control import Decision
from schemas.events.identity import IdentityMatch
from schemas.stripe.parsing import parse_object
from services.mrr.core import MrrCore, State, microseconds
from services.mrr.facts import Fact, read_terms
from services.mrr.governance import MrrGovernance
from services.mrr.in_force import InForce
from services.mrr.matches import decode_match, save_matches
from services.mrr.policy import DEFAULT, Policy
from services.mrr.store import MrrStore
from services.mrr.timeline import Seen

GROUP = "mrr"
RAW_INPUTS = (STRIPE_SUBSCRIPTION_RAW, STRIPE_CUSTOMER_RAW, STRIPE_INVOICE_RAW)
INPUTS = (*RAW_INPUTS, CONTROL_DECISION, IDENTITY_MATCH)
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


@dataclass(frozen=True)
class MrrProcessor:
    """Facts and decisions make the ledger; matches are kept beside it."""

    decided: DecidedProcessor[State, Fact, InForce]
    group = GROUP
    inputs = INPUTS

    def decode(self, record: Record) -> Fact | Decision | IdentityMatch:
        """What one record says; raises BadRecord."""
        return decode_match(record) if record.topic == IDENTITY_MATCH.name else self.decided.decode(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[Fact | Decision | IdentityMatch]]) -> None:
        """Matches into their image; everything else as decisions and facts go."""
        matches: list[Arrived[IdentityMatch]] = []
        told: list[Arrived[Fact | Decision]] = []
        for arrived in facts:
            if isinstance(arrived.fact, IdentityMatch):
                matches.append(Arrived(arrived.record, arrived.fact))
            else:
                told.append(Arrived(arrived.record, arrived.fact))
        if matches:
            save_matches(tx.conn, matches)
        if told:
            self.decided.apply(tx, told)

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's customer at its `due_at`."""
        self.decided.fire(tx, timers)


def mrr(policy: Policy = DEFAULT) -> MrrProcessor:
    """mrr's processor, under one policy for everybody."""
    subjects = SubjectProcessor(
        group=GROUP,
        inputs=RAW_INPUTS,
        core=MrrCore(),
        store=MrrStore(),
        decoder=decode,
        policy_of=lambda _: InForce(policy),
    )
    return MrrProcessor(DecidedProcessor(subjects, MrrGovernance(policy)))
