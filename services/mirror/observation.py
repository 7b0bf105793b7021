"""What a raw record says: one version of an object, as a row."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from pipeline.errors import BadRecord
from pipeline.records import Record
from schemas.catalogue import RAW_TOPICS
from schemas.envelope import parse_time
from schemas.errors import EnvelopeError
from schemas.stripe.objects import StripeObject, is_deleted
from schemas.stripe.parsing import parse_object
from schemas.subjects import split_subject
from services.mirror.columns import Table, Value
from services.mirror.readers import TABLES

TABLE_OF: dict[str, Table] = {topic.name: TABLES[kind] for kind, topic in RAW_TOPICS.items()}
_MAX_BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Observation:
    """One version of an object as a row. `content` is None where the object is gone: then nothing else is known."""

    table: Table
    workspace_id: str
    connection_id: str
    object_id: str
    livemode: bool
    version: int
    observed_at: str
    content: tuple[Value, ...] | None
    topic: str
    partition: int
    offset: int

    @property
    def deleted(self) -> bool:
        return self.content is None


def observe(record: Record) -> Observation:
    """The row in a raw record; raises BadRecord saying what is wrong with it."""
    table = TABLE_OF.get(record.topic)
    if table is None:
        raise BadRecord(f"{record.topic} is no topic of Stripe's objects")
    headers = _Headers(record)
    obj = _object(record, table)
    connection_id, owner = split_subject(headers.text("ce_partitionkey"))
    gone = is_deleted(obj) or headers.text("ce_change") == "deleted"
    return Observation(
        table=table,
        workspace_id=headers.text("ce_workspaceid"),
        connection_id=connection_id,
        object_id=str(obj["id"]),
        livemode=headers.text("ce_livemode") == "true",
        version=headers.whole("ce_objectversion"),
        observed_at=headers.time("ce_observedat"),
        content=None if gone else tuple(table.read(obj, owner).values()),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _object(record: Record, table: Table) -> StripeObject:
    try:
        return parse_object(record.value or b"")
    except ValueError as error:
        raise BadRecord(f"the {table.kind} cannot be read: {error}") from error


class _Headers:
    """The few headers that a row needs: reading all of them as an envelope costs twice as much as the row."""

    __slots__ = ("_found",)

    def __init__(self, record: Record) -> None:
        self._found = dict(record.headers)

    def text(self, name: str) -> str:
        try:
            return self._found[name].decode()
        except KeyError:
            raise BadRecord(f"the header {name} is missing") from None
        except UnicodeDecodeError:
            raise BadRecord(f"the header {name} is not UTF-8") from None

    def whole(self, name: str) -> int:
        """A number that a bigint holds."""
        digits = self.text(name)
        if not digits.isdecimal() or (number := int(digits)) > _MAX_BIGINT:
            raise BadRecord(f"the header {name} is {digits!r}, not a number that a version can be")
        return number

    def time(self, name: str) -> str:
        """A time as it is written, once it is known to be one: PostgreSQL reads it from there."""
        written = self.text(name)
        try:
            parse_time(written)
        except EnvelopeError as error:
            raise BadRecord(f"the header {name}: {error}") from error
        return written


def newest(observations: Iterable[Observation]) -> list[Observation]:
    """Of each object the newest version with content, and the deletion where there is a newer one; in that order."""
    content: dict[tuple[str, str], Observation] = {}
    deletions: dict[tuple[str, str], Observation] = {}
    for one in sorted(observations, key=attrgetter("version")):
        place = (one.connection_id, one.object_id)
        if one.deleted:
            deletions[place] = one
        else:
            content[place] = one
    return [*content.values(), *deletions.values()]
