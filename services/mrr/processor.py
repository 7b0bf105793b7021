"""mrr as the pipeline runs it: how a record is read, and what it is put together of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from pipeline.decided import DecidedProcessor
from pipeline.decisions import decode_decision, lock_workspaces
from pipeline.errors import BadRecord
from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from pipeline.subjects import SubjectProcessor
from schemas.catalogue import (
    CONTROL_DECISION,
    IDENTITY_MATCH,
    PRODUCT_IDENTIFY,
    STRIPE_CUSTOMER_RAW,
    STRIPE_INVOICE_RAW,
    STRIPE_SUBSCRIPTION_RAW,
)
from schemas.envelope import RawAttributes
from schemas.errors import EnvelopeError
from schemas.events.control import Decision
from schemas.events.identity import IdentityMatch
from schemas.events.product import ProductMessage
from schemas.faults import faults_of
from schemas.stripe.parsing import parse_object
from services.mrr.core import MrrCore, State, microseconds
from services.mrr.errors import MrrError
from services.mrr.facts import Fact, UserFact, read_terms
from services.mrr.governance import MrrGovernance
from services.mrr.in_force import InForce
from services.mrr.matches import decode_match, keep_firsts, keep_matches, load_persons
from services.mrr.persons import Persons
from services.mrr.plans import Named, plan_names, save_plans
from services.mrr.policy import DEFAULT, Policy
from services.mrr.reading import read_mrr
from services.mrr.store import MrrStore
from services.mrr.terms import Said
from services.mrr.timeline import Seen

GROUP = "mrr"
RAW_INPUTS = (STRIPE_SUBSCRIPTION_RAW, STRIPE_CUSTOMER_RAW, STRIPE_INVOICE_RAW)
INPUTS = (*RAW_INPUTS, PRODUCT_IDENTIFY, CONTROL_DECISION, IDENTITY_MATCH)
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
        terms, plans = read_terms(record.topic, obj), plan_names(record.topic, obj)
    except (EnvelopeError, ValueError, OverflowError) as error:
        raise BadRecord(f"the record of {envelope.object_id} cannot be valued: {error}") from error
    return Fact(envelope.workspace_id, envelope.connection_id or "", obj["id"], seen, terms, plans)


def decode_user(record: Record) -> UserFact | None:
    """What a message says of a user's MRR; None where it says nothing of it. Raises BadRecord."""
    workspace_id = record.envelope.workspace_id
    try:
        message = ProductMessage.model_validate_json(record.value or b"")
        told = read_mrr(message)
    except ValidationError as error:
        raise BadRecord(f"it is no message about a user: {faults_of(error)}") from error
    except MrrError as error:
        raise BadRecord(str(error)) from error
    if told is None or message.user_id is None:
        return None
    at, taken_in = microseconds(message.timestamp), microseconds(record.observed_at)
    said = Said(at, message.message_id, *told, observed=max(at, taken_in), offset=record.offset)
    return UserFact(workspace_id, message.user_id, said)


Told = Fact | UserFact | Decision | IdentityMatch | None


@dataclass(frozen=True)
class MrrProcessor:
    """Facts and decisions make the ledger; whose number stands goes by who is whom."""

    subjects: SubjectProcessor[State, Fact | UserFact, InForce]
    governance: MrrGovernance
    group = GROUP
    inputs = INPUTS

    def decode(self, record: Record) -> Told:
        """What one record says; raises BadRecord."""
        if record.topic == IDENTITY_MATCH.name:
            return decode_match(record)
        if record.topic == PRODUCT_IDENTIFY.name:
            return decode_user(record)
        return decode_decision(record) if record.topic == CONTROL_DECISION.name else decode(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[Told]]) -> None:
        """Matches into their image, and whom they are about is woken; everything else as decisions and facts go."""
        matches: list[Arrived[IdentityMatch]] = []
        told: list[Arrived[Fact | UserFact | Decision]] = []
        users: list[Arrived[UserFact]] = []
        names: list[Named] = []
        for arrived in facts:
            match arrived.fact:
                case IdentityMatch() as found:
                    matches.append(Arrived(arrived.record, found))
                case UserFact() as said:
                    users.append(Arrived(arrived.record, said))
                    told.append(Arrived(arrived.record, said))
                case Fact() as seen:
                    names += named_by(seen)
                    told.append(Arrived(arrived.record, seen))
                case Decision() as decided:
                    told.append(Arrived(arrived.record, decided))
                case None:
                    continue
        save_plans(tx.conn, names, partition=tx.partition)
        if matches:
            keep_matches(tx, matches)
        if told:
            whom = {one.record.subject: one.fact.workspace_id for one in told if not isinstance(one.fact, Decision)}
            persons = self._persons(tx, whom)
            keep_firsts(tx, users, persons)
            self._among(persons).apply(tx, told)

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's customer or user at its `due_at`."""
        whom = self.governance.workspaces_of(tx.conn, {timer.subject for timer in timers})
        self._among(self._persons(tx, whom)).fire(tx, timers)

    def _persons(self, tx: Tx, whom: Mapping[str, str]) -> Persons:
        if not whom:
            return Persons()
        lock_workspaces(tx.conn, whom.values(), alone=False)
        return load_persons(tx, whom)

    def _among(self, persons: Persons) -> DecidedProcessor[State, Fact | UserFact, InForce]:
        return DecidedProcessor(self.subjects, replace(self.governance, persons=persons))


def named_by(fact: Fact) -> Iterator[Named]:
    """The names of prices that an observation shows."""
    for price, name, from_invoice in fact.plans:
        yield Named(fact.connection_id, price, fact.workspace_id, name, from_invoice, fact.seen.version)


def mrr(policy: Policy = DEFAULT) -> MrrProcessor:
    """mrr's processor; `policy` counts where a workspace has set none."""
    subjects = SubjectProcessor[State, Fact | UserFact, InForce](
        group=GROUP,
        inputs=(*RAW_INPUTS, PRODUCT_IDENTIFY),
        core=MrrCore(),
        store=MrrStore(),
        decoder=decode,
        policy_of=lambda _: InForce(policy),
    )
    return MrrProcessor(subjects, MrrGovernance(policy))
