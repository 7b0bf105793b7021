"""Which email an episode asks for: its variant, its tone, and what it tells. Never why a bank is suspicious.

The variant follows the last attempt: a customer who has to confirm is asked to confirm, one whose card is refused for
good to give another, and an invoice that was sent and not paid is overdue. A decline code itself is never told.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from schemas.events.decisions import DunningSender, WorkspaceSettings
from schemas.events.dunning_texts import EmailText, Standing, Tone, Variant
from services.dunning.cases import Case
from services.dunning.contact import contact_of
from services.dunning.decisions import Image
from services.dunning.episode import Episode, zone_of
from services.dunning.facts import Facts

_UPDATE = frozenset(
    """
    expired_card incorrect_number invalid_number incorrect_cvc invalid_cvc incorrect_zip invalid_expiry_month
    invalid_expiry_year card_not_supported currency_not_supported restricted_card no_payment_method
    payment_intent_payment_attempt_failed account_closed bank_account_closed debit_not_authorized no_account
    fraudulent merchant_blacklist security_violation invalid_account new_account_information_available
    """.split()
)
"""Decline codes after which another payment method is what helps, beside the hard ones."""
_FUNDS = frozenset({"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded"})


NOBODY = DunningSender(address="billing@sender.invalid", name="")
"""Whom an email is from that is only captured, while the workspace has no sender yet."""


class Line(msgspec.Struct, frozen=True):
    """One unpaid invoice. `amount` in minor units; `since` when it failed, or was due."""

    number: str | None
    amount: int
    currency: str
    since: datetime
    pay_url: str | None


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """All that an email says, before it is put into words."""

    variant: Variant
    tone: Tone
    standing: Standing
    company: str
    color: str | None
    logo_url: str | None
    company_address: str | None
    sender: DunningSender
    recipient: str
    name: str | None
    locales: tuple[str, ...]
    zone: str
    lines: tuple[Line, ...]
    totals: dict[str, int]
    pay_url: str | None
    """One link for all: the only invoice's, or that of the largest where there are several."""
    next_attempt_at: datetime | None
    text: EmailText | None = None
    """The company's own words; None: the usual ones."""


def letter_of(facts: Facts, image: Image, episode: Episode, now: datetime) -> Letter | None:
    """The email for an episode's step at `now`; None where there is no address, or nothing to ask for."""
    contact, cases = contact_of(facts, image, livemode=episode.livemode), episode.open_cases
    sender = image.sender or image.last(DunningSender) or NOBODY
    if contact.email is None or not cases:
        return None
    settings = image.settings
    variant, tone = _variant(cases), _tone(episode)
    attempts = [case.next_attempt_at for case in cases if case.next_attempt_at and case.next_attempt_at > now]
    return Letter(
        variant=variant,
        tone=tone,
        standing=_standing(cases),
        company=company_name(settings, sender),
        color=settings.color,
        logo_url=settings.logo_url,
        company_address=settings.address,
        sender=sender,
        recipient=contact.email,
        name=contact.name,
        locales=(*contact.locales, *((settings.locale,) if settings.locale else ())),
        zone=zone_of(facts, image, episode),
        lines=tuple(_line(case) for case in cases),
        totals=episode.totals(),
        pay_url=_pay_url(cases),
        next_attempt_at=min(attempts, default=None),
        text=image.text(variant, tone),
    )


def company_name(settings: WorkspaceSettings, sender: DunningSender) -> str:
    """What the company is called in emails."""
    return settings.name or sender.name or sender.address.partition("@")[2]


def _variant(cases: tuple[Case, ...]) -> Variant:
    """By the cases whose attempts failed; overdue ones have the word only where there are no others."""
    failed = [case for case in cases if case.kind == "failed"]
    if not failed:
        return "overdue" if any(case.kind == "overdue" for case in cases) else "recorded"
    if any(case.confirm for case in failed):
        return "confirm"
    if any(case.hard or case.reason in _UPDATE for case in failed):
        return "update"
    return "funds" if all(case.reason in _FUNDS for case in failed) else "retry"


def _tone(episode: Episode) -> Tone:
    if episode.step >= episode.policy.steps and episode.policy.steps > 1:
        return "final"
    return "first" if episode.step == 1 or episode.mailed == 0 else "reminder"


def _standing(cases: Iterable[Case]) -> Standing:
    """What is true of the subscription now: the last email must not threaten what has already happened."""
    statuses = {case.subscription_status for case in cases}
    if "unpaid" in statuses or "paused" in statuses:
        return "unpaid"
    return "canceled" if statuses == {"canceled"} else "active"


def _line(case: Case) -> Line:
    return Line(
        number=case.number,
        amount=case.remaining,
        currency=case.currency,
        since=case.due_at if case.kind == "overdue" and case.due_at else case.failed_at,
        pay_url=case.pay_url,
    )


def _pay_url(cases: tuple[Case, ...]) -> str | None:
    payable = [case for case in cases if case.pay_url]
    return max(payable, key=lambda case: case.remaining).pay_url if payable else None
