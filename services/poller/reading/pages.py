"""From the bytes of an answer to objects: each decoded once, each with exactly the bytes that Stripe sent for it.

An expanded neighbour that has a topic of its own (a subscription's customer, a charge's payment intent) is an object
too, where it was read whole: where the expansions that belong to its kind were asked for through its parent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.stripe.invoices import payment_intent_ids, subscription_id
from schemas.stripe.objects import customer_id, id_of, is_deleted
from schemas.stripe.subscriptions import items
from services.poller.errors import UnreadableAnswer
from services.poller.kinds import CHILDREN, OBJECTS, Kind
from services.poller.publishing.fingerprint import fingerprint

Belonging = Mapping[Kind, tuple[str, ...]]
"""What each kind must have been read with to be whole; a server may be unable to give some of it."""
DEFAULT_BELONGING: Belonging = {kind: of.belongs for kind, of in OBJECTS.items()}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the poller itself goes by. Instants are Unix seconds of Stripe's clock."""

    created: int | None = None
    status: str | None = None
    period_start: int | None = None
    canceled_at: int | None = None
    next_attempt: int | None = None
    ends_at: int | None = None
    trial_end: int | None = None
    attempted: bool = False
    bills_a_change: bool = False
    payment_intents: tuple[str, ...] = ()
    subscription: str | None = None
    charge: str | None = None


@dataclass(frozen=True, slots=True)
class ReadObject:
    """One object of an answer. `expanded` are the expansions asked for, relative to the object; `whole` whether they
    include what belongs to it: only a whole object is published."""

    kind: Kind
    id: str
    raw: bytes
    fingerprint: str
    customer: str | None
    deleted: bool
    expanded: frozenset[str]
    whole: bool
    facts: Facts


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list or a search: its own objects in their order, then the neighbours it brought along."""

    listed: tuple[ReadObject, ...]
    neighbours: tuple[ReadObject, ...]
    has_more: bool
    next_page: str | None = None
    total_count: int | None = None

    @property
    def objects(self) -> tuple[ReadObject, ...]:
        return self.listed + self.neighbours

    @property
    def oldest(self) -> ReadObject | None:
        """The last object listed: lists are newest first."""
        return self.listed[-1] if self.listed else None


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False
    next_page: str | None = None
    total_count: int | None = None


class _Neighbours(msgspec.Struct):
    customer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    subscription: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    latest_invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payment_intent: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    charge: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    latest_charge: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_lists = msgspec.json.Decoder(_List)
_neighbours = msgspec.json.Decoder(_Neighbours)
_anything = msgspec.json.Decoder()


def read_page(body: bytes, kind: Kind, expand: frozenset[str], belonging: Belonging = DEFAULT_BELONGING) -> Page:
    """Read a list's answer; `expand` as it was asked for, each with its leading `data.`.

    Raises UnreadableAnswer where the body is not a list of Stripe's.
    """
    try:
        answer = _lists.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableAnswer(f"a list of {OBJECTS[kind].permission} was expected, but {looks_like(body)}") from error
    asked = below("data", expand)
    families = [read_object(bytes(raw), kind, asked, belonging) for raw in answer.data]
    return Page(
        listed=tuple(family[0] for family in families),
        neighbours=tuple({found.id: found for family in families for found in family[1:]}.values()),
        has_more=answer.has_more,
        next_page=answer.next_page,
        total_count=answer.total_count,
    )


def read_object(
    raw: bytes, kind: Kind, asked: frozenset[str], belonging: Belonging = DEFAULT_BELONGING
) -> tuple[ReadObject, ...]:
    """The object itself, then the neighbours that it brought along; raises UnreadableAnswer."""
    try:
        content = _anything.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableAnswer(f"one of {OBJECTS[kind].permission} was expected, but {looks_like(raw)}") from error
    if not isinstance(content, dict) or not isinstance(content.get("id"), str):
        raise UnreadableAnswer(f"an object among {OBJECTS[kind].permission} has no id")
    own = _read(raw, content, kind, asked, belonging)
    return own, *_read_neighbours(raw, content, asked, belonging)


def _read(raw: bytes, content: dict[str, Any], kind: Kind, asked: frozenset[str], belonging: Belonging) -> ReadObject:
    deleted = is_deleted(content)
    return ReadObject(
        kind=kind,
        id=content["id"],
        raw=raw,
        fingerprint=fingerprint(kind, content),
        customer=content["id"] if kind == "customer" else customer_id(content),
        deleted=deleted,
        expanded=asked,
        whole=deleted or asked.issuperset(belonging[kind]),
        facts=facts_of(kind, content),
    )


def _read_neighbours(
    raw: bytes, content: dict[str, Any], asked: frozenset[str], belonging: Belonging
) -> Iterator[ReadObject]:
    names = [name for name in CHILDREN if name in asked and isinstance(content.get(name), dict)]
    if not names:
        return
    slices = _neighbours.decode(raw)
    for name in names:
        neighbour = content[name]
        if isinstance(neighbour.get("id"), str):
            yield _read(bytes(getattr(slices, name)), neighbour, CHILDREN[name], below(name, asked), belonging)


def below(name: str, expand: frozenset[str]) -> frozenset[str]:
    """The expansions below a field, relative to it."""
    return frozenset(path[len(name) + 1 :] for path in expand if path.startswith(f"{name}."))


def facts_of(kind: Kind, content: Mapping[str, Any]) -> Facts:
    """What the poller goes by, of a decoded object of any version of the API."""
    created, status = _seconds(content.get("created")), _text(content.get("status"))
    match kind:
        case "subscription":
            return Facts(
                created=created,
                status=status,
                period_start=_period_start(content),
                canceled_at=_seconds(content.get("canceled_at")),
                ends_at=_seconds(content.get("cancel_at")),
                trial_end=_seconds(content.get("trial_end")),
            )
        case "invoice":
            return Facts(
                created=created,
                status=status,
                next_attempt=_seconds(content.get("next_payment_attempt")),
                attempted=bool(content.get("attempted")),
                bills_a_change=content.get("billing_reason") == "subscription_update",
                payment_intents=payment_intent_ids(content),
                subscription=subscription_id(content),
            )
        case "charge":
            intent = id_of(content.get("payment_intent"))
            return Facts(created=created, status=status, payment_intents=(intent,) if intent else ())
        case "dispute":
            return Facts(created=created, status=status, charge=id_of(content.get("charge")))
        case _:
            return Facts(created=created, status=status)


def _period_start(content: Mapping[str, Any]) -> int | None:
    """The latest start of a period: what the list's filter `current_period_start` compares."""
    starts = [_seconds(item.get("current_period_start")) for item in items(content)]
    starts.append(_seconds(content.get("current_period_start")))
    return max((start for start in starts if start is not None), default=None)


def _seconds(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def looks_like(body: bytes) -> str:
    """What an answer that cannot be read looks like, without quoting it: it may echo a key."""
    start = body.lstrip()[:15].lower()
    if not start:
        return "the answer is empty"
    if start.startswith((b"<!doctype", b"<html")):
        return "the answer is a web page (HTML)"
    if start[:1] == b"<":
        return "the answer is XML"
    if start[:1] not in b"{[":
        return "the answer is not JSON"
    try:
        _anything.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "the answer ends in the middle: it is not whole JSON"
    return "the answer is JSON of another shape"
