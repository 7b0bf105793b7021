"""`stripe.refresh_request.v1` as the pipeline runs it: a request becomes a row, and the pollers are woken."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from pipeline.errors import BadRecord
from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from schemas.catalogue import STRIPE_REFRESH_REQUEST, Topic
from schemas.events.stripe import RefreshRequest
from schemas.faults import faults_of
from services.poller.refresh.core import Asked
from services.poller.refresh.queue import ask

GROUP = "poller"
_ID = re.compile(r"[A-Za-z0-9_]+")
"""Ids become part of an address of Stripe's: nothing but an id may be one."""


class RefreshRequests:
    """The Processor of the poller."""

    group = GROUP
    inputs: tuple[Topic, ...] = (STRIPE_REFRESH_REQUEST,)

    def decode(self, record: Record) -> Asked:
        """The request in one record; raises BadRecord."""
        try:
            request = RefreshRequest.model_validate_json(record.value or b"")
        except ValidationError as error:
            raise BadRecord(f"it is no request: {faults_of(error)}") from error
        asked = Asked(
            request_id=request.request_id,
            workspace_id=record.envelope.workspace_id,
            connection_id=request.connection_id,
            customer_id=request.customer_id,
            invoice_ids=request.invoice_ids,
            requested_at=request.requested_at,
            asked_at=datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
            reason=request.reason,
        )
        if wrong := [each for each in (asked.customer_id, *asked.invoice_ids) if not _ID.fullmatch(each)]:
            raise BadRecord(f"{wrong[0]!r} is no id of Stripe's")
        if record.subject != asked.subject:
            raise BadRecord(f"it is about {asked.subject} and lies on the subject {record.subject}")
        return asked

    def apply(self, tx: Tx, facts: Sequence[Arrived[Asked]]) -> None:
        """Write the requests down; a poller that leases their connection answers them."""
        if facts:
            ask(tx.conn, [arrived.fact for arrived in facts])

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """The poller sets no timers."""
