"""What became of one object: each of its records, what changed from the one before, and the request that saw it. Pure.

A record's version is that of the request that saw the object, and a request's id in the audit is made of the same
version, so which call it was is known exactly and not guessed from times.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.envelope import Change, RawAttributes, parse_envelope
from schemas.ids import call_id
from schemas.versions import unpack_version
from services.poller.kinds import Kind
from services.poller.publishing.fingerprint import canonical

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Line:
    """A record as it lies in the log."""

    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that is not what it was: `path` in dots, members of lists by their id."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One record of an object. `observed_at` is domain time; `lease` when the lease of its poll began (machine time),
    `call_id` the request that saw it; `repeat` says that the record was published before, under the same id."""

    partition: int
    offset: int
    id: str
    change: Change
    observed_at: datetime
    version: int
    lease: datetime
    request: int
    call_id: str
    repeat: bool
    changes: tuple[FieldChange, ...]


def steps_of(kind: Kind, connection_id: str, lines: Iterable[Line]) -> tuple[Step, ...]:
    """The records of one object, oldest version first; raises EnvelopeError where one is not what its topic says."""
    found: list[Step] = []
    before: dict[str, Any] | None = None
    ids: set[str] = set()
    for _, line in sorted(((_version(line), line) for line in lines), key=lambda each: (each[0], each[1].offset)):
        envelope = parse_envelope(line.headers)
        raw = RawAttributes.of(envelope)
        after = canonical(kind, msgspec.json.decode(line.value, type=dict[str, Any]))
        lease, request = unpack_version(raw.version)
        found.append(
            Step(
                partition=line.partition,
                offset=line.offset,
                id=envelope.id,
                change=raw.change,
                observed_at=raw.observed_at,
                version=raw.version,
                lease=datetime.fromtimestamp(lease / 1000, UTC),
                request=request,
                call_id=call_of(connection_id, raw.version),
                repeat=envelope.id in ids,
                changes=() if before is None else tuple(differences(before, after)),
            )
        )
        ids.add(envelope.id)
        before = after
    return tuple(found)


def call_of(connection_id: str, version: int) -> str:
    """The id in the audit of the request whose version this is."""
    return call_id(request_key=f"{connection_id}/{version}")


def differences(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """The leaves in which two decoded values differ."""
    ours, theirs = _members(before), _members(after)
    if ours is None or theirs is None:
        if before != after:
            yield FieldChange(path, before, after)
        return
    for name in sorted(ours.keys() | theirs.keys()):
        inner = f"{path}.{name}" if path else name
        if name not in ours or name not in theirs:
            yield FieldChange(inner, ours.get(name, ABSENT), theirs.get(name, ABSENT))
        else:
            yield from differences(ours[name], theirs[name], inner)


def _members(value: Any) -> Mapping[str, Any] | None:
    """An object's fields; a list's members, by their ids where they have any; None for a leaf."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    named = {each["id"]: each for each in value if isinstance(each, dict) and isinstance(each.get("id"), str)}
    return named if len(named) == len(value) else {str(number): each for number, each in enumerate(value)}


def _version(line: Line) -> int:
    return RawAttributes.of(parse_envelope(line.headers)).version
