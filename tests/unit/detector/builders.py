"""Stripe's objects of one customer, as small as a rule lets them be, and what follows from them."""

from typing import Any

from services.detector import core
from services.detector.core import SubjectState
from services.detector.facts import Kind, Observed, Seen
from services.detector.readers import read
from services.detector.rules.base import Finding, Policy

NOW = 1_790_000_000
HOUR = 3600
DAY = 86_400
SUBJECT = "con_1/cus_1"


def invoice(**changes: Any) -> dict[str, Any]:
    """A renewal that was finalized three days ago, tried once, and is to be tried again tomorrow."""
    created = changes.pop("created", NOW - 3 * DAY)
    return {
        "id": "in_1",
        "object": "invoice",
        "customer": "cus_1",
        "status": "open",
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        "payments": {"data": [{"is_default": True, "payment": {"payment_intent": "pi_1"}}]},
        "currency": "usd",
        "created": created,
        "attempted": True,
        "attempt_count": 1,
        "amount_due": 4900,
        "amount_remaining": 4900,
        "next_payment_attempt": NOW + DAY,
        "number": "A-0001",
        "status_transitions": {"finalized_at": created + HOUR},
        **changes,
    }


def ended(status: str, at: int, **changes: Any) -> dict[str, Any]:
    """That invoice once it was paid, voided or written off."""
    moment = {"paid": "paid_at", "void": "voided_at", "uncollectible": "marked_uncollectible_at"}[status]
    found = invoice(status=status, next_payment_attempt=None, **changes)
    found["status_transitions"] = {**found["status_transitions"], moment: at}
    if status == "paid":
        found["amount_remaining"] = 0
        found["payments"] = {"data": [{"status": "paid", "payment": {"payment_intent": "pi_1"}}]}
    return found


def charge(**changes: Any) -> dict[str, Any]:
    """The failed attempt of that invoice."""
    return {
        "id": "ch_1",
        "object": "charge",
        "customer": "cus_1",
        "status": "failed",
        "created": NOW - 3 * DAY + HOUR,
        "payment_intent": "pi_1",
        "failure_code": "card_declined",
        "outcome": {"type": "issuer_declined", "reason": "insufficient_funds"},
        "payment_method_details": {"type": "card"},
        **changes,
    }


def intent(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "customer": "cus_1",
        "status": "requires_payment_method",
        **changes,
    }


def subscription(**changes: Any) -> dict[str, Any]:
    """A subscription that has run for a hundred days."""
    return {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": "active",
        "created": NOW - 100 * DAY,
        "start_date": NOW - 100 * DAY,
        "billing_cycle_anchor": NOW - 100 * DAY,
        **changes,
    }


class Subject:
    """One customer: objects go in as observations, and what follows comes out."""

    def __init__(self) -> None:
        self.state: SubjectState = core.empty(SUBJECT)
        self._version = 0

    def observe(self, *objects: dict[str, Any], at: int = NOW) -> "Subject":
        for obj in objects:
            self._version += 1
            kind: Kind = obj["object"]
            seen = Seen(self._version, at * 1_000_000, f"ce_{self._version}", 0, self._version)
            observed = Observed(
                workspace_id="ws_1",
                connection_id="con_1",
                customer_id="cus_1",
                livemode=False,
                observed_at=seen.observed_at,
                fact=read(kind, obj, seen),
            )
            self.state = core.merge(self.state, observed)
        return self

    def findings(self, code: str, *, now: int = NOW, policy: Policy | None = None) -> list[Finding]:
        return [one for one in core.findings(self.state, policy or Policy(), now) if one.code == code]

    def decide(self, *, now: int = NOW) -> list[str]:
        """What is said now, as (step) in order; the state remembers it."""
        outcome = core.decide(self.state, Policy(), now)
        self.state = outcome.state
        return [f"{one.signal.finding.code} {one.step}" for one in outcome.publications]


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding
