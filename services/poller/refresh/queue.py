"""Requests for a fresh read, as rows until they are answered; the answers, through the pipeline's outbox.

A row goes in the transaction that puts its answer into the outbox, so a request is answered once for every time that
it was consumed, also through a crash; the relay may publish an answer again, under the same id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from pipeline.processor import Message
from pipeline.transaction import Transaction
from runtime.database import Connection
from schemas.catalogue import STRIPE_REFRESH_RESULT
from schemas.events.stripe import RefreshResult
from schemas.ids import derived_id
from services.poller.refresh.core import PATIENCE, TOO_OLD, Answer, Asked, unreadable, why_not_read
from services.poller.schema import MIGRATIONS
from services.poller.statements import statement
from services.poller.store import Owner, fence

BATCH = 50


def ask(conn: Connection, requests: Sequence[Asked]) -> None:
    """Write requests down, once each, and wake the pollers when that is committed."""
    with conn.cursor() as cursor:
        rows = [{**asdict(one), "invoice_ids": list(one.invoice_ids)} for one in requests]
        cursor.executemany(statement("ask"), rows)
        connections = dict.fromkeys(one.connection_id for one in requests)
        cursor.executemany(statement("wake_pollers"), [{"connection_id": each} for each in connections])


def asked_of(conn: Connection, owner: Owner) -> list[Asked]:
    """What is asked of a connection, the longest waiting first, some at a time."""
    columns = {"connection_id": owner.connection_id, "workspace_id": owner.workspace_id, "limit": BATCH}
    return [_asked(row) for row in conn.execute(statement("asked_of"), columns)]


def answer(conn: Connection, answers: Iterable[Answer], *, now: datetime) -> int:
    """Answer, in the caller's transaction; gives how many. `now` is domain time. What is no longer in the queue was
    answered by somebody else."""
    by_id = {one.asked.request_id: one for one in answers}
    taken = [row[0] for row in conn.execute(statement("take_answered"), {"ids": sorted(by_id)})]
    if taken:
        tx = Transaction(conn, group=MIGRATIONS.service, schema=MIGRATIONS.schema, partition=0, now=now)
        tx.lock("subject", [by_id[request_id].asked.subject for request_id in taken])
        for request_id in taken:
            tx.publish(_message(by_id[request_id], now))
        tx.flush()
    return len(taken)


def answer_hopeless(conn: Connection, *, now: datetime, machine_now: datetime) -> int:
    """Answer what no poller will read: its connection is not live, or not to be tried soon; or it is too old."""
    columns = {
        "machine_now": machine_now,
        "patience": PATIENCE.total_seconds(),
        "too_old": TOO_OLD.total_seconds(),
        "limit": BATCH,
    }
    answers: list[Answer] = []
    for *row, phase, said in conn.execute(statement("hopeless"), columns).fetchall():
        asked = _asked(row)
        reason = why_not_read(phase, said, age=machine_now - asked.asked_at)
        answers += unreadable([asked], reason, read_at=machine_now)
    return answer(conn, answers, now=now) if answers else 0


def refuse_all(conn: Connection, owner: Owner, reason: str, *, now: datetime, machine_now: datetime) -> int:
    """Answer everything that is asked of a connection that failed; raises LeaseLost where it is another's."""
    fence(conn, owner)
    return answer(conn, unreadable(asked_of(conn, owner), reason, read_at=machine_now), now=now)


def _asked(row: Sequence[object]) -> Asked:
    request_id, workspace_id, connection_id, customer_id, invoice_ids, requested_at, asked_at, reason = row
    return Asked(
        request_id=str(request_id),
        workspace_id=str(workspace_id),
        connection_id=str(connection_id),
        customer_id=str(customer_id),
        invoice_ids=tuple(invoice_ids) if isinstance(invoice_ids, list) else (),
        requested_at=_instant(requested_at),
        asked_at=_instant(asked_at),
        reason=str(reason),
    )


def _instant(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no instant")
    return value


def _message(one: Answer, now: datetime) -> Message:
    asked = one.asked
    result = RefreshResult(
        request_id=asked.request_id,
        connection_id=asked.connection_id,
        customer_id=asked.customer_id,
        read_at=one.read_at,
        outcome=one.outcome,
        reason=one.reason,
        versions=one.versions,
    )
    return Message(
        topic=STRIPE_REFRESH_RESULT,
        subject=asked.subject,
        key=asked.subject,
        id=derived_id(subject=asked.subject, rule="refresh_result", cause_id=asked.request_id),
        workspace_id=asked.workspace_id,
        value=result.encode(),
        time=now,
        connection_id=asked.connection_id,
        object_id=asked.customer_id,
    )
