"""What a read changes: pure, from what is known of the objects and what was seen, to records and rows.

Reads overlap (several are under way at once) and repeat (a page is read again after a crash). Each read has a
*version*, drawn before its request was sent, and a *close*, the version that would have been drawn when its answer
came. Two reads overlap where each was sent before the other had closed; which of the two saw the newer state cannot
be told, so where they differ a third decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import msgspec

from schemas.envelope import Change
from schemas.ids import raw_id
from schemas.subjects import stripe_subject
from services.poller.kinds import Kind
from services.poller.reading.pages import Facts, ReadObject


@dataclass(frozen=True, slots=True)
class Reading:
    """One request as its objects remember it. `observed_at` is domain time, when the request was sent."""

    version: int
    closed: int
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as one read showed it."""

    object: ReadObject
    reading: Reading


@dataclass(frozen=True, slots=True)
class Known:
    """What the poller remembers of an object. `version` is that of its last record, `seen_version` of the last read
    that counted."""

    kind: Kind
    subject: str
    fingerprint: str
    version: int
    last_id: str
    seen_version: int
    seen_closed: int
    status: str | None = None


class RawRecord(msgspec.Struct, frozen=True):
    """A record for the object's topic."""

    kind: Kind
    object_id: str
    subject: str
    id: str
    change: Change
    version: int
    observed_at: datetime
    expanded: frozenset[str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """A row to write: `known` of an object whose record is published, with the facts to go by. `was` is its status
    before, None where it is new."""

    object_id: str
    known: Known
    facts: Facts
    deleted: bool
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Records in the order they are to be sent; rows to write whole; rows that were only seen again; and objects that
    two overlapping reads disagree on."""

    records: tuple[RawRecord, ...]
    changed: tuple[Changed, ...]
    touched: tuple[tuple[str, Known], ...]
    disputed: tuple[tuple[Kind, str], ...]

    @property
    def known(self) -> dict[str, Known]:
        """What is known of these objects once the outcome is written."""
        return {**{row.object_id: row.known for row in self.changed}, **dict(self.touched)}


def fold(known: Mapping[str, Known], seen: Iterable[Seen], *, connection_id: str, connected_at: int) -> Outcome:
    """Apply reads, oldest version first, to what is known.

    `connected_at` (Unix seconds of Stripe's clock): what was created up to then is `backfilled` when it is first
    seen, what came later `created`. An object's subject is fixed by its first record.
    """
    state = dict(known)
    records: list[RawRecord] = []
    news: dict[str, ReadObject] = {}
    touched: dict[str, None] = {}
    disputed: dict[tuple[Kind, str], None] = {}
    for one in sorted(seen, key=lambda each: each.reading.version):
        if not one.object.whole:
            continue
        before = state.get(one.object.id)
        verdict = _judge(before, one)
        if verdict.ambiguous:
            disputed[one.object.kind, one.object.id] = None
        if verdict.news:
            record = _record(before, one, connection_id=connection_id, connected_at=connected_at)
            records.append(record)
            state[one.object.id] = _after(record, one)
            news[one.object.id] = one.object
        elif before is not None and one.reading.version > before.seen_version:
            state[one.object.id] = _seen_again(before, one.reading)
            touched[one.object.id] = None
    return Outcome(
        records=tuple(records),
        changed=tuple(
            Changed(found.id, state[found.id], found.facts, found.deleted, _status(known.get(found.id)))
            for found in news.values()
        ),
        touched=tuple((object_id, state[object_id]) for object_id in touched if object_id not in news),
        disputed=tuple(disputed),
    )


def _status(before: Known | None) -> str | None:
    return None if before is None else before.status


class _Verdict(NamedTuple):
    news: bool
    ambiguous: bool


def _judge(before: Known | None, one: Seen) -> _Verdict:
    if before is None:
        return _Verdict(news=True, ambiguous=False)
    if before.fingerprint == one.object.fingerprint:
        return _Verdict(news=False, ambiguous=False)
    overlaps = one.reading.version < before.seen_closed and before.seen_version < one.reading.closed
    return _Verdict(news=one.reading.version > before.seen_version, ambiguous=overlaps)


def _record(before: Known | None, one: Seen, *, connection_id: str, connected_at: int) -> RawRecord:
    found = one.object
    subject = before.subject if before else stripe_subject(connection_id, found.customer or found.id)
    return RawRecord(
        kind=found.kind,
        object_id=found.id,
        subject=subject,
        id=raw_id(
            connection_id=connection_id,
            object_id=found.id,
            fingerprint=found.fingerprint,
            previous_id=before.last_id if before else "",
        ),
        change=_change(before, found, connected_at),
        version=one.reading.version,
        observed_at=one.reading.observed_at,
        expanded=found.expanded,
        value=found.raw,
    )


def _change(before: Known | None, found: ReadObject, connected_at: int) -> Change:
    if found.deleted:
        return "deleted"
    if before is not None:
        return "updated"
    return "created" if (found.facts.created or 0) > connected_at else "backfilled"


def _after(record: RawRecord, one: Seen) -> Known:
    return Known(
        kind=record.kind,
        subject=record.subject,
        fingerprint=one.object.fingerprint,
        version=record.version,
        last_id=record.id,
        seen_version=one.reading.version,
        seen_closed=one.reading.closed,
        status=one.object.facts.status,
    )


def _seen_again(before: Known, reading: Reading) -> Known:
    return replace(before, seen_version=reading.version, seen_closed=max(before.seen_closed, reading.closed))
