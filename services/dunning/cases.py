"""Cases: each invoice (or failure recorded by hand) that asks for dunning, from its first failure to its end.

An invoice is a case when it failed by the predicate that signal 1 shares, or when it was sent and its due date
passed. What is on its way by bank debit has not failed. A case is found from facts alone; whether and when it is
mailed is the episode's matter.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from schemas.events.decisions import DunningRecorded, DunningSettled
from schemas.stripe.charges import HARD_DECLINES
from schemas.stripe.subscriptions import ENDED
from services.dunning.decisions import Image
from services.dunning.facts import Charge, Facts, Intent, Invoice, InvoiceView, web_link

CaseKind = Literal["failed", "overdue", "recorded"]
CaseEnd = Literal["paid", "cleared", "void", "uncollectible", "canceled", "customer_deleted", "disconnected"]
RECOVERING: frozenset[CaseEnd] = frozenset({"paid", "cleared"})
"""Ends after which nothing remains due because it was paid, or credited."""

CONFIRM = frozenset({"authentication_required", "payment_intent_authentication_failure"})


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One unpaid invoice, as it stands. Amounts in minor units of `currency`."""

    id: str
    kind: CaseKind
    cause: str
    """`ce_id` of the record (id of the decision) that showed it first."""
    seen_at: datetime
    """When that was."""
    failed_at: datetime
    """When the first attempt failed, or the due date passed, by Stripe."""
    proposed: bool
    """It is mailed only if a person starts it."""
    started_at: datetime
    """What its days are counted from: its failure, or when a person started it."""
    currency: str
    stake: int
    """What was due when it first failed."""
    remaining: int
    recovered: int
    """The money that came back since."""
    end: CaseEnd | None
    ended_at: datetime | None
    reason: str | None
    """The decline code of the last attempt."""
    hard: bool
    confirm: bool
    """The customer has to confirm the payment with the bank."""
    number: str | None
    pay_url: str | None
    next_attempt_at: datetime | None
    due_at: datetime | None
    subscription_id: str | None
    subscription_status: str | None
    canceling: bool
    sources: tuple[str, ...]
    """The records that speak for it, as topic/partition/offset."""
    livemode: bool = True


def cases_of(facts: Facts, image: Image, now: datetime) -> tuple[Case, ...]:
    """All cases of a subject at `now`, the oldest failure first. `image` holds what counts by then."""
    found = [case for invoice in facts.invoices.values() if (case := _case(facts, image, invoice, now)) is not None]
    found.extend(_recorded(image))
    return tuple(sorted(found, key=lambda case: (case.started_at, case.failed_at, case.id)))


def next_due_date(facts: Facts, now: datetime) -> datetime | None:
    """The next instant after `now` at which an invoice that was sent becomes overdue."""
    views = (invoice.latest for invoice in facts.invoices.values())
    dates = (
        view.due_at for view in views if not view.automatic and view.status == "open" and view.amount_remaining > 0
    )
    return min((date for date in dates if date is not None and date > now), default=None)


class _Failure(msgspec.Struct, frozen=True):
    """How an invoice came to be a case: the version that showed it, when it failed, when it was seen."""

    view: InvoiceView
    failed_at: datetime
    seen_at: datetime
    backfilled: bool


def _case(facts: Facts, image: Image, invoice: Invoice, now: datetime) -> Case | None:
    attempts = _Attempts(facts, invoice)
    failure = _overdue(invoice, now) if not invoice.latest.automatic else _failed(invoice, attempts)
    if failure is None:
        return None
    view, subscription = invoice.latest, facts.subscriptions.get(invoice.subscription_id)
    end, ended_at = _end(facts, image, invoice)
    proposed = failure.backfilled or image.until(failure.seen_at).mode == "off"
    started_at = _started(image, failure.seen_at) if proposed else None
    last = attempts.last_failed
    automatic = view.automatic
    stake = failure.view.amount_remaining
    return Case(
        id=invoice.id,
        kind="failed" if automatic else "overdue",
        cause=failure.view.seen.id,
        seen_at=failure.seen_at,
        failed_at=failure.failed_at,
        proposed=proposed and started_at is None,
        started_at=started_at or failure.failed_at,
        currency=invoice.currency,
        stake=stake,
        remaining=0 if end in RECOVERING else max(view.amount_remaining, 0),
        recovered=_recovered(failure.view, view, stake),
        end=end,
        ended_at=ended_at,
        reason=attempts.reason if automatic else None,
        hard=automatic and last is not None and last.hard,
        confirm=automatic and attempts.confirm,
        number=view.number,
        pay_url=view.pay_url,
        next_attempt_at=view.next_attempt_at,
        due_at=view.due_at,
        subscription_id=invoice.subscription_id,
        subscription_status=subscription.status if subscription else None,
        canceling=subscription is not None and subscription.canceling,
        sources=_sources(failure.view, last),
        livemode=facts.livemode,
    )


def _failed(invoice: Invoice, attempts: "_Attempts") -> _Failure | None:
    view = invoice.first_failing
    if view is None or invoice.latest.status == "draft":
        return None
    if attempts.slow and not attempts.failed and invoice.latest.attempts <= 1:
        return None
    first = attempts.failed[0].created_at if attempts.failed else view.attempted_at
    return _Failure(view, failed_at=min(first, view.seen.at), seen_at=view.seen.at, backfilled=view.seen.backfilled)


