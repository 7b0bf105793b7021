"""Who is whom in the detector's tables: decided under locks, so that the outcome is the same whoever comes first.

A customer and a user are on different partitions, and so may be applied at once. In order:

1. lock what those that were told of go by, before and after (identifiers), and themselves;
2. write them, and find the customers whose match may be another now;
3. lock these (persons);
4. only then read everything that their matches follow from: whoever has the last lock sees all that was committed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import msgspec

from pipeline.errors import PassingFault
from pipeline.processor import Message, Tx
from pipeline.records import Arrived, Record
from runtime.database import Connection
from schemas.catalogue import IDENTITY_MATCH
from schemas.events.identity import IdentityMatch
from schemas.ids import derived_id
from schemas.subjects import kept_key, product_subject
from services.detector.identity import (
    Change,
    Customer,
    Identifier,
    Pair,
    People,
    Person,
    Published,
    Said,
    changes,
    matches_of,
    merge,
    owner_of,
    touched,
)

_SQL = files("services.detector.sql")
_AFFECTED, _NEIGHBOURS, _SAVE_PERSONS, _SAVE_MATCHES = (
    (_SQL / f"{name}.sql").read_bytes() for name in ("affected", "neighbours", "save_persons", "save_matches")
)
_LOAD = "SELECT owner, state FROM persons WHERE owner = ANY(%s)"
_LOAD_PLACED = "SELECT owner, state, source_topic, source_partition, source_offset FROM persons WHERE owner = ANY(%s)"
_LOAD_MATCHES = (
    "SELECT connection_id, customer_id, user_id, state, matched_by, effective_at, revision FROM matches"
    " WHERE (connection_id, customer_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_DROP_IDENTIFIERS = "DELETE FROM identifiers WHERE owner = ANY(%s)"
_ADD_IDENTIFIERS = (
    "INSERT INTO identifiers (workspace_id, kind, value, owner, connection_id)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])"
)
Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Person).decode


@dataclass(frozen=True)
class _Batch:
    """What a batch says of some people: as they were before it, as they are after it, and the last record of each."""

    before: Mapping[str, Person]
    after: Mapping[str, Person]
    records: Mapping[str, Record]

    @classmethod
    def of(cls, before: Mapping[str, Person], told: Sequence[Arrived[Said]]) -> "_Batch":
        after = dict(before)
        for arrived in told:
            owner = owner_of(arrived.fact)
            after[owner] = merge(after.get(owner), arrived.fact)
        return cls(before, after, {owner_of(arrived.fact): arrived.record for arrived in told})

    @property
    def changed(self) -> list[Person]:
        return [person for owner, person in self.after.items() if person != self.before.get(owner)]

    def touched(self) -> dict[str, frozenset[Identifier]]:
        """By owner, the identifiers that the change of it bears on."""
        found = {person.owner: touched(self.before.get(person.owner), person) for person in self.changed}
        return {owner: identifiers for owner, identifiers in found.items() if identifiers}


@dataclass(frozen=True)
class _Cause:
    """When what led to a change was observed, and by owner where the records of it lie."""

    at: datetime
    places: Mapping[str, Place]


@dataclass(frozen=True)
class _Neighbourhood:
    """By workspace, customers and everybody whom their matches follow from; by customer, the record that it is of."""

    people: Mapping[str, People]
    places: Mapping[str, Place]


def apply_said(tx: Tx, told: Sequence[Arrived[Said]]) -> None:
    """Merge what was said of customers and users, and publish what follows of who is whom.

    Raises PassingFault where a record of the same customer or user came in between by another way; then the batch
    is given again.
    """
    owners = sorted({owner_of(arrived.fact) for arrived in told})
    expected = _Batch.of(_load(tx.conn, owners), told)
    locked = _all_of(expected.touched())
    tx.lock("identifier", [*map(_lock_name, locked), *owners])
    batch = _Batch.of(_load(tx.conn, owners), told)
    bears_on = batch.touched()
    if not _all_of(bears_on) <= locked:
        raise PassingFault("a record of the same customer or user came in between by another way")
    _save_persons(tx.conn, batch)
    if bears_on:
        _save_identifiers(tx.conn, [batch.after[owner] for owner in bears_on])
        _decide(tx, batch, bears_on)


def redecide(tx: Tx, owners: Collection[str], at: datetime) -> None:
    """Publish what follows of these customers' matches and was not published, though nothing new was said."""
    _publish(tx, sorted(owners), _Cause(at, {}))


def _decide(tx: Tx, batch: _Batch, bears_on: Mapping[str, frozenset[Identifier]]) -> None:
    own = [owner for owner in bears_on if isinstance(batch.after[owner], Customer)]
    others = tx.conn.execute(_AFFECTED, (*_columns(_all_of(bears_on)), own)).fetchall()
    last = max(batch.records.values(), key=lambda record: (record.observed_at, record.offset))
    places = {owner: _place_of(record) for owner, record in batch.records.items()}
    _publish(tx, sorted({*own, *(owner for (owner,) in others)}), _Cause(last.observed_at, places))


