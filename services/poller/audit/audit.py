"""The audit of requests: `stripe.api_call.v1`, the table behind `analytics.api_calls`, and the read meter.

Requests are queued when they are made and written in batches a moment later: first the topic, then the rows with
the offsets they have there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from time import monotonic

from psycopg.types.json import Jsonb

from runtime.database import Connection
from schemas.catalogue import STRIPE_API_CALL
from schemas.envelope import Envelope
from schemas.events.stripe import ApiCall
from services.poller.audit.explain import call_of
from services.poller.budget import Reads
from services.poller.outside import Outside
from services.poller.reading.calls import CallMade
from services.poller.statements import statement

GATHER_SECONDS = 0.5
EXPIRE_EVERY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Audited:
    """A request and whose it was. `account` is what the meter counts by."""

    connection_id: str
    workspace_id: str
    account: str
    call: CallMade


class Audit:
    """Takes requests and writes them; `run` until cancelled, `flush` at the end."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._waiting: list[Audited] = []
        self._arrived = asyncio.Event()
        self._expired_at = float("-inf")

    def add(self, audited: Audited) -> None:
        self._waiting.append(audited)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what cannot be written is kept and the error raised."""
        self._arrived.clear()
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            await self._outside.run(lambda conn: self._write(conn, batch))
        except BaseException:
            self._waiting = batch + self._waiting
            self._arrived.set()
            raise

    def _write(self, conn: Connection, batch: Sequence[Audited]) -> None:
        events = [_event(audited) for audited in batch]
        producer = self._outside.producer
        sent = [
            producer.send(
                STRIPE_API_CALL,
                subject=audited.connection_id,
                key=audited.connection_id,
                value=event.encode(),
                headers=_envelope(audited, event).headers(),
            )
            for audited, event in zip(batch, events, strict=True)
        ]
        producer.settle(sent)
        rows = [
            {**_row(audited, event), "source_partition": placed.partition, "source_offset": placed.offset}
            for audited, event, placed in zip(batch, events, (ack.get() for ack in sent), strict=True)
        ]
        with conn.cursor() as cursor:
            cursor.executemany(statement("write_calls"), rows)
            cursor.executemany(statement("count_reads"), _account_days(batch))
        if monotonic() - self._expired_at > EXPIRE_EVERY_SECONDS and STRIPE_API_CALL.retention is not None:
            self._expired_at = monotonic()
            conn.execute(statement("expire_calls"), {"before": batch[-1].call.at - STRIPE_API_CALL.retention})


def _event(audited: Audited) -> ApiCall:
    call = audited.call
    return ApiCall(
        call_id=call_of(audited.connection_id, call.version),
        connection_id=audited.connection_id,
        at=call.at,
        endpoint=call.endpoint,
        parameters=dict(call.parameters),
        purpose=call.purpose,
        status=call.status,
        error=call.error,
        request_id=call.request_id,
        milliseconds=call.milliseconds,
        objects=call.objects,
        reads_used=call.reads_used,
        reads_allowed=call.reads_allowed,
    )


def _envelope(audited: Audited, event: ApiCall) -> Envelope:
    return Envelope(
        id=event.call_id,
        source="/poller",
        type=STRIPE_API_CALL.name,
        time=event.at,
        subject=audited.connection_id,
        workspace_id=audited.workspace_id,
        connection_id=audited.connection_id,
    )


def _row(audited: Audited, event: ApiCall) -> dict[str, object]:
    columns = event.model_dump(exclude={"at", "method", "parameters"})
    return {
        **columns,
        "workspace_id": audited.workspace_id,
        "called_at": event.at,
        "parameters": Jsonb(event.parameters),
        "source_topic": STRIPE_API_CALL.name,
    }


def _account_days(batch: Sequence[Audited]) -> list[dict[str, object]]:
    days: dict[tuple[str, date], Reads] = {}
    for audited in batch:
        place = audited.account, audited.call.at.date()
        days[place] = days.get(place, Reads()).plus(audited.call.purpose)
    ordered = sorted(days.items(), key=lambda item: item[0])
    return [{"account": account, "day": day, **asdict(reads)} for (account, day), reads in ordered]
