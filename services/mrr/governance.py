"""How mrr goes by decisions: the zone of a workspace's days, what counts from when, and the end of a connection."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from pipeline.decisions import Image, Kept, load_images
from pipeline.errors import BadRecord
from runtime.database import Connection
from schemas.catalogue import CONTROL_DECISION
from schemas.events.control import Decision
from schemas.events.decisions import ConnectionEnded, ConnectionMade, MrrPolicy, WorkspaceSettings, read_detail
from schemas.events.mrr_policy import PRESETS, PolicyTerms, is_named_otherwise
from schemas.subjects import split_subject
from services.mrr.core import microseconds
from services.mrr.in_force import Away, Cause, InForce, Switch, apart
from services.mrr.persons import End, Persons
from services.mrr.policy import Policy

_OF_WORKSPACE = "SELECT subject FROM customers WHERE workspace_id = %(workspace)s"
_OF_CONNECTION = (
    "SELECT subject FROM customers WHERE workspace_id = %(workspace)s AND starts_with(subject, %(connection)s || '/')"
)
_OF_PERSONS = (
    "SELECT workspace_id || '/' || user_id FROM matches JOIN first_said USING (workspace_id, user_id)"
    " WHERE workspace_id = %(workspace)s UNION"
    " SELECT connection_id || '/' || customer_id FROM matches JOIN first_said USING (workspace_id, user_id)"
    " WHERE workspace_id = %(workspace)s"
)
_SAID_OF_POLICIES = "SELECT detail FROM decisions WHERE workspace_id = %s AND kind = 'mrr.policy'"


@dataclass(frozen=True, slots=True)
class MrrGovernance:
    """The policies as they are set; a connection that was ended has no MRR from then on.

    `policy` counts where nothing was set. The zone of days is not the core's: `analytics.mrr_daily` reads it from the
    image, so another zone shows every day anew.
    """

    policy_unless_set: Policy
    persons: Persons = field(default_factory=Persons)
    kinds = ("workspace.settings", "connection.made", "connection.ended", "mrr.policy")

    def policy(self, image: Image, subject: str) -> InForce:
        """What one ledger goes by: that of a customer, or of a user."""
        scope, _ = split_subject(subject)
        ended = dict(_ended(image))
        spans = list(self.persons.without(_set_aside(image, ended)).away(subject, ended))
        if scope in ended:
            spans.append(Away(*ended[scope]))
        return InForce(self.policy_unless_set, tuple(_switches(image)), apart(spans))

    def check(self, conn: Connection, decision: Decision) -> None:
        """A zone must be one that PostgreSQL knows too: the days are cut there. A version names one policy for ever."""
        detail = read_detail(decision.kind, decision.detail)
        if isinstance(detail, WorkspaceSettings):
            _check_zone(conn, detail.timezone)
        elif isinstance(detail, MrrPolicy):
            _check_version(conn, decision.workspace_id, detail.policy)

    def concerned(self, conn: Connection, decision: Decision) -> Sequence[str]:
        """Of a policy everybody; of a connection's end every customer of it; of either end of a connection whoever is
        one person with another, and has an MRR that identify() told."""
        whose = {"workspace": decision.workspace_id, "connection": decision.connection_id}
        if decision.kind == "mrr.policy":
            statements = [_OF_WORKSPACE]
        elif decision.kind == "connection.ended" and decision.connection_id:
            statements = [_OF_CONNECTION, _OF_PERSONS]
        elif decision.kind == "connection.made":
            statements = [_OF_PERSONS]
        else:
            return ()
        return sorted({subject for statement in statements for (subject,) in conn.execute(statement, whose)})

    def workspaces_of(self, conn: Connection, subjects: Collection[str]) -> dict[str, str]:
        rows = conn.execute("SELECT subject, workspace_id FROM customers WHERE subject = ANY(%s)", (list(subjects),))
        return dict(rows.fetchall())


def _cause(kept: Kept) -> Cause:
    decision = kept.decision
    at = microseconds(decision.effective_at)
    return Cause(at, CONTROL_DECISION.name, 0, kept.offset, decision.decision_id, partition=kept.partition)


def _ended(image: Image) -> Iterator[tuple[str, End]]:
    seen: set[str] = set()
    for kept, _ in image.each(ConnectionEnded):
        connection_id = kept.decision.connection_id
        if connection_id and connection_id not in seen:
            seen.add(connection_id)
            yield connection_id, (microseconds(kept.decision.effective_at), _cause(kept))


def _set_aside(image: Image, ended: Collection[str]) -> set[str]:
    """The connections in test mode, where there is a live one: its figures are shown, and theirs apart. So who is a
    customer of theirs keeps the number that identify() tells."""
    live_by_connection = {
        kept.decision.connection_id: detail.livemode_claimed for kept, detail in image.each(ConnectionMade)
    }
    if not any(live and name not in ended for name, live in live_by_connection.items()):
        return set()
    return {name for name, live in live_by_connection.items() if name and live is False}


def _switches(image: Image) -> Iterator[Switch]:
    for kept, detail in image.each(MrrPolicy):
        at = kept.decision.effective_at
        start = day_begins(detail.counts_from, zone_of(image, at))
        yield Switch(microseconds(at), microseconds(start), policy_of(detail.policy), _cause(kept))


def zone_of(image: Image, at: datetime) -> str:
    """The zone of a workspace's days, as it is set at an instant; UTC where none is."""
    zones = [settings.timezone for settings in image.in_force(WorkspaceSettings, at) if settings.timezone]
    return zones[-1] if zones else "UTC"


def zone_of_workspace(conn: Connection, workspace_id: str, at: datetime) -> str:
    """The same, as mrr's image of decisions has it."""
    return zone_of(load_images(conn, [workspace_id])[workspace_id], at)


def day_begins(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a day begins in a zone."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


@lru_cache(maxsize=256)
def policy_of(terms: PolicyTerms) -> Policy:
    """The policy of a decision, as the core goes by it."""
    return Policy.model_validate(terms.model_dump())


def _check_zone(conn: Connection, zone: str | None) -> None:
    if zone and conn.execute("SELECT 1 FROM pg_timezone_names WHERE name = %s", (zone,)).fetchone() is None:
        raise BadRecord(f"PostgreSQL does not know the time zone {zone!r}")


def _check_version(conn: Connection, workspace_id: str, terms: PolicyTerms) -> None:
    rows = conn.execute(_SAID_OF_POLICIES, (workspace_id,))
    said = (MrrPolicy.model_validate(detail).policy for (detail,) in rows)
    if is_named_otherwise(terms, chain(PRESETS, said)):
        raise BadRecord(f"{terms.version} is the name of another policy already: give this one the next number")
