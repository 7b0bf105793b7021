"""Signal 1: an automatic payment of a running subscription failed.

Each invoice that failed is a stretch of time, from its first failed attempt to the end of its debt. Stretches that
overlap are one signal: a second failing invoice joins the open one, and it is resolved when the last is settled.
"""

from typing import Any

import msgspec

from schemas.events.signal import SignalCode
from services.detector.facts import Facts, Invoice
from services.detector.rules.attempts import AttemptIndex, Attempts, due_at, first_failure_at
from services.detector.rules.base import GRACE, Exhibit, Finding, Found, Policy, earliest, first_cause, history_starts
from services.detector.wording import amounts_text, day, moment, reason_text

_ENDS = {
    "paid": "paid",
    "void": "voided",
    "uncollectible": "written off as uncollectible",
    "cleared": "settled without a payment",
}


class Case(msgspec.Struct, frozen=True):
    """One invoice that failed: since when, and until when and how it ended. Unix seconds."""

    invoice: Invoice
    attempts: Attempts
    opened_at: int
    closed_at: int | None
    end: str | None

    @property
    def amount(self) -> int:
        """What is or was at stake, minor units of the invoice's currency."""
        view = self.invoice.latest
        return view.amount_due if self.end else view.amount_remaining

    @property
    def exhausted(self) -> bool:
        """Whether no further attempt was scheduled when it was last seen failing."""
        view = self.invoice.last_failing
        return view is not None and view.next_attempt_at is None

    @property
    def hard(self) -> bool:
        return self.attempts.last_failed is not None and self.attempts.last_failed.hard


class PaymentFailed:
    """The rule `payment_failed`."""

    code: SignalCode = "payment_failed"

    def find(self, facts: Facts, policy: Policy, now: int) -> Found:
        """Failures that overlap are one signal; none of them before the history that the policy asks for. `now` in Unix
        seconds; looked at again when the first attempt that is waited for can be told."""
        since = history_starts(facts, policy)
        index = AttemptIndex(facts)
        cases, waiting = [], []
        for invoice in facts.invoices.values():
            attempts = index.on(invoice)
            known_at = _known_at(invoice, attempts)
            case = _case(invoice, attempts)
            if case is not None and known_at <= now:
                cases.append(case)
            elif case is not None:
                waiting.append(known_at)
        groups = [group for group in _overlapping(cases) if any(case.opened_at >= since for case in group)]
        return Found(tuple(_finding(group) for group in groups), earliest(*waiting))


def _known_at(invoice: Invoice, attempts: Attempts) -> int:
    """When an open invoice can be said to have failed. An attempt without a charge looks like a bank debit whose
    charge has not arrived yet: that is told apart by the charge, by its intent, or by waiting."""
    told = attempts.charges or attempts.intents or invoice.latest.attempts > 1
    return 0 if told or invoice.latest.status != "open" else due_at(invoice) + GRACE


def _case(invoice: Invoice, attempts: Attempts) -> Case | None:
    if not invoice.latest.automatic or invoice.latest.status == "draft":
        return None
    opened_at = first_failure_at(invoice, attempts)
    if opened_at is None:
        return None
    closed_at, end = _ended(invoice, opened_at)
    return Case(invoice=invoice, attempts=attempts, opened_at=opened_at, closed_at=closed_at, end=end)