def _overdue(invoice: Invoice, now: datetime) -> _Failure | None:
    """An invoice that was sent is overdue from its due date on, if it was still open then as far as is known."""
    due_at, view = invoice.latest.due_at, invoice.latest
    if due_at is None or due_at > now or view.status == "draft":
        return None
    if view.closed_at is not None and view.closed_at <= due_at:
        return None
    if invoice.cleared is not None and invoice.cleared.at <= due_at:
        return None
    known_before = invoice.first.seen.at <= due_at
    return _Failure(
        invoice.first,
        failed_at=due_at,
        seen_at=due_at if known_before else invoice.first.seen.at,
        backfilled=invoice.first.seen.backfilled and not known_before,
    )


def _started(image: Image, seen_at: datetime) -> datetime | None:
    """When a person started what was proposed by then."""
    return next((ruling.at for ruling in image.acts("dunning.start") if ruling.at >= seen_at), None)


def _end(facts: Facts, image: Image, invoice: Invoice) -> tuple[CaseEnd | None, datetime | None]:
    """How and when it was over; the earliest of what ended it."""
    ends: list[tuple[datetime, CaseEnd]] = []
    view = invoice.latest
    match view.status:
        case "paid" | "void" | "uncollectible" as status:
            ends.append((view.closed_at or view.seen.at, status))
        case _ if view.amount_remaining <= 0 and invoice.cleared is not None:
            ends.append((invoice.cleared.at, "cleared"))
    subscription = facts.subscriptions.get(invoice.subscription_id)
    if subscription is not None and subscription.status in ENDED:
        ends.append((subscription.ended_at or subscription.seen.at, "canceled"))
    if facts.customer is not None and facts.customer.gone is not None:
        ends.append((facts.customer.gone.at, "customer_deleted"))
    if (ended_at := image.ended_at(facts.connection_id)) is not None:
        ends.append((ended_at, "disconnected"))
    paid = next(((at, end) for at, end in ends if end in RECOVERING), None)
    if not ends:
        return None, None
    at, end = paid or min(ends)
    return end, at


def _recovered(before: InvoiceView, view: InvoiceView, stake: int) -> int:
    """What was paid since it first failed, in or out of band; a credit note is no money."""
    credited = max(view.credited - before.credited, 0)
    if view.status == "paid":
        return max(stake - credited, 0)
    return min(max(view.amount_paid - before.amount_paid, 0), stake)


def _sources(view: InvoiceView, charge: Charge | None) -> tuple[str, ...]:
    seen = [view.seen] if charge is None else [view.seen, charge.seen]
    return tuple(f"{one.topic}/{one.partition}/{one.offset}" for one in seen)


class _Attempts:
    """The charges and payment intents of an invoice, linked by what any of the three objects says."""

    def __init__(self, facts: Facts, invoice: Invoice) -> None:
        self.intents = [intent for _, intent in sorted(facts.intents.items()) if _is_for(intent, invoice)]
        names = {*invoice.intents, *(intent.id for intent in self.intents)}
        linked = [
            charge
            for charge in facts.charges.values()
            if charge.invoice == invoice.id or charge.intent in names or charge.id in invoice.charges
        ]
        self.charges = sorted(linked, key=lambda charge: (charge.created_at, charge.id))

    @property
    def failed(self) -> list[Charge]:
        return [charge for charge in self.charges if charge.status == "failed"]

    @property
    def last_failed(self) -> Charge | None:
        failed = self.failed
        return failed[-1] if failed else None

    @property
    def slow(self) -> bool:
        """Whether a bank debit was on its way: until it ends, an open and attempted invoice has not failed."""
        return any(charge.slow for charge in self.charges) or any(intent.processing for intent in self.intents)

    @property
    def confirm(self) -> bool:
        """Whether the customer has to confirm: by the last attempt, or by an intent that waits for it."""
        waits = any(intent.status == "requires_action" for intent in self.intents)
        return waits or self.reason in CONFIRM

    @property
    def reason(self) -> str | None:
        """Why the last attempt failed: the decline code of its charge, else what an intent said."""
        if self.last_failed is not None:
            return self.last_failed.reason
        return next((intent.reason for intent in self.intents if intent.reason is not None), None)


def _is_for(intent: Intent, invoice: Invoice) -> bool:
    return intent.id in invoice.intents or intent.invoice == invoice.id


def _recorded(image: Image) -> Iterator[Case]:
    """Failures that a person recorded: they are started by that."""
    for ruling, detail in image.each(DunningRecorded):
        settled = next(
            (
                (one.at, by.outcome)
                for one, by in image.each(DunningSettled)
                if one.at >= ruling.at and by.failure_id in {None, ruling.id}
            ),
            None,
        )
        paid = settled is not None and settled[1] == "paid"
        yield Case(
            id=ruling.id,
            kind="recorded",
            cause=ruling.id,
            seen_at=ruling.at,
            failed_at=detail.failed_at or ruling.at,
            proposed=False,
            started_at=ruling.at,
            currency=detail.currency,
            stake=detail.amount,
            remaining=0 if paid else detail.amount,
            recovered=detail.amount if paid else 0,
            end=settled[1] if settled else None,
            ended_at=settled[0] if settled else None,
            reason=detail.reason,
            hard=detail.reason in HARD_DECLINES,
            confirm=detail.reason in CONFIRM,
            number=detail.number,
            pay_url=web_link(detail.pay_url),
            next_attempt_at=None,
            due_at=None,
            subscription_id=None,
            subscription_status=None,
            canceling=False,
            sources=(f"decision {ruling.id}",),
            livemode=detail.livemode,
        )
