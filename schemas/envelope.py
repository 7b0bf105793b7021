"""CloudEvents 1.0 in binary mode: a record's attributes are headers, so that its value stays what it is.

A header's value is UTF-8. Times are RFC 3339 in UTC. Raw records of Stripe's objects carry six attributes more;
`RawAttributes` reads them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import msgspec

from schemas.errors import EnvelopeError

Headers = tuple[tuple[str, bytes], ...]
Change = Literal["backfilled", "created", "updated", "deleted"]
CHANGES: tuple[Change, ...] = ("backfilled", "created", "updated", "deleted")

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
_SPEC_HEADER = ("ce_specversion", SPEC_VERSION.encode())
_CONTENT_HEADER = ("content-type", CONTENT_TYPE.encode())
_INSTANTS = 1024
"""Records of one page, and what follows from one record, share their times: so many are remembered as text."""


@lru_cache(maxsize=_INSTANTS)
def format_time(instant: datetime) -> str:
    """RFC 3339 in UTC with microseconds, so that text order is time order."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=_INSTANTS)
def parse_time(text: str) -> datetime:
    """An aware UTC datetime from RFC 3339; raises EnvelopeError."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise EnvelopeError(f"{text!r} is not an RFC 3339 time") from error
    if parsed.tzinfo is None:
        raise EnvelopeError(f"the time {text!r} has no zone")
    return parsed.astimezone(UTC)


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The attributes of one record. `subject` is the unit of order, `object_id` what the record is about."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    workspace_id: str
    object_id: str = ""
    connection_id: str | None = None
    extra: Mapping[str, str] = {}

    def headers(self) -> Headers:
        """The Kafka headers, in a fixed order."""
        own = own_headers(id=self.id, subject=self.subject, object_id=self.object_id)
        return own + self.shared_headers()

    def shared_headers(self) -> Headers:
        """The headers without those that tell this record from another of the same cause."""
        headers = [
            _SPEC_HEADER,
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_time", format_time(self.time).encode()),
            ("ce_workspaceid", self.workspace_id.encode()),
        ]
        if self.connection_id is not None:
            headers.append(("ce_connectionid", self.connection_id.encode()))
        headers.append(_CONTENT_HEADER)
        headers += [(f"ce_{name}", value.encode()) for name, value in self.extra.items()]
        return tuple(headers)


def own_headers(*, id: str, subject: str, object_id: str = "") -> Headers:
    """The headers that are a record's own: its id, what it is about (the subject where no object is named), its
    subject."""
    return (
        ("ce_id", id.encode()),
        ("ce_subject", (object_id or subject).encode()),
        ("ce_partitionkey", subject.encode()),
    )


_OWN = frozenset(
    {
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "ce_partitionkey",
        "ce_workspaceid",
        "ce_connectionid",
    }
)


def parse_envelope(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """Read the attributes back; raises EnvelopeError with the header that is missing or malformed."""
    found = _texts(headers)
    if found.get("ce_specversion") != SPEC_VERSION:
        raise EnvelopeError(f"ce_specversion is {found.get('ce_specversion')!r}, not {SPEC_VERSION!r}")
    return Envelope(
        id=_required(found, "ce_id"),
        source=_required(found, "ce_source"),
        type=_required(found, "ce_type"),
        time=parse_time(_required(found, "ce_time")),
        subject=_required(found, "ce_partitionkey"),
        workspace_id=_required(found, "ce_workspaceid"),
        object_id=_required(found, "ce_subject"),
        connection_id=found.get("ce_connectionid"),
        extra={name[3:]: value for name, value in found.items() if name[:3] == "ce_" and name not in _OWN},
    )


class RawAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a raw record says of the observation itself.

    `observed_at` is when the poller's request was made (domain clock, UTC); `expanded` lists what the read asked
    Stripe to expand: what it did not ask for is unknown, not empty. `version` orders observations of one object.
    """

    change: Change
    account: str
    livemode: bool
    observed_at: datetime
    expanded: frozenset[str]
    version: int

    def extra(self) -> dict[str, str]:
        """As extension attributes of an Envelope."""
        return {
            "change": self.change,
            "account": self.account,
            "livemode": "true" if self.livemode else "false",
            "observedat": format_time(self.observed_at),
            "expanded": ",".join(sorted(self.expanded)),
            "objectversion": str(self.version),
        }

    @classmethod
    def of(cls, envelope: Envelope) -> "RawAttributes":
        """Read them from an envelope; raises EnvelopeError."""
        extra = envelope.extra
        change = _required(extra, "change")
        if change not in CHANGES:
            raise EnvelopeError(f"ce_change is {change!r}, not one of {', '.join(CHANGES)}")
        version = _required(extra, "objectversion")
        if not version.isdecimal():
            raise EnvelopeError(f"ce_objectversion {version!r} is not a number")
        return cls(
            change=change,
            account=extra.get("account", ""),
            livemode=_required(extra, "livemode") == "true",
            observed_at=parse_time(_required(extra, "observedat")),
            expanded=frozenset(filter(None, extra.get("expanded", "").split(","))),
            version=int(version),
        )


def _texts(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    name = ""
    found = {}
    try:
        for name, value in headers:
            found[name] = value.decode()
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"the header {name} is not UTF-8") from error
    return found


def _required(found: Mapping[str, str], name: str) -> str:
    try:
        return found[name]
    except KeyError:
        raise EnvelopeError(f"the header {name if name.startswith('ce_') else 'ce_' + name} is missing") from None
