"""The poller's tables: what is known of objects, cursors, shards, the meter. Each function works in the caller's
transaction and takes batches."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast

from psycopg.types.json import Jsonb

from runtime.database import Connection
from services.poller.budget import WINDOW_DAYS, Reads
from services.poller.errors import LeaseLost
from services.poller.kinds import Kind
from services.poller.publishing.changes import Changed, Known, Outcome
from services.poller.statements import statement
from services.poller.steady.follow import due_at, new_transactions
from services.poller.steady.plan import Cursor, Sizes


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rows these are, and the lease under which they may be written."""

    connection_id: str
    workspace_id: str
    epoch: int


def fence(conn: Connection, owner: Owner) -> None:
    """Hold the lease until the end of the transaction; raises LeaseLost where it is another's."""
    parameters = {"connection_id": owner.connection_id, "epoch": owner.epoch}
    if conn.execute(statement("fence"), parameters).fetchone() is None:
        raise LeaseLost(f"the lease of {owner.connection_id} is another's, or it was disconnected")


def known_objects(conn: Connection, connection_id: str, ids: Iterable[str]) -> dict[str, Known]:
    """What is known of these objects, in one query."""
    rows = conn.execute(statement("known"), {"connection_id": connection_id, "ids": list(ids)})
    return {row[0]: Known(*row[1:]) for row in rows}


def write_outcome(conn: Connection, owner: Owner, outcome: Outcome, *, seen_at: int) -> None:
    """Write what a fold found. `seen_at` is Stripe's present in Unix seconds, for what is due later."""
    if outcome.changed:
        conn.execute(statement("write_objects"), _object_columns(owner, outcome.changed, seen_at))
        _write_invoice_payments(conn, owner, outcome.changed)
        _count_transactions(conn, owner, outcome.changed)
    if outcome.touched:
        columns = {
            "connection_id": owner.connection_id,
            "ids": [object_id for object_id, _ in outcome.touched],
            "seen_versions": [known.seen_version for _, known in outcome.touched],
            "seen_closed": [known.seen_closed for _, known in outcome.touched],
        }
        conn.execute(statement("touch_objects"), columns)


def _object_columns(owner: Owner, changed: Sequence[Changed], seen_at: int) -> dict[str, object]:
    return {
        "connection_id": owner.connection_id,
        "workspace_id": owner.workspace_id,
        "ids": [row.object_id for row in changed],
        "kinds": [row.known.kind for row in changed],
        "subjects": [row.known.subject for row in changed],
        "fingerprints": [row.known.fingerprint for row in changed],
        "versions": [row.known.version for row in changed],
        "last_ids": [row.known.last_id for row in changed],
        "seen_versions": [row.known.seen_version for row in changed],
        "seen_closed": [row.known.seen_closed for row in changed],
        "created": [row.facts.created for row in changed],
        "statuses": [row.facts.status for row in changed],
        "deleted": [row.deleted for row in changed],
        "due": [None if row.deleted else due_at(row.known.kind, row.facts, seen_at=seen_at) for row in changed],
    }


def _write_invoice_payments(conn: Connection, owner: Owner, changed: Sequence[Changed]) -> None:
    pairs = [
        (intent, row.object_id)
        for row in changed
        if row.known.kind == "invoice"
        for intent in row.facts.payment_intents
    ]
    if pairs:
        intents, invoices = zip(*pairs, strict=True)
        columns = {"connection_id": owner.connection_id, "intents": list(intents), "invoices": list(invoices)}
        conn.execute(statement("write_invoice_payments"), columns)


def _count_transactions(conn: Connection, owner: Owner, changed: tuple[Changed, ...]) -> None:
    days = Counter(datetime.fromtimestamp(created, UTC).date() for created in new_transactions(changed))
    if days:
        columns = {
            "connection_id": owner.connection_id,
            "days": sorted(days),
            "counts": [days[d] for d in sorted(days)],
        }
        conn.execute(statement("count_transactions"), columns)


def transactions_of_window(conn: Connection, connection_id: str, today: date) -> int:
    """Succeeded charges of the last 30 days."""
    since = today - timedelta(days=WINDOW_DAYS)
    row = conn.execute(statement("transactions_since"), {"connection_id": connection_id, "since": since}).fetchone()
    return int(row[0]) if row else 0


