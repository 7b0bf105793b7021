"""Building blocks: Stripe's objects as raw records, decisions, and a stage on which one customer's story is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.records import Record
from schemas.catalogue import CONTROL_DECISION, DUNNING_EVENT, RAW_TOPICS, STRIPE_REFRESH_RESULT, Topic
from schemas.envelope import Change, Envelope, RawAttributes
from schemas.events.control import Decision
from schemas.events.stripe import RefreshResult
from schemas.partition import partition_of
from schemas.subjects import kept_key, stripe_subject
from services.dunning import core
from services.dunning.core import SubjectState
from services.dunning.decisions import Image
from services.dunning.decoding import Decided, decode
from services.dunning.episode import Episode, episodes_of
from services.dunning.facts import Facts, Mail, MailState, Observed
from services.dunning.facts import merge as merge_facts
from services.dunning.letter import Letter, letter_of

WORKSPACE = "ws_1"
CONNECTION = "con_1"
CUSTOMER = "cus_1"
SUBJECT = stripe_subject(CONNECTION, CUSTOMER)
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""A Monday, within the sending hours of UTC."""
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def invoice(
    name: str = "in_1",
    *,
    failed_at: datetime = START,
    status: str = "open",
    amount: int = 4900,
    remaining: int | None = None,
    currency: str = "usd",
    subscription: str | None = "sub_1",
    attempted: bool = True,
    closed_at: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An invoice of basil: by default one that failed its first attempt at `failed_at`."""
    left = (0 if status == "paid" else amount) if remaining is None else remaining
    stamp = {"paid": "paid_at", "void": "voided_at", "uncollectible": "marked_uncollectible_at"}.get(status)
    transitions = {"finalized_at": seconds(failed_at)} | ({stamp: seconds(closed_at)} if stamp else {})
    return {
        "id": name,
        "object": "invoice",
        "customer": CUSTOMER,
        "customer_email": "ada@example.com",
        "status": status,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "attempted": attempted,
        "attempt_count": 1 if attempted else 0,
        "amount_due": amount,
        "amount_paid": amount - left,
        "amount_remaining": left,
        "currency": currency,
        "number": f"ACME-{name[3:]}",
        "created": seconds(failed_at - HOUR),
        "due_date": None,
        "next_payment_attempt": seconds(failed_at + 3 * DAY),
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{name}",
        "status_transitions": transitions,
        "parent": {"subscription_details": {"subscription": subscription}} if subscription else None,
        "payments": {"data": [{"is_default": True, "payment": {"payment_intent": f"pi_{name}"}}]},
        **more,
    }


def subscription(name: str = "sub_1", *, status: str = "past_due", **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "subscription", "customer": CUSTOMER, "status": status, **more}


def customer(*, email: str | None = "ada@example.com", **more: Any) -> dict[str, Any]:
    return {"id": CUSTOMER, "object": "customer", "email": email, "name": "Ada Lovelace", **more}


def charge(
    name: str = "ch_1",
    *,
    of: str = "in_1",
    at: datetime = START,
    status: str = "failed",
    reason: str | None = "insufficient_funds",
    **more: Any,
) -> dict[str, Any]:
    return {
        "id": name,
        "object": "charge",
        "customer": CUSTOMER,
        "payment_intent": f"pi_{of}",
        "status": status,
        "created": seconds(at),
        "outcome": {"reason": reason} if reason else None,
        "failure_code": "card_declined" if status == "failed" else None,
        **more,
    }


def intent(*, of: str = "in_1", status: str, **more: Any) -> dict[str, Any]:
    return {"id": f"pi_{of}", "object": "payment_intent", "customer": CUSTOMER, "status": status, **more}


def dispute(*, status: str = "needs_response") -> dict[str, Any]:
    return {"id": "dp_1", "object": "dispute", "charge": "ch_1", "status": status}


def raw(
    obj: Mapping[str, Any],
    *,
    at: datetime,
    version: int,
    change: Change = "updated",
    offset: int = 0,
    subject: str = SUBJECT,
    livemode: bool = True,
) -> Record:
    """One of Stripe's objects as the poller publishes it."""
    topic = RAW_TOPICS[str(obj["object"])]
    attributes = RawAttributes(
        change=change, account="acct_1", livemode=livemode, observed_at=at, expanded=frozenset(), version=version
    )
    return _record(
        topic,
        subject,
        identifier=f"raw-{obj['id']}-{version}",
        key=kept_key(subject, str(obj["id"]), version),
        value=json.dumps(obj).encode(),
        at=at,
        offset=offset,
        extra=attributes.extra(),
        connection_id=subject.partition("/")[0],
    )


def decision(
    kind: str, detail: Mapping[str, Any] | None = None, *, at: datetime, name: str = "", connection: str | None = None
) -> Record:
    """A decision as the console publishes it."""
    decided = Decision(
        decision_id=name or f"dec-{kind}-{at.isoformat()}",
        workspace_id=WORKSPACE,
        connection_id=connection,
        kind=kind,
        detail=dict(detail or {}),
        decided_by="mem_1",
        decided_at=at,
        effective_at=at,
    )
    return _record(
        CONTROL_DECISION,
        WORKSPACE,
        identifier=decided.decision_id,
        key=kept_key(WORKSPACE, decided.decision_id, 1),
        value=decided.encode(),
        at=at,
        connection_id=connection,
    )


def refresh_result(
    request_id: str, *, read_at: datetime, outcome: str = "unchanged", versions: Mapping[str, int] | None = None
) -> Record:
    """An answer to a request for a fresh read."""
    result = RefreshResult.model_validate(
        {
            "request_id": request_id,
            "connection_id": CONNECTION,
            "customer_id": CUSTOMER,
            "read_at": read_at,
            "outcome": outcome,
            "versions": dict(versions or {}),
        }
    )
    return _record(
        STRIPE_REFRESH_RESULT, SUBJECT, identifier=f"rr-{request_id}", key=SUBJECT, value=result.encode(), at=START
    )


def _record(
    topic: Topic,
    subject: str,
    *,
    identifier: str,
    key: str,
    value: bytes,
    at: datetime,
    offset: int = 0,
    extra: Mapping[str, str] | None = None,
    connection_id: str | None = CONNECTION,
) -> Record:
    envelope = Envelope(
        id=identifier,
        source="test",
        type=topic.name,
        time=at,
        subject=subject,
        workspace_id=WORKSPACE,
        connection_id=connection_id,
        extra=dict(extra or {}),
    )
    return Record(
        topic=topic.name,
        partition=partition_of(subject, topic.partitions),
        offset=offset,
        key=key.encode(),
        value=value,
        headers=envelope.headers(),
        timestamp_ms=int(START.timestamp() * 1000),
    )


EVENTS = DUNNING_EVENT.name
SENDER = {"address": "billing@acme.example", "name": "Acme", "reply_to": "help@acme.example", "passed": True}


@dataclass
class Stage:
    """One customer's story: what is said is merged at once; what follows is asked for at an instant."""

    facts: Facts = field(default_factory=Facts)
    records: list[Record] = field(default_factory=list)
    image: Image = field(default_factory=Image)
    livemode: bool = True
    _version: int = 0

    @classmethod
    def armed(cls, *, livemode: bool = True) -> "Stage":
        """A workspace that sends, and a customer with a subscription, long before anything fails."""
        stage = cls(livemode=livemode)
        stage.decide("workspace.settings", {"name": "Acme Analytics", "timezone": "UTC"}, at=START - 30 * DAY)
        stage.decide("dunning.sender", SENDER, at=START - 30 * DAY)
        stage.decide("dunning.sending", {"mode": "on"}, at=START - 30 * DAY)
        stage.see(customer(), at=START - 20 * DAY)
        stage.see(subscription(), at=START - 20 * DAY)
        return stage

    def see(self, obj: Mapping[str, Any], *, at: datetime, change: Change = "updated") -> None:
        """The poller saw an object."""
        self._version += 1
        record = raw(obj, at=at, version=self._version, change=change, offset=self._version, livemode=self.livemode)
        self.records.append(record)
        observed = decode(record)
        assert isinstance(observed, Observed)
        self.facts = merge_facts(self.facts, observed)

    def fail(self, name: str = "in_1", *, at: datetime = START, change: Change = "updated", **more: Any) -> None:
        """An invoice failed, and was seen to five minutes later."""
        self.see(invoice(name, failed_at=at, **more), at=at + timedelta(minutes=5), change=change)

    def pay(self, name: str = "in_1", *, at: datetime, **more: Any) -> None:
        """An invoice was paid."""
        self.see(invoice(name, status="paid", closed_at=at, **more), at=at + timedelta(minutes=5))

    def decide(
        self, kind: str, detail: Mapping[str, Any] | None = None, *, at: datetime, name: str = "", about: bool = False
    ) -> None:
        """A person decided; `about` this customer."""
        detail = {**({"customer_id": CUSTOMER} if about else {}), **(detail or {})}
        connection = CONNECTION if about or kind.startswith("connection.") else None
        record = decision(kind, detail, at=at, name=name, connection=connection)
        self.records.append(record)
        decided = decode(record)
        assert isinstance(decided, Decided)
        assert decided.ruling is not None
        self.image = Image.of([*self.image.rulings, decided.ruling])

    def mailed(
        self,
        step: int,
        *,
        at: datetime,
        state: MailState = "sent",
        episode: Episode | None = None,
        to: str = "ada@example.com",
        attempt: str = "",
    ) -> None:
        """The log tells that an email of the episode came to a state."""
        name = (episode or self.one(at)).id
        mail = Mail(episode_id=name, step=step, attempt=attempt, state=state, at=at, recipient=to)
        observed = Observed(WORKSPACE, CONNECTION, CUSTOMER, None, None, mail)
        self.facts = merge_facts(self.facts, observed)

    def episodes(self, now: datetime) -> tuple[Episode, ...]:
        return episodes_of(SUBJECT, self.facts, self.image, now)

    def one(self, now: datetime) -> Episode:
        """The only episode there is."""
        (episode,) = self.episodes(now)
        return episode

    def letter(self, episode: Episode, now: datetime = START + HOUR) -> Letter:
        """The email that an episode asks for."""
        found = letter_of(self.facts, self.image, episode, now)
        assert found is not None
        return found

    def state(self) -> SubjectState:
        return SubjectState(subject=SUBJECT, facts=self.facts)

    def outcome(self, now: datetime) -> core.Outcome:
        return core.decide(self.state(), self.image, now)
