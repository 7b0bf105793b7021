"""mrr's image of who is whom: the matches that `identity.match.v1` tells of, as they stand.

The latest revision of a customer and a user holds, whichever arrives first. What was decided before a match stays
where it is.
"""

from collections.abc import Sequence

from pydantic import ValidationError

from pipeline.errors import BadRecord
from pipeline.records import Arrived, Record
from runtime.database import Connection
from schemas.events.identity import IdentityMatch

_SAVE = (
    "INSERT INTO matches AS m (connection_id, customer_id, user_id, workspace_id, state, matched_by, effective_at,"
    " revision, source_topic, source_partition, source_offset)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (connection_id, customer_id, user_id) DO UPDATE SET state = excluded.state,"
    " matched_by = excluded.matched_by, effective_at = excluded.effective_at, revision = excluded.revision,"
    " source_topic = excluded.source_topic, source_partition = excluded.source_partition,"
    " source_offset = excluded.source_offset WHERE m.revision < excluded.revision"
)


def decode_match(record: Record) -> IdentityMatch:
    """The match in a record; raises BadRecord where it is none."""
    try:
        return IdentityMatch.model_validate_json(record.value or b"")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise BadRecord(f"it is no match of a customer and a user: {faults}") from error


def save_matches(conn: Connection, told: Sequence[Arrived[IdentityMatch]]) -> None:
    """Bring the image up to date; an older revision changes nothing."""
    with conn.cursor() as cursor:
        cursor.executemany(_SAVE, [_values(arrived.record, arrived.fact) for arrived in told])


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
