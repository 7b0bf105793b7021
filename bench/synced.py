"""A vast account as a poller knows it after its first sync: its rows are written instead of being read.

Fingerprints stay unknown: what a list shows for the first time counts as changed. Whoever measures reads the same pages
once before.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from simulator.founding import Company

_COLUMNS = (
    "connection_id, workspace_id, object_id, kind, subject, created, status, due_at, fingerprint, version, last_id,"
    " seen_version, seen_closed"
)
_UNREAD = ("", 1, UUID(int=0), 1, 1)
_ATTEMPT_TAKES = 600
_Object = tuple[str, str, str, int, str | None, int | None]
"""Id, kind, customer's id, created, status, when it is read alone."""


def write_as_synced(db: psycopg.Connection, company: Company, *, connection_id: str, workspace_id: str) -> None:
    """Write every customer, subscription and open invoice of the account, and the transactions of 30 days; its
    connection needs no first sync. `db` is the poller's schema, and is committed."""
    running = 0
    with db.cursor().copy(f"COPY objects ({_COLUMNS}) FROM STDIN") as rows:
        for object_id, kind, customer, created, status, due_at in _objects(company):
            place = (connection_id, workspace_id, object_id, kind, f"{connection_id}/{customer}")
            rows.write_row((*place, created, status, due_at, *_UNREAD))
            running += kind == "subscription" and status != "canceled"
    today = datetime.fromtimestamp(company.world.now, UTC).date()
    days = [(connection_id, today - timedelta(days=ago), running // 30) for ago in range(30)]
    db.cursor().executemany("INSERT INTO transaction_days VALUES (%s, %s, %s)", days)
    db.execute("UPDATE connections SET synced = true WHERE connection_id = %s", (connection_id,))
    db.commit()
    db.autocommit = True
    db.execute("ANALYZE objects")


def _objects(company: Company) -> Iterator[_Object]:
    ids, world = company.ids, company.world
    for sold in world.subscriptions.oldest(0, len(world.subscriptions)):
        customer = ids.encode("customer", sold.customer.number)
        yield customer, "customer", customer, sold.customer.created, None, None
        number = ids.encode("subscription", sold.number)
        yield number, "subscription", customer, sold.created, sold.status, sold.cancel_at
    for bill in world.invoices.newest(0, len(world.invoices), frozenset({"open"})):
        due_at = None if bill.next_payment_attempt is None else bill.next_payment_attempt + _ATTEMPT_TAKES
        customer = ids.encode("customer", bill.customer.number)
        yield ids.encode("invoice", bill.number), "invoice", customer, bill.created, bill.status, due_at
