"""Which row of the table of bounds a change in a simulated company is, told from what changed together.

The rows are those of `services.poller.steady.bounds`; a change that no call looks for (a refund) has none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.poller.kinds import Kind
from services.poller.publishing.fingerprint import fingerprint
from services.poller.steady.bounds import Name
from simulator.changes import Change

Json = Mapping[str, Any]
ENDED = frozenset({"canceled", "incomplete_expired"})


def as_polled(kind: Kind, shown: Json) -> Json:
    """The object as the poller's reads show it: an invoice's discounts are ids there."""
    if kind != "invoice" or "discounts" not in shown:
        return shown
    ids = [each["id"] if isinstance(each, dict) else each for each in shown["discounts"]]
    return {**shown, "discounts": ids}


@dataclass(frozen=True, slots=True)
class Happened:
    """A change of one object at an instant (Unix seconds): the state it led to, and the rows that bound it."""

    at: int
    kind: Kind
    id: str
    fingerprint: str
    rows: tuple[Name, ...]
    told: str


class Telling:
    """Remembers every object as it was last shown, and tells what each change is."""

    def __init__(self) -> None:
        self.now: dict[str, Json] = {}

    def tell(self, changes: Iterable[Change]) -> list[Happened]:
        """The changes of one customer at one instant."""
        batch = list(changes)
        before = {change.id: self.now.get(change.id) for change in batch}
        for change in batch:
            self.now[change.id] = as_polled(change.kind, change.object)
        together = _Together(self, batch, before)
        return [self._happened(change, together) for change in batch]

    def _happened(self, change: Change, together: "_Together") -> Happened:
        rows = together.rows_of(change)
        old, new = together.before[change.id] or {}, self.now[change.id]
        moved = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        said = " ".join(str(new[name]) for name in ("status", "billing_reason") if new.get(name))
        told = f"{change.change} {said} {change.kind} {change.id} ({', '.join(moved) if old else 'new'}) as {rows}"
        return Happened(change.at, change.kind, change.id, fingerprint(change.kind, dict(new)), rows, told)

    def is_latest(self, happened: Happened) -> bool:
        """Whether it is no invoice and no payment of one, or the subscription has no newer one by now."""
        if happened.kind == "payment_intent":
            invoice = self.invoice_paid_by(happened.id)
            return invoice is None or self.latest_invoice_of(invoice)
        return happened.kind != "invoice" or self.latest_invoice_of(self.now[happened.id])

    def latest_invoice_of(self, invoice: Json) -> bool:
        """Whether it is the latest of a subscription that is not canceled: a list of those shows it."""
        sold = self.now.get(_subscription_of(invoice) or "")
        return sold is not None and sold["status"] != "canceled" and sold.get("latest_invoice") == invoice["id"]

    def runs(self, customer: str) -> bool:
        """Whether the customer has a subscription that has not ended."""
        return any(
            each["object"] == "subscription" and each["customer"] == customer and each["status"] not in ENDED
            for each in self.now.values()
        )

    def invoice_paid_by(self, intent: str | None) -> Json | None:
        """The invoice of a payment intent."""
        found = (each for each in self.now.values() if each["object"] == "invoice" and intent in _intents_of(each))
        return next(found, None) if intent else None


class _Together:
    """What changed of one customer at one instant."""

    def __init__(self, telling: Telling, batch: list[Change], before: Mapping[str, Json | None]) -> None:
        self._telling = telling
        self._batch = batch
        self.before = before
        self._charges = {
            change.object.get("payment_intent"): change.object
            for change in batch
            if change.kind == "charge" and change.change == "created"
        }
        self._settled = {
            change.object.get("payment_intent")
            for change in batch
            if change.kind == "charge" and (before[change.id] or {}).get("status") == "pending"
        }

    def rows_of(self, change: Change) -> tuple[Name, ...]:
        match change.kind:
            case "customer":
                return self._customer(change)
            case "subscription":
                return self._subscription(change)
            case "invoice":
                return self._invoice(change.object)
            case "charge":
                return self._charge(change)
            case "payment_intent":
                return self._intent(change)
            case "dispute":
                return ("dispute_opened",) if change.change == "created" else ("dispute_decided",)

    def _customer(self, change: Change) -> tuple[Name, ...]:
        if change.change == "created":
            return ("customer_created",)
        if change.change == "deleted":
            canceled = any(other.kind == "subscription" for other in self._batch)
            return ("subscribed_customer_deleted",) if canceled else ("customer_deleted",)
        return ("customer_changed",) if self._telling.runs(change.id) else ("customer_deleted",)

    def _subscription(self, change: Change) -> tuple[Name, ...]:
        old, new = self.before[change.id], self._telling.now[change.id]
        if old is None:
            return ("period",)
        found: list[Name] = []
        if _periods(old) != _periods(new) and new["status"] != "paused":
            found.append("period")
        if old["status"] != new["status"]:
            found += self._status(old, new)
        elif old.get("canceled_at") != new.get("canceled_at") or old.get("cancel_at") != new.get("cancel_at"):
            found.append("kept" if new.get("canceled_at") is None else "scheduled_cancellation")
        if old.get("pause_collection") != new.get("pause_collection"):
            found.append("collection_paused")
        if not found:
            found.append("invoiced_change" if self._is_billed(change.id) else "change")
        return tuple(found)

    def _status(self, old: Json, new: Json) -> tuple[Name, ...]:
        status, customer = new["status"], self._telling.now.get(new["customer"], {})
        if status == "canceled":
            due = old.get("cancel_at") is not None and old["cancel_at"] <= new["ended_at"]
            if due:
                return ("scheduled_end",)
            return ("subscribed_customer_deleted",) if customer.get("deleted") else ("cancellation",)
        if status == "paused":
            return ("trial_paused",)
        causes: list[Name] = [
            row
            for other in self._batch
            if other.kind == "invoice" and _subscription_of(other.object) == new["id"]
            for row in self._invoice(other.object)
        ]
        return tuple(causes) or ("change",)

    def _is_billed(self, subscription: str) -> bool:
        return any(
            other.kind == "invoice" and other.change == "created" and _subscription_of(other.object) == subscription
            for other in self._batch
        )

    def _charge(self, change: Change) -> tuple[Name, ...]:
        old, new = self.before[change.id], change.object
        if old is None:
            return self._paid_by(new)
        if old["status"] == "pending" and new["status"] != "pending":
            return ("debit_failure",)
        return ("dispute_opened",) if new["disputed"] and not old["disputed"] else ()

    def _intent(self, change: Change) -> tuple[Name, ...]:
        """It follows its charge and its invoice; what it shows of the customer is not looked for."""
        invoice = self._telling.invoice_paid_by(change.id)
        if invoice is None:
            return ()
        here = change.id in self._charges or any(other.id == invoice["id"] for other in self._batch)
        return self._invoice(invoice) if here or change.id in self._settled else ()

    def _paid_by(self, charge: Json) -> tuple[Name, ...]:
        invoice = self._telling.invoice_paid_by(charge.get("payment_intent"))
        latest = invoice is not None and self._telling.latest_invoice_of(invoice)
        if charge["status"] == "failed":
            told = latest and any(invoice is not None and other.id == invoice["id"] for other in self._batch)
            return ("card_failure",) if told else ("other_card_failure",)
        return ("paid_by_card",) if latest else ("paid_by_card_of_an_older_invoice",)

    def _invoice(self, shown: Json) -> tuple[Name, ...]:
        new = self._telling.now[shown["id"]]
        old = self.before.get(shown["id"])
        intents = _intents_of(new)
        if charge := next((self._charges[intent] for intent in intents if intent in self._charges), None):
            return self._begun(new) if charge["status"] == "pending" else self._paid_by(charge)
        if any(intent in self._settled for intent in intents):
            return ("debit_failure",)
        if old is None:
            return ("invoiced_change",) if new["billing_reason"] == "subscription_update" else ("period",)
        return self._moved(old, new)

    def _begun(self, invoice: Json) -> tuple[Name, ...]:
        """A debit that is pending says nothing yet that leads to its invoice."""
        return ("debit_begun",) if self._telling.latest_invoice_of(invoice) else ("closed_older_invoice",)

    def _moved(self, old: Json, new: Json) -> tuple[Name, ...]:
        latest = self._telling.latest_invoice_of(new)
        if old["status"] == "draft":
            if new["status"] == "draft":
                return ("draft",) if latest else ()
            return ("chargeless_attempt",) if new["status"] == "open" else ("draft",)
        if new["status"] == "paid":
            return ("paid_out_of_band",) if latest else ("closed_older_invoice",)
        if new["status"] in {"void", "uncollectible"}:
            return ("closed",) if latest else ("closed_older_invoice",)
        if new["status"] == "open":
            return ("chargeless_attempt",) if latest else ("closed_older_invoice",)
        return ()


def _subscription_of(invoice: Json) -> str | None:
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return found if isinstance(found, str) else None


def _intents_of(invoice: Json) -> list[str]:
    payments = (invoice.get("payments") or {}).get("data", [])
    return [each["payment"]["payment_intent"] for each in payments if each["payment"].get("payment_intent")]


def _periods(subscription: Json) -> list[int]:
    return [item["current_period_start"] for item in subscription["items"]["data"]]
