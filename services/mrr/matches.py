"""mrr's image of who is whom, and of who told of its MRR: what `identity.match.v1` and `product.identify.v1` say.

Every revision of a customer and a user is kept: what was decided by a match that ended since stays decided.

A customer and a user are on different partitions. Whose number stands is decided under the lock of the customers that
the person has, so that the outcome is the same whichever record comes first; who is on another partition is woken by
a timer there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from pipeline.decisions import lock_workspaces
from pipeline.errors import BadRecord
from pipeline.processor import Tx
from pipeline.records import Arrived, Record
from pipeline.timers import wake_subjects
from runtime.database import Connection
from schemas.catalogue import PRODUCT_IDENTIFY
from schemas.events.identity import IdentityMatch
from schemas.faults import faults_of
from schemas.subjects import product_subject, split_subject, stripe_subject
from services.mrr.core import microseconds
from services.mrr.facts import UserFact
from services.mrr.in_force import Cause
from services.mrr.persons import First, Persons, Revision, Together, together

RULE = "identity"
Row = tuple[str, str, str, str, int, str, datetime, str, int, int]

_SAVE = (
    "INSERT INTO matches (connection_id, customer_id, user_id, workspace_id, state, matched_by, effective_at,"
    " revision, source_topic, source_partition, source_offset)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_USERS_OF = (
    "SELECT DISTINCT workspace_id, user_id FROM matches"
    " WHERE (connection_id, customer_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_REVISIONS_OF = (
    "SELECT connection_id, customer_id, user_id, workspace_id, revision, state, effective_at, source_topic,"
    " source_partition, source_offset FROM matches"
    " WHERE (workspace_id, user_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_CUSTOMERS_OF = (
    "SELECT DISTINCT connection_id, customer_id FROM matches"
    " WHERE (workspace_id, user_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_FIRSTS = (
    "SELECT workspace_id, user_id, first_at, message_id, source_partition, source_offset FROM first_said"
    " WHERE (workspace_id, user_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_SAVE_FIRSTS = (
    "INSERT INTO first_said AS f (workspace_id, user_id, first_at, message_id, source_partition, source_offset)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::integer[], %s::bigint[])"
    " ON CONFLICT (workspace_id, user_id) DO UPDATE SET first_at = excluded.first_at,"
    " message_id = excluded.message_id, source_partition = excluded.source_partition,"
    " source_offset = excluded.source_offset"
    " WHERE (f.first_at, f.message_id) > (excluded.first_at, excluded.message_id) RETURNING workspace_id, user_id"
)


def decode_match(record: Record) -> IdentityMatch:
    """The match in a record; raises BadRecord where it is none."""
    try:
        return IdentityMatch.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise BadRecord(f"it is no match of a customer and a user: {faults_of(error)}") from error


def keep_matches(tx: Tx, told: Sequence[Arrived[IdentityMatch]]) -> None:
    """Add to the image, and have those who are matched, or no longer, decided again; and every other customer that the
    user was ever matched with.

    Nobody of their workspaces is decided meanwhile: whoever was decided without a match is woken by it.
    """
    lock_workspaces(tx.conn, {arrived.fact.workspace_id for arrived in told}, alone=True)
    with tx.conn.cursor() as cursor:
        cursor.executemany(_SAVE, [_values(arrived.record, arrived.fact) for arrived in told])
    users: dict[datetime, set[tuple[str, str]]] = {}
    for arrived in told:
        users.setdefault(arrived.record.observed_at, set()).add((arrived.fact.workspace_id, arrived.fact.user_id))
    for due_at, known in users.items():
        wake_subjects(tx.conn, sorted({*_customers_of(tx.conn, known), *map(_user_subject, known)}), RULE, due_at)


def _customers_of(conn: Connection, users: Collection[tuple[str, str]]) -> list[str]:
    rows = conn.execute(_CUSTOMERS_OF, _in_columns(users))
    return [stripe_subject(connection, customer) for connection, customer in rows]


def _user_subject(user: tuple[str, str]) -> str:
    workspace, user_id = user
    return product_subject(workspace, user_id=user_id)


def load_persons(tx: Tx, workspaces: Mapping[str, str]) -> Persons:
    """Who was one person with whom, of these subjects (by subject its workspace), under the locks that keep it so.

    The workspaces must be locked (shared): see `keep_matches`.
    """
    rows = _matches_of(tx.conn, workspaces)
    tx.lock("person", {stripe_subject(connection, customer) for connection, customer, *_ in rows})
    return _persons(tx.conn, rows)


def read_persons(conn: Connection, workspaces: Mapping[str, str]) -> Persons:
    """The same, of a snapshot: to be looked at, not to be decided by."""
    return _persons(conn, _matches_of(conn, workspaces))


def _persons(conn: Connection, rows: Sequence[Row]) -> Persons:
    users = {(workspace, user_id) for _, _, user_id, workspace, *_ in rows}
    return Persons(_spans(rows), _load_firsts(conn, users)) if rows else Persons()


def keep_firsts(tx: Tx, told: Iterable[Arrived[UserFact]], persons: Persons) -> None:
    """Note when a user's MRR was first said; where that is earlier than was known, wake the customers it is one with.

    `persons` were loaded for these users.
    """
    earliest: dict[tuple[str, str], Arrived[UserFact]] = {}
    for arrived in sorted(told, key=lambda one: (one.fact.said.at, one.fact.said.id)):
        earliest.setdefault((arrived.fact.workspace_id, arrived.fact.user_id), arrived)
    if not earliest:
        return
    rows = [
        (*user, one.fact.said.at, one.fact.said.id, one.record.partition, one.record.offset)
        for user, one in sorted(earliest.items())
    ]
    for user in tx.conn.execute(_SAVE_FIRSTS, [list(column) for column in zip(*rows, strict=True)]).fetchall():
        customers = {span.customer for span in persons.together.get("/".join(user), ())}
        wake_subjects(tx.conn, sorted(customers), RULE, earliest[user].record.observed_at)


def _matches_of(conn: Connection, workspaces: Mapping[str, str]) -> list[Row]:
    """All that was said of these users, and of the users of these customers: with whichever customer."""
    users = {split_subject(subject) for subject, workspace in workspaces.items() if _is_user(subject, workspace)}
    customers = {split_subject(subject) for subject in workspaces} - users
    if customers:
        users.update(conn.execute(_USERS_OF, _in_columns(customers)))
    return conn.execute(_REVISIONS_OF, _in_columns(users)).fetchall() if users else []


def _in_columns(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    known = list(pairs)
    return [one for one, _ in known], [other for _, other in known]


def _is_user(subject: str, workspace_id: str) -> bool:
    return subject.startswith(f"{workspace_id}/")


def _spans(rows: Iterable[Row]) -> dict[str, tuple[Together, ...]]:
    """By subject, of the customers and of the users, the spans in which each was one person with another."""
    pairs: dict[tuple[str, str, str, str], list[Revision]] = {}
    for connection, customer, user_id, workspace, number, state, at, topic, partition, offset in rows:
        instant = microseconds(at)
        cause = Cause(instant, topic, number, offset, f"{customer}/{user_id}/{number}", partition=partition)
        pair = connection, customer, workspace, user_id
        pairs.setdefault(pair, []).append(Revision(number, state == "matched", instant, cause))
    found: dict[str, tuple[Together, ...]] = {}
    for (connection, customer, workspace, user_id), revisions in sorted(pairs.items()):
        one, user = stripe_subject(connection, customer), product_subject(workspace, user_id=user_id)
        spans = tuple(together(one, user, revisions))
        for subject in (one, user):
            found[subject] = (*found.get(subject, ()), *spans)
    return found


def _load_firsts(conn: Connection, users: Collection[tuple[str, str]]) -> dict[str, First]:
    return {
        product_subject(workspace, user_id=user_id): First(
            at, Cause(at, PRODUCT_IDENTIFY.name, 0, offset, message_id, partition=partition)
        )
        for workspace, user_id, at, message_id, partition, offset in conn.execute(_FIRSTS, _in_columns(users))
    }


def _values(record: Record, match: IdentityMatch) -> tuple[object, ...]:
    return (
        match.connection_id,
        match.customer_id,
        match.user_id,
        match.workspace_id,
        match.state,
        match.by,
        match.effective_at,
        match.revision,
        record.topic,
        record.partition,
        record.offset,
    )