def _ended(invoice: Invoice, opened_at: int) -> tuple[int | None, str | None]:
    """When and how nothing remained due; (None, None) while something does."""
    view = invoice.latest
    if view.status in {"paid", "void", "uncollectible"}:
        return max(view.closed_at or view.seen.observed_at // 1_000_000, opened_at), view.status
    if view.amount_remaining <= 0 and invoice.cleared_at is not None:
        return max(invoice.cleared_at // 1_000_000, opened_at), "cleared"
    return None, None


def _overlapping(cases: list[Case]) -> list[list[Case]]:
    """Groups whose stretches of time overlap, the oldest first."""
    groups: list[list[Case]] = []
    for case in sorted(cases, key=lambda case: (case.opened_at, case.invoice.id)):
        if groups and any(one.closed_at is None or one.closed_at > case.opened_at for one in groups[-1]):
            groups[-1].append(case)
        else:
            groups.append([case])
    return groups


def _finding(cases: list[Case]) -> Finding:
    still_open = [case for case in cases if case.closed_at is None]
    ends = [(case.closed_at, case.end) for case in cases if case.closed_at is not None]
    resolved_at, resolution = (None, None) if still_open else max(ends)
    return Finding(
        code="payment_failed",
        cause=first_cause(("invoice", case.invoice.first) for case in cases),
        severity="critical" if any(case.hard or case.exhausted for case in still_open or cases) else "high",
        opened_at=cases[0].opened_at,
        resolved_at=resolved_at,
        resolution=resolution,
        sentence=_open_sentence(still_open) if still_open else _closed_sentence(cases),
        detail={"invoices": [_detail(case) for case in cases]},
        evidence=tuple(exhibit for case in cases for exhibit in _evidence(case)),
    )


def _money(cases: list[Case]) -> str:
    return amounts_text((case.amount, case.invoice.currency) for case in cases)


def _open_sentence(cases: list[Case]) -> str:
    since, reason = day(cases[0].opened_at), reason_text(cases[-1].attempts.reason)
    if len(cases) == 1:
        return f"A payment of {_money(cases)} failed on {since}: {reason}. {_what_next(cases)}"
    return (
        f"{len(cases)} payments, {_money(cases)} in all, have failed since {since}; the last one: {reason}."
        f" {_what_next(cases)}"
    )


def _what_next(cases: list[Case]) -> str:
    planned = [at for case in cases if (at := case.invoice.latest.next_attempt_at) is not None]
    return f"Stripe tries again on {day(min(planned))}." if planned else "No further attempt is scheduled."


def _closed_sentence(cases: list[Case]) -> str:
    closed_at, end = max((case.closed_at or case.opened_at, case.end or "") for case in cases)
    since, how = day(cases[0].opened_at), f"{_ENDS[end]} on {day(closed_at)}"
    if len(cases) == 1:
        return f"A payment of {_money(cases)} that failed on {since} was {how}."
    return f"{len(cases)} payments, {_money(cases)} in all, had failed since {since}; the last of them was {how}."


def _detail(case: Case) -> dict[str, Any]:
    view = case.invoice.latest
    return {
        "invoice_id": case.invoice.id,
        "number": view.number,
        "subscription_id": case.invoice.subscription_id,
        "amount": case.amount,
        "currency": case.invoice.currency,
        "failed_at": moment(case.opened_at),
        "reason": case.attempts.reason,
        "hard_decline": case.hard,
        "failed_charges": len(case.attempts.failed),
        "attempt_count": view.attempts,
        "next_attempt_at": None if case.end else moment(view.next_attempt_at),
        "ended": case.end,
        "ended_at": moment(case.closed_at),
    }


def _evidence(case: Case) -> list[Exhibit]:
    invoice, view = case.invoice, case.invoice.last_failing
    found = []
    if view is not None:
        due = amounts_text([(view.amount_remaining, invoice.currency)])
        found.append(Exhibit("invoice", invoice.id, view.seen, f"Open after attempt {view.attempts}, {due} due."))
    for charge in case.attempts.failed:
        if charge.failed is not None:
            says = f"The attempt of {day(charge.created_at)} failed: {reason_text(charge.reason)}."
            found.append(Exhibit("charge", charge.id, charge.failed, says))
    for intent in case.attempts.intents:
        if intent.problem is not None and not case.attempts.failed:
            says = f"The payment could not be made: {reason_text(intent.reason)}."
            found.append(Exhibit("payment_intent", intent.id, intent.problem, says))
    if case.end is not None or not found:
        says = f"It was {_ENDS[case.end]}." if case.end else f"It needed {invoice.latest.attempts} attempts."
        found.append(Exhibit("invoice", invoice.id, invoice.latest.seen, says))
    return found
