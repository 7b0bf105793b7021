"""Every topic of DropFix, in one place: what it is about, its key, its value, its partitions, how long it is kept.

Topics are created from here and nowhere else; a broker never creates one by itself. The number of partitions of a
data topic is fixed: a subject's place depends on it, so more partitions are a new version and a rebuild.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel

from schemas.errors import UnknownTopic
from schemas.events.control import Decision
from schemas.events.dunning import DunningEvent
from schemas.events.identity import IdentityMatch
from schemas.events.movement import MrrMovement
from schemas.events.product import ProductMessage
from schemas.events.signal import ChurnSignal
from schemas.events.stripe import ApiCall, RefreshRequest, RefreshResult

DATA_PARTITIONS = 8
MAX_RECORD_BYTES = 4 * 1024 * 1024
"""The largest record: an object of Stripe's with long lists and metadata is far below."""

SubjectKind = Literal["customer", "connection", "user", "workspace", "subject", "source"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic's contract.

    `model` is None where the value is somebody else's: Stripe's object byte for byte, or a dead letter's original
    bytes. `retention` None means kept for ever: the topic is compacted, every key is unique, and compaction stays
    dormant until an erasure needs it.
    """

    name: str
    about: str
    subject: SubjectKind
    key: str
    model: type[BaseModel] | None
    stripe_object: str | None = None
    partitions: int = DATA_PARTITIONS
    retention: timedelta | None = None

    @property
    def kept_for_ever(self) -> bool:
        return self.retention is None

    def full_name(self, prefix: str = "") -> str:
        """The name on the broker, under the deployment's prefix."""
        return f"{prefix}{self.name}"

    def config(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        if self.retention is not None:
            kept_ms = int(self.retention.total_seconds() * 1000)
            return {
                "cleanup.policy": "delete",
                "retention.ms": str(kept_ms),
                "max.message.bytes": str(MAX_RECORD_BYTES),
            }
        return {
            "max.message.bytes": str(MAX_RECORD_BYTES),
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "1.0",
            "segment.bytes": "16777216",
            "file.delete.delay.ms": "1000",
            "delete.retention.ms": str(30 * 24 * 3600 * 1000),
        }


UNIQUE_KEY = "subject#object@version"
SUBJECT_KEY = "subject"
SOURCE_KEY = "topic/partition/offset"


def _raw(kind: str, about: str) -> Topic:
    return Topic(
        name=f"stripe.{kind}.raw.v1",
        about=about,
        subject="customer",
        key=UNIQUE_KEY,
        model=None,
        stripe_object=kind,
    )


STRIPE_CUSTOMER_RAW = _raw("customer", "Customers as Stripe sent them, byte for byte.")
STRIPE_SUBSCRIPTION_RAW = _raw("subscription", "Subscriptions as Stripe sent them, byte for byte.")
STRIPE_INVOICE_RAW = _raw("invoice", "Invoices as Stripe sent them, byte for byte.")
STRIPE_CHARGE_RAW = _raw("charge", "Charges as Stripe sent them, byte for byte.")
STRIPE_PAYMENT_INTENT_RAW = _raw("payment_intent", "Payment intents as Stripe sent them, byte for byte.")
STRIPE_DISPUTE_RAW = _raw("dispute", "Disputes as Stripe sent them, byte for byte (optional permission).")

RAW_TOPICS: dict[str, Topic] = {
    topic.stripe_object: topic
    for topic in (
        STRIPE_CUSTOMER_RAW,
        STRIPE_SUBSCRIPTION_RAW,
        STRIPE_INVOICE_RAW,
        STRIPE_CHARGE_RAW,
        STRIPE_PAYMENT_INTENT_RAW,
        STRIPE_DISPUTE_RAW,
    )
    if topic.stripe_object
}
"""The raw topics by the name of Stripe's object."""

STRIPE_API_CALL = Topic(
    name="stripe.api_call.v1",
    about="One record per request made to Stripe.",
    subject="connection",
    key=SUBJECT_KEY,
    model=ApiCall,
    retention=timedelta(days=90),
)
STRIPE_REFRESH_REQUEST = Topic(
    name="stripe.refresh_request.v1",
    about="Please read this customer afresh.",
    subject="customer",
    key=SUBJECT_KEY,
    model=RefreshRequest,
    retention=timedelta(days=7),
)
STRIPE_REFRESH_RESULT = Topic(
    name="stripe.refresh_result.v1",
    about="What a fresh read found, sent after its raw records.",
    subject="customer",
    key=SUBJECT_KEY,
    model=RefreshResult,
    retention=timedelta(days=7),
)
PRODUCT_IDENTIFY = Topic(
    name="product.identify.v1",
    about="Who a user is: identify, group, alias.",
    subject="user",
    key=UNIQUE_KEY,
    model=ProductMessage,
)
PRODUCT_TRACK = Topic(
    name="product.track.v1",
    about="What a user did: track, page, screen.",
    subject="user",
    key=UNIQUE_KEY,
    model=ProductMessage,
)
IDENTITY_MATCH = Topic(
    name="identity.match.v1",
    about="A customer and a user are one person, by what; or no longer.",
    subject="user",
    key=UNIQUE_KEY,
    model=IdentityMatch,
)
CONTROL_DECISION = Topic(
    name="control.decision.v1",
    about="What a person decided, by whom, why, and from when it counts.",
    subject="workspace",
    key=UNIQUE_KEY,
    model=Decision,
)
CHURN_SIGNAL = Topic(
    name="churn.signal.v1",
    about="A churn signal opened, updated, resolved or withdrawn, with its evidence.",
    subject="subject",
    key=UNIQUE_KEY,
    model=ChurnSignal,
)
MRR_MOVEMENT = Topic(
    name="mrr.movement.v1",
    about="One row of the MRR ledger.",
    subject="subject",
    key=UNIQUE_KEY,
    model=MrrMovement,
)
DUNNING_EVENT = Topic(
    name="dunning.event.v1",
    about="A dunning episode opened, mailed, recovered, exhausted, held or closed.",
    subject="subject",
    key=UNIQUE_KEY,
    model=DunningEvent,
)

CONSUMER_GROUPS = ("mirror", "mrr", "detector", "dunning", "poller", "console")
"""The groups that consume; each has a dead-letter and a retry topic of its own."""


def dead_letter_topic(group: str) -> Topic:
    """Where a group's records go that it cannot process."""
    return Topic(
        name=f"{group}.dlq.v1",
        about=f"What {group} could not process: the original bytes, headers say where from and why.",
        subject="source",
        key=SOURCE_KEY,
        model=None,
    )


def retry_topic(group: str) -> Topic:
    """A dead letter replayed or mended, read by that group alone and by its rebuild."""
    return Topic(
        name=f"{group}.retry.v1",
        about=f"Dead letters of {group}, replayed or mended, under their original version.",
        subject="source",
        key=SOURCE_KEY,
        model=None,
    )


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        *RAW_TOPICS.values(),
        STRIPE_API_CALL,
        STRIPE_REFRESH_REQUEST,
        STRIPE_REFRESH_RESULT,
        PRODUCT_IDENTIFY,
        PRODUCT_TRACK,
        IDENTITY_MATCH,
        CONTROL_DECISION,
        CHURN_SIGNAL,
        MRR_MOVEMENT,
        DUNNING_EVENT,
        *(dead_letter_topic(group) for group in CONSUMER_GROUPS),
        *(retry_topic(group) for group in CONSUMER_GROUPS),
    )
}
"""Every topic by its name."""


def topic_named(name: str) -> Topic:
    """The topic of that catalogue name; raises UnknownTopic."""
    try:
        return TOPICS[name]
    except KeyError:
        raise UnknownTopic(f"no topic {name!r} in the catalogue; it has {', '.join(sorted(TOPICS))}") from None


def names(topics: Iterable[Topic], prefix: str = "") -> list[str]:
    """Names on the broker."""
    return [topic.full_name(prefix) for topic in topics]
