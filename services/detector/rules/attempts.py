"""Which attempts were made on an invoice, and what came of them: the charges and intents that belong to it."""

import msgspec

from services.detector.facts import Charge, Facts, Intent, Invoice

PROMPT = 300
"""Seconds after an invoice's finalization within which Stripe makes its first attempt."""


class Attempts(msgspec.Struct, frozen=True):
    """The charges of an invoice, the oldest first, and its payment intents in the order of their ids."""

    charges: tuple[Charge, ...]
    intents: tuple[Intent, ...]

    @property
    def failed(self) -> tuple[Charge, ...]:
        return tuple(charge for charge in self.charges if charge.failed is not None)

    @property
    def last_failed(self) -> Charge | None:
        failed = self.failed
        return failed[-1] if failed else None

    @property
    def slow(self) -> bool:
        """Whether a bank debit was on its way: until it ends, an open and attempted invoice has not failed."""
        return any(charge.slow for charge in self.charges) or any(intent.processing for intent in self.intents)

    @property
    def reason(self) -> str | None:
        """Why the last attempt failed: the decline code of its charge, else what an intent said."""
        if self.last_failed is not None:
            return self.last_failed.reason
        return next((intent.reason for intent in self.intents if intent.reason is not None), None)


class AttemptIndex:
    """Links charges and intents to invoices by what any of the three says: the invoice's payments first, else the
    hints of the others. Built once and asked for every invoice, since daily plans have thousands."""

    def __init__(self, facts: Facts) -> None:
        self._charges = facts.charges
        self._intents = facts.intents
        self._charges_of_intent: dict[str, list[Charge]] = {}
        self._charges_of_invoice: dict[str, list[Charge]] = {}
        self._intents_of_invoice: dict[str, list[str]] = {}
        for charge in facts.charges.values():
            if charge.intent is not None:
                self._charges_of_intent.setdefault(charge.intent, []).append(charge)
            if charge.invoice is not None:
                self._charges_of_invoice.setdefault(charge.invoice, []).append(charge)
        for intent in facts.intents.values():
            if intent.invoice is not None:
                self._intents_of_invoice.setdefault(intent.invoice, []).append(intent.id)

    def on(self, invoice: Invoice) -> Attempts:
        """What is known of the attempts on an invoice."""
        names = sorted({*invoice.intents, *self._intents_of_invoice.get(invoice.id, ())})
        linked = {charge.id: charge for charge in self._charges_of_invoice.get(invoice.id, ())}
        for name in names:
            linked |= {charge.id: charge for charge in self._charges_of_intent.get(name, ())}
        linked |= {name: self._charges[name] for name in invoice.charges if name in self._charges}
        return Attempts(
            charges=tuple(sorted(linked.values(), key=lambda charge: (charge.created_at, charge.id))),
            intents=tuple(self._intents[name] for name in names if name in self._intents),
        )


def first_failure_at(invoice: Invoice, attempts: Attempts) -> int | None:
    """When the first attempt on an automatically collected invoice failed, Unix seconds: None where none did.

    It is the creation of the first failed charge. An attempt that makes no charge (no payment method, the customer
    has to confirm) leaves no time of its own, but the first attempt is made when the invoice is finalized: so where
    the first charge came later than that, an attempt without one came before it.
    """
    if not attempts.failed:
        return due_at(invoice) if _failed_without_charge(invoice, attempts) else None
    first = attempts.failed[0]
    return due_at(invoice) if not attempts.slow and _came_late(first, invoice) else first.created_at


def due_at(invoice: Invoice) -> int:
    """When the first attempt was due: at its finalization, which a server with fewer fields may not tell."""
    view = invoice.latest
    return view.created_at if view.finalized_at is None else view.finalized_at


def _came_late(charge: Charge, invoice: Invoice) -> bool:
    finalized_at = invoice.latest.finalized_at
    return finalized_at is not None and charge.created_at - finalized_at >= PROMPT


def _failed_without_charge(invoice: Invoice, attempts: Attempts) -> bool:
    """Whether the first attempt failed though no charge says so. A second one is only made after a failed one."""
    view = invoice.latest
    if view.attempts > 1:
        return True
    if attempts.slow or view.attempts < 1:
        return False
    given_up = view.status in {"void", "uncollectible"} and view.amount_remaining > 0
    return invoice.first_failing is not None or given_up or view.off_stripe or _paid_late(invoice, attempts)


def _paid_late(invoice: Invoice, attempts: Attempts) -> bool:
    """Whether it was paid by a charge made long after the first attempt: the customer came back to it."""
    paid = [charge for charge in attempts.charges if charge.succeeded]
    return bool(paid) and _came_late(paid[0], invoice)
