"""A record as the pipeline hands it on, whichever source it came from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pipeline.errors import BadRecord
from schemas.envelope import Envelope, Headers, parse_envelope, parse_time
from schemas.errors import EnvelopeError

F = TypeVar("F")


class LogPartition(NamedTuple):
    """One partition of one topic; `topic` is the catalogue's name."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a log, undecoded.

    `topic` is the catalogue's name, without the deployment's prefix. `timestamp_ms` is the broker's, in machine
    time: domain time is in the headers. Headers are decoded when they are asked for, one at a time.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    def header(self, name: str) -> str | None:
        """The header's text, None where there is none; raises BadRecord where it is not UTF-8."""
        for found, value in self.headers:
            if found == name:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    raise BadRecord(f"the header {name} is not UTF-8") from None
        return None

    def required_header(self, name: str) -> str:
        """The header's text; raises BadRecord where it is missing, empty or not UTF-8."""
        text = self.header(name)
        if not text:
            raise BadRecord(f"the header {name} is missing")
        return text

    @property
    def id(self) -> str:
        """`ce_id`, the deterministic id of what was said; raises BadRecord."""
        return self.required_header("ce_id")

    @property
    def subject(self) -> str:
        """`ce_partitionkey`, whom the record is about and the unit of order; raises BadRecord."""
        return self.required_header("ce_partitionkey")

    @property
    def observed_at(self) -> datetime:
        """When what it says was seen, in domain time (UTC): `ce_observedat`, else `ce_time`; raises BadRecord."""
        try:
            return parse_time(self.header("ce_observedat") or self.required_header("ce_time"))
        except EnvelopeError as error:
            raise BadRecord(str(error)) from error

    @property
    def envelope(self) -> Envelope:
        """All attributes; raises BadRecord. Costs more than a single header: ask once."""
        try:
            return parse_envelope(self.headers)
        except EnvelopeError as error:
            raise BadRecord(str(error)) from error

    @property
    def place(self) -> str:
        """`topic/partition/offset`, for messages and for the keys of dead letters."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Arrived(msgspec.Struct, Generic[F], frozen=True, gc=False):
    """A record and the fact that was decoded from it."""

    record: Record
    fact: F
