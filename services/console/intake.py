"""What identify() and track() send, in Segment's shape: read, checked, and turned into records. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, cast

import msgspec

from schemas.catalogue import PRODUCT_IDENTIFY, PRODUCT_TRACK, Topic
from schemas.envelope import Envelope
from schemas.events.product import ProductMessage
from schemas.ids import product_id
from schemas.subjects import kept_key, product_subject
from services.console.errors import Refused

Kind = Literal["identify", "track", "page", "screen", "group", "alias"]
KINDS: tuple[Kind, ...] = ("identify", "track", "page", "screen", "group", "alias")
MAX_MESSAGE_BYTES = 32 * 1024
MAX_BATCH_BYTES = 500 * 1024
MAX_ID = 255
MAX_DEPTH = 32
SOURCE = "dropfix/intake"

_ABOUT_USERS = frozenset({"identify", "group", "alias"})
_ENVELOPE = frozenset(
    "type messageId userId user_id id anonymousId previousId groupId event name traits properties context timestamp "
    "originalTimestamp sentAt receivedAt integrations writeKey version channel category _metadata".split()
)
_BARE_TRAITS = ("name", "category", "version")
"""Names of the envelope that in identify() are what a user is called, not what the message is."""


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """One accepted message as a record."""

    topic: Topic
    subject: str
    key: str
    value: bytes
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of a batch that was not taken: its place in the batch, from 0, and why."""

    index: int
    refusal: Refused


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a request holds: the records to be written, and what was wrong with the rest."""

    records: tuple[ProductRecord, ...]
    rejected: tuple[Rejected, ...] = ()


def decode_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; raises Refused."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("bad_json", f"The body is not JSON: {error}.", "Send one JSON object in UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(decoded, dict):
        raise Refused("bad_json", "The body is JSON, but not an object.", "Send one JSON object.")
    return decoded


def read_single(
    kind: Kind, body: Mapping[str, Any], *, size: int, workspace_id: str, now: datetime, new_id: Callable[[], str]
) -> Accepted:
    """The record of a request about one message of `size` bytes; raises Refused."""
    if size > MAX_MESSAGE_BYTES:
        raise _too_large("message", MAX_MESSAGE_BYTES)
    return Accepted((_record(_message(body, kind, {}, now, new_id), workspace_id),))


def read_batch(body: Mapping[str, Any], *, workspace_id: str, now: datetime, new_id: Callable[[], str]) -> Accepted:
    """The records of a batch. One bad message does not lose the others; raises Refused where none is good."""
    batch = body.get("batch")
    if not isinstance(batch, list) or not batch:
        raise Refused("no_batch", "The batch holds no messages.", "Send them as a list named “batch”.")
    records, rejected = [], []
    for index, item in enumerate(batch):
        try:
            records.append(_of_batch(item, body, workspace_id, now, new_id))
        except Refused as refusal:
            rejected.append(Rejected(index, refusal))
    if not records:
        raise rejected[0].refusal
    return Accepted(tuple(records), tuple(rejected))


def _of_batch(
    item: object, batch: Mapping[str, Any], workspace_id: str, now: datetime, new_id: Callable[[], str]
) -> ProductRecord:
    if not isinstance(item, dict):
        raise Refused("bad_message", "A message of the batch is not an object.")
    if len(msgspec.json.encode(item)) > MAX_MESSAGE_BYTES:
        raise _too_large("message", MAX_MESSAGE_BYTES)
    if item.get("type") not in KINDS:
        raise Refused("bad_type", f"A message has no type that is known: one of {', '.join(KINDS)}.")
    return _record(_message(item, cast(Kind, item["type"]), batch, now, new_id), workspace_id)


def _message(
    raw: Mapping[str, Any], kind: Kind, batch: Mapping[str, Any], now: datetime, new_id: Callable[[], str]
) -> ProductMessage:
    _check_content(raw)
    user_id = _id(raw, "userId", "user_id", "id")
    anonymous_id = _id(raw, "anonymousId")
    if not user_id and not anonymous_id:
        raise Refused("no_user", "The message says of no user.", "Send userId, or anonymousId before it is known.")
    sent_at = raw.get("sentAt", batch.get("sentAt"))
    return ProductMessage(
        type=kind,
        message_id=_id(raw, "messageId") or new_id(),
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=_required(raw, kind, "alias", "previousId"),
        group_id=_required(raw, kind, "group", "groupId"),
        event=_required(raw, kind, "track", "event"),
        name=_id(raw, "name") if kind in {"page", "screen"} else None,
        traits=_traits(raw, kind),
        properties=_object(raw, "properties"),
        context={**_object(batch, "context"), **_object(raw, "context")},
        timestamp=_happened(raw.get("originalTimestamp", raw.get("timestamp")), sent_at, now),
        received_at=now,
    )


def _record(message: ProductMessage, workspace_id: str) -> ProductRecord:
    topic = PRODUCT_IDENTIFY if message.type in _ABOUT_USERS else PRODUCT_TRACK
    subject = product_subject(workspace_id, user_id=message.user_id, anonymous_id=message.anonymous_id)
    version = int(message.received_at.timestamp() * 1_000_000)
    return ProductRecord(
        topic=topic,
        subject=subject,
        key=kept_key(subject, message.message_id, version),
        value=message.encode(),
        envelope=Envelope(
            id=product_id(workspace_id=workspace_id, message_id=message.message_id),
            source=SOURCE,
            type=topic.name,
            time=message.timestamp,
            subject=subject,
            workspace_id=workspace_id,
            object_id=message.message_id,
        ),
    )


def _id(raw: Mapping[str, Any], *names: str) -> str | None:
    """The first of the fields that is there, as text; a number counts as its digits."""
    value = next((raw[name] for name in names if raw.get(name) is not None and raw[name] != ""), None)
    return None if value is None else _text(value, names[0])


def _text(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused("bad_field", f"{name} is not text.", f"Send {name} as a string.")
    text = str(value).strip()
    if not text or len(text) > MAX_ID or any(ord(letter) < 32 for letter in text) or text.startswith("anon:"):
        raise Refused("bad_field", f"{name} cannot be used.", f"It has 1 to {MAX_ID} characters, none invisible.")
    return text


def _required(raw: Mapping[str, Any], kind: Kind, of: Kind, name: str) -> str | None:
    if kind != of:
        return None
    value = _id(raw, name)
    if value is None:
        raise Refused("missing_field", f"A {of} message needs {name}.", f"Send {name} as a string.")
    return value


def _traits(raw: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """The traits; identify() may also put them beside the id."""
    traits = _object(raw, "traits")
    if kind != "identify":
        return traits
    beside = {name: raw[name] for name in raw if name not in _ENVELOPE or name in _BARE_TRAITS}
    return {**beside, **traits}


def _object(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("bad_field", f"{name} is not an object.", f"Send {name} as a JSON object, or leave it out.")
    return value


def _happened(stated: object, sent_at: object, now: datetime) -> datetime:
    """When it happened: by the sender's clock, corrected by how far that is from ours; never after `now`."""
    if stated is None:
        return now
    happened = _instant(stated, "timestamp")
    if sent_at is not None:
        happened += now - _instant(sent_at, "sentAt")
    return min(happened, now)


def _instant(value: object, name: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or not 1970 < parsed.year < 9000:
        raise Refused("bad_time", f"{name} is not a time.", "Send ISO 8601, like 2026-01-31T09:30:00Z.")
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _check_content(raw: Mapping[str, Any]) -> None:
    """Refuse what a table cannot hold: NUL characters, and nesting without an end."""
    level: Sequence[object] = [raw]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if any(isinstance(value, str) and "\0" in value for value in level):
            raise Refused("nul_character", "A text holds a NUL character.", "Leave it out.")
        if not level:
            return
    raise _too_deep()


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _too_deep() -> Refused:
    return Refused("too_deep", f"The message is nested deeper than {MAX_DEPTH} levels.", "Send flatter properties.")


def _too_large(what: str, limit: int) -> Refused:
    return Refused(
        "too_large",
        f"The {what} is larger than {limit // 1024} KB.",
        "Send less in it, or several batches.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