def cursors(conn: Connection, connection_id: str) -> dict[str, Cursor]:
    rows = conn.execute(statement("cursors"), {"connection_id": connection_id})
    return {row[0]: Cursor(*row[1:]) for row in rows}


def move_cursor(conn: Connection, connection_id: str, name: str, to: Cursor) -> None:
    columns = {"connection_id": connection_id, "name": name, "at": to.at, "after_id": to.after_id}
    conn.execute(statement("move_cursor"), {**columns, "pass_version": to.pass_version})


def due_objects(
    conn: Connection, connection_id: str, kinds: Sequence[Kind], *, now: int, limit: int
) -> list[tuple[Kind, str]]:
    """Objects of these kinds that are to be read alone, longest due first."""
    columns = {"connection_id": connection_id, "kinds": list(kinds), "now": now, "limit": limit}
    rows = conn.execute(statement("due_objects"), columns)
    return [(cast(Kind, kind), object_id) for object_id, kind in rows]


def make_due(conn: Connection, connection_id: str, ids: Sequence[str], *, now: int, since: int) -> None:
    """These are to be read alone now, unless a read since version `since` showed them."""
    if ids:
        columns = {"connection_id": connection_id, "ids": list(ids), "now": now, "since": since}
        conn.execute(statement("make_due"), columns)


def put_off(conn: Connection, connection_id: str, ids: Sequence[str], *, now: int, until: int | None) -> None:
    """What is still due after it was read alone waits until then, for ever if that is None."""
    columns = {"connection_id": connection_id, "ids": list(ids), "now": now, "until": until}
    conn.execute(statement("put_off"), columns)


def mark_gone(conn: Connection, connection_id: str, object_id: str) -> None:
    """Stripe does not know this object any more: it is not read alone again until a read shows it after all."""
    conn.execute(statement("mark_gone"), {"connection_id": connection_id, "object_id": object_id})


@dataclass(frozen=True, slots=True)
class Created:
    """A range of creation, in Unix seconds of Stripe's clock: above the one and up to and including the other."""

    above: int | None = None
    upto: int | None = None


def mark_missing(conn: Connection, connection_id: str, which: str, span: Created, *, now: int, since: int) -> None:
    """A pass that began at version `since` has gone through this range and did not show these: they are to be read
    alone.

    `which` is `left_open_set`, `not_listed_customers` or `not_listed_subscriptions`.
    """
    columns = {"connection_id": connection_id, "now": now, "since": since, "above": span.above, "upto": span.upto}
    conn.execute(statement(which), columns)


def invoices_of(conn: Connection, connection_id: str, intents: Sequence[str]) -> dict[str, str]:
    """Payment intent to the invoice it pays, for those that are known."""
    rows = conn.execute(statement("invoices_of_intents"), {"connection_id": connection_id, "intents": list(intents)})
    return dict(cast(Iterable[tuple[str, str]], rows))


def subjects_of(conn: Connection, connection_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Object to subject, for those that are known."""
    rows = conn.execute(statement("subjects_of"), {"connection_id": connection_id, "ids": list(ids)})
    return dict(cast(Iterable[tuple[str, str]], rows))


def new_ids(conn: Connection, connection_id: str, ids: Sequence[str]) -> list[str]:
    """Those of the ids that were never seen."""
    known = subjects_of(conn, connection_id, ids) if ids else {}
    return [object_id for object_id in dict.fromkeys(ids) if object_id not in known]


def measure(conn: Connection, connection_id: str) -> Sizes:
    """Count the account, and keep the count beside the connection."""
    row = conn.execute(statement("measure"), {"connection_id": connection_id}).fetchone()
    sizes = Sizes(*row) if row else Sizes()
    columns = {"connection_id": connection_id, "sizes": Jsonb(asdict(sizes))}
    conn.execute(statement("sized"), columns)
    return sizes


def reads_by_day(conn: Connection, account: str, today: date) -> dict[date, Reads]:
    """The meter's window, by day."""
    since = today - timedelta(days=WINDOW_DAYS)
    rows = conn.execute(statement("reads"), {"account": account, "since": since})
    return {day: Reads(*(int(count) for count in counts)) for day, *counts in rows}


def fold_reads(conn: Connection, *, before: str, account: str) -> None:
    """Count under the account what was counted before it was known."""
    conn.execute(statement("fold_reads"), {"before": before, "account": account})
