"""Who asks for fresh reads, and reads the answers; and an account in which somebody's payment has just failed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import kafka

from schemas.catalogue import STRIPE_REFRESH_REQUEST, STRIPE_REFRESH_RESULT
from schemas.envelope import Envelope
from schemas.events.stripe import RefreshRequest, RefreshResult
from schemas.partition import partition_of
from tests.integration.poller.running import WORKSPACE, Account, RunningPoller, read_topic

NO_POLLS = {"DROPFIX_POLL_SECONDS": "86400"}
"""Nothing but what is asked for is read once the first sync is done."""


def act(account: Account, verb: str, **wanted: object) -> httpx.Response:
    return httpx.post(f"{account.address}/_act", json={"do": verb, **wanted}, timeout=30)


def failed_payment(account: Account) -> tuple[str, str]:
    """(customer, invoice) of a payment that fails now."""
    for subscription in listed(account, "subscriptions", status="active", limit="100"):
        if act(account, "fail_now", subscription=subscription["id"]).is_success:
            customer: str = subscription["customer"]
            return customer, listed(account, "invoices", status="open", customer=customer)[0]["id"]
    raise AssertionError("nobody's payment could be made to fail")


def listed(account: Account, path: str, **filters: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {account.key()}"}
    answer = httpx.get(f"{account.address}/v1/{path}", params=filters, headers=headers, timeout=30)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


@dataclass
class Asking:
    """Who asks for fresh reads, and reads the answers."""

    account: Account
    poller: RunningPoller
    connection_id: str
    customer: str
    invoice: str

    @classmethod
    def live(cls, account: Account, poller: RunningPoller, **environment: str) -> "Asking":
        """Somebody's payment has failed, and the account was read for the first time."""
        customer, invoice = failed_payment(account)
        poller.start(**NO_POLLS, **environment)
        connection_id = poller.connect(account.key())
        poller.wait(connection_id, "live")
        return cls(account, poller, connection_id, customer, invoice)

    def ask(
        self, customer: str, *invoices: str, at: datetime | None = None, to: str | None = None, **other: Any
    ) -> str:
        """Ask about a customer; `at` is when the record came into the log, `to` a connection other than the usual."""
        connection_id = to or self.connection_id
        request = RefreshRequest(
            request_id=str(uuid4()),
            connection_id=connection_id,
            customer_id=customer,
            invoice_ids=invoices,
            requested_at=datetime.now(UTC),
            reason="email 1 of 3 is due",
        )
        subject = f"{connection_id}/{customer}"
        envelope = Envelope(
            id=request.request_id,
            source="test",
            type=STRIPE_REFRESH_REQUEST.name,
            time=request.requested_at,
            subject=subject,
            workspace_id=other.get("workspace_id", WORKSPACE),
            connection_id=connection_id,
        )
        producer = kafka.KafkaProducer(bootstrap_servers=self.poller.broker.bootstrap_servers)
        producer.send(
            STRIPE_REFRESH_REQUEST.full_name(self.poller.broker.prefix),
            key=subject.encode(),
            value=request.encode(),
            headers=list(envelope.headers()),
            partition=partition_of(subject, STRIPE_REFRESH_REQUEST.partitions),
            timestamp_ms=int(at.timestamp() * 1000) if at else None,
        ).get(timeout=30)
        producer.close()
        return request.request_id

    def answers(self) -> list[RefreshResult]:
        return [RefreshResult.model_validate_json(record.value) for record in self.answer_records()]

    def answer_records(self) -> list[Any]:
        return read_topic(self.poller.broker, STRIPE_REFRESH_RESULT)

    def answered(self, request_id: str, *, seconds: float = 60.0) -> RefreshResult:
        """The answer, once it is there."""
        self.poller.until(
            "the request is answered", lambda: any(a.request_id == request_id for a in self.answers()), seconds=seconds
        )
        return next(answer for answer in self.answers() if answer.request_id == request_id)

    def act(self, verb: str, **wanted: object) -> None:
        act(self.account, verb, **wanted).raise_for_status()

    def purposes(self) -> dict[str, int]:
        return dict(self.poller.calls())