def _publish(tx: Tx, customers: Sequence[str], cause: _Cause) -> None:
    if not customers:
        return
    tx.lock("person", customers)
    neighbourhood = _neighbourhood(tx.conn, customers)
    published = _published(tx.conn, customers)
    for workspace_id, people in neighbourhood.people.items():
        own = [owner for owner in customers if owner in people.customers]
        known = {pair: one for pair, one in published.items() if _owner(pair) in own}
        said = changes(known, matches_of(people, own), _microseconds(cause.at))
        telling = _Telling(workspace_id, people, neighbourhood.places, cause)
        for change in said:
            tx.publish(telling.message(change))
        if said:
            columns = zip(*map(telling.row, said), strict=True)
            tx.conn.execute(_SAVE_MATCHES, [list(column) for column in columns])


def _all_of(identifiers: Mapping[str, frozenset[Identifier]]) -> frozenset[Identifier]:
    return frozenset().union(*identifiers.values())


def _lock_name(identifier: Identifier) -> str:
    return "/".join(identifier)


def _columns(identifiers: Iterable[Identifier]) -> list[list[str]]:
    rows = sorted(identifiers)
    return [[row[place] for row in rows] for place in range(3)]


def _load(conn: Connection, owners: Collection[str]) -> dict[str, Person]:
    return {owner: _decode(state) for owner, state in conn.execute(_LOAD, (list(owners),))}


def _neighbourhood(conn: Connection, customers: Collection[str]) -> _Neighbourhood:
    """These customers and everybody whom their matches follow from, as they are now."""
    rows = conn.execute(_LOAD_PLACED, (list(customers),)).fetchall()
    people = {owner: _decode(state) for owner, state, *_ in rows}
    held = {identifier for person in people.values() for identifier in person.held()}
    people |= {owner: _decode(state) for owner, state in conn.execute(_NEIGHBOURS, _columns(held))}
    found: dict[str, list[Person]] = {}
    for person in people.values():
        found.setdefault(person.workspace_id, []).append(person)
    return _Neighbourhood(
        people={workspace_id: People.of(of_it) for workspace_id, of_it in found.items()},
        places={owner: (topic, partition, offset) for owner, _, topic, partition, offset in rows},
    )


def _published(conn: Connection, affected: Collection[str]) -> dict[Pair, Published]:
    keys = [owner.partition("/") for owner in affected]
    rows = conn.execute(_LOAD_MATCHES, ([key[0] for key in keys], [key[2] for key in keys]))
    return {
        Pair(connection, customer, user): Published(state, by, _microseconds(at), revision)
        for connection, customer, user, state, by, at, revision in rows
    }


def _save_persons(conn: Connection, batch: _Batch) -> None:
    rows = [_person_values(person, batch.records[person.owner]) for person in batch.changed]
    if rows:
        conn.execute(_SAVE_PERSONS, [list(column) for column in zip(*rows, strict=True)])


def _person_values(person: Person, record: Record) -> tuple[object, ...]:
    """A row in the order of save_persons.sql."""
    own: tuple[object, ...]
    if isinstance(person, Customer):
        said = person.latest
        own = (said.connection_id, said.customer_id, None, said.livemode, said.deleted, said.email, None, None)
    else:
        email, name = (told.value if told else None for told in (person.email, person.name))
        own = (None, None, person.user_id, None, False, email, name, _instant(person.since))
    return person.owner, person.workspace_id, *own, _encode(person), *_place_of(record)


def _save_identifiers(conn: Connection, people: Sequence[Person]) -> None:
    """Make what these people go by now the only identifiers of theirs."""
    conn.execute(_DROP_IDENTIFIERS, ([person.owner for person in people],))
    rows = [
        (*identifier, person.owner, person.latest.connection_id if isinstance(person, Customer) else None)
        for person in people
        for identifier in sorted(set(person.held()))
    ]
    if rows:
        conn.execute(_ADD_IDENTIFIERS, [list(column) for column in zip(*rows, strict=True)])


@dataclass(frozen=True)
class _Telling:
    """Says what changed in a workspace: to the topic and to the table. `places` are those of the customers' records."""

    workspace_id: str
    people: People
    places: Mapping[str, Place]
    cause: _Cause

    def message(self, change: Change) -> Message:
        pair, published = change.pair, change.published
        subject, owner = product_subject(self.workspace_id, user_id=pair.user_id), _owner(pair)
        event = IdentityMatch(
            workspace_id=self.workspace_id,
            connection_id=pair.connection_id,
            customer_id=pair.customer_id,
            user_id=pair.user_id,
            state=published.state,
            by=published.by,
            effective_at=_instant(change.at),
            revision=published.revision,
        )
        return Message(
            topic=IDENTITY_MATCH,
            subject=subject,
            key=kept_key(subject, owner, published.revision),
            id=derived_id(
                subject=subject, rule=f"identity.{published.state}", cause_id=owner, ordinal=published.revision
            ),
            workspace_id=self.workspace_id,
            value=event.encode(),
            time=self.cause.at,
            connection_id=pair.connection_id,
            object_id=owner,
        )

    def row(self, change: Change) -> tuple[object, ...]:
        """In the order of save_matches.sql."""
        pair, published = change.pair, change.published
        user, owner = product_subject(self.workspace_id, user_id=pair.user_id), _owner(pair)
        told = self.cause.places
        return (
            *pair,
            self.workspace_id,
            self.people.customers[owner].latest.livemode,
            published.state,
            published.by,
            _instant(change.at),
            published.revision,
            *(told.get(owner) or told.get(user) or self.places[owner]),
        )


def _place_of(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def _owner(pair: Pair) -> str:
    return f"{pair.connection_id}/{pair.customer_id}"


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
