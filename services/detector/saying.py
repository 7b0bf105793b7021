"""From a customer of Stripe's, a message about a user, or a person's decision, to what it says of who it is. Pure."""

from datetime import UTC, datetime, timedelta

from schemas.errors import InvalidDecision
from schemas.events.control import Decision
from schemas.events.decisions import MatchByHand, read_detail
from schemas.events.product import ProductMessage
from schemas.stripe import objects
from schemas.stripe.objects import StripeObject
from services.detector.identity import CustomerSaid, HandSaid, UserSaid

USER_ID_KEYS = ("user_id", "dropfix_user_id")
"""Where a customer's metadata names its user: the first that the product knows counts."""

LONGEST = 320
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def customer_said(
    obj: StripeObject, *, workspace_id: str, connection_id: str, livemode: bool, version: int, at: int
) -> CustomerSaid:
    """What one version of a customer says; `at` in Unix microseconds."""
    metadata = objects.metadata(obj)
    named = (_usable(metadata.get(key)) for key in USER_ID_KEYS)
    return CustomerSaid(
        workspace_id=workspace_id,
        connection_id=connection_id,
        customer_id=str(obj["id"]),
        livemode=livemode,
        version=version,
        at=at,
        email=_usable(objects.email_of(obj)),
        user_ids=tuple(dict.fromkeys(name for name in named if name)),
        deleted=objects.is_deleted(obj),
    )


def user_said(message: ProductMessage, workspace_id: str) -> UserSaid | None:
    """What a message says of its user; None of somebody who is not known yet."""
    if message.user_id is None:
        return None
    traits = message.traits if message.type == "identify" else {}
    email, name = _usable(traits.get("email")), _usable(traits.get("name"))
    return UserSaid(
        workspace_id=workspace_id,
        user_id=message.user_id,
        id=message.message_id,
        at=(message.timestamp - _EPOCH) // timedelta(microseconds=1),
        email=email.lower() if email else None,
        name=name,
    )


def hand_said(decision: Decision) -> HandSaid:
    """What a decision says of a customer and a user; raises InvalidDecision."""
    detail = read_detail(decision.kind, decision.detail)
    if not isinstance(detail, MatchByHand) or decision.connection_id is None:
        raise InvalidDecision(f"{decision.kind} names a customer without its connection")
    return HandSaid(
        workspace_id=decision.workspace_id,
        connection_id=decision.connection_id,
        customer_id=detail.customer_id,
        user_id=detail.user_id,
        matched=detail.matched,
        at=(decision.effective_at - _EPOCH) // timedelta(microseconds=1),
        id=decision.decision_id,
    )


def _usable(value: object) -> str | None:
    """The text, trimmed; None where it is none, is empty, or is what no table can hold."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if text and len(text) <= LONGEST and "\0" not in text else None
