"""How payment methods end their attempts, and the declines that banks give."""

from collections.abc import Sequence

from simulator.company.chance import Chance
from simulator.company.model import Customer, Decline, PaymentMethod, numbered
from simulator.company.periods import DAY, shift

INSUFFICIENT = Decline(
    "card_declined", "insufficient_funds", "Your card has insufficient funds.", "insufficient_funds", "51",
    "try_again_later",
)  # fmt: skip
GENERIC = Decline(
    "card_declined", "generic_decline", "Your card was declined.", "generic_decline", "05", "try_again_later"
)
DO_NOT_HONOR = Decline(
    "card_declined", "do_not_honor", "Your card was declined.", "do_not_honor", "05", "try_again_later"
)
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "expired_card", "54", "confirm_card_data")
LOST = Decline(
    "card_declined", "lost_card", "Your card was declined.", "lost_card", "41", "do_not_try_again", hard=True
)
STOLEN = Decline(
    "card_declined", "stolen_card", "Your card was declined.", "stolen_card", "43", "do_not_try_again", hard=True
)
REVOKED = Decline(
    "card_declined", "revocation_of_authorization", "Your card was declined.", "revocation_of_authorization", "R1",
    "do_not_try_again", hard=True,
)  # fmt: skip
BLOCKED = Decline(
    "card_declined", "highest_risk_level", "Your card was declined.", "fraudulent", outcome="blocked", hard=True
)
AUTHENTICATE = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
    charged=False,
)
AUTHENTICATE_CHARGED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
    "1A",
    hard=True,
)
DEBIT_FAILED = Decline(
    "insufficient_funds", "insufficient_funds", "The customer's account has insufficient funds to cover this payment.",
    None, "R01",
)  # fmt: skip

_NAMED = {
    decline.reason: decline
    for decline in (
        INSUFFICIENT, GENERIC, DO_NOT_HONOR, EXPIRED, LOST, STOLEN, REVOKED, BLOCKED, AUTHENTICATE, AUTHENTICATE_CHARGED
    )
} | {AUTHENTICATE.reason: AUTHENTICATE}  # fmt: skip
_HARD = frozenset(
    {"incorrect_number", "pickup_card", "revocation_of_all_authorizations", "transaction_not_allowed"}
)  # those that Stripe does not retry, beside the ones above
_SOFT = frozenset({
    "approve_with_id", "call_issuer", "card_not_supported", "card_velocity_exceeded", "currency_not_supported",
    "duplicate_transaction", "fraudulent", "invalid_account", "invalid_amount", "issuer_not_available",
    "new_account_information_available", "no_action_taken", "not_permitted", "processing_error", "reenter_transaction",
    "restricted_card", "security_violation", "service_not_allowed", "stop_payment_order", "try_again_later",
    "withdrawal_count_limit_exceeded",
})  # fmt: skip
_CODES = {"processing_error": "processing_error", "incorrect_number": "incorrect_number"}
REASONS = tuple(sorted(_NAMED.keys() | _HARD | _SOFT))
"""The decline codes that an attempt can be made to fail with."""


def declined(reason: str) -> Decline | None:
    """A decline of that code, or None for one that banks do not give."""
    if reason in _NAMED:
        return _NAMED[reason]
    if reason not in REASONS:
        return None
    hard = reason in _HARD
    advice = "do_not_try_again" if hard else "try_again_later"
    code = _CODES.get(reason, "card_declined")
    return Decline(code, reason, "Your card was declined.", reason, "05", advice, hard=hard)


_BRANDS = ((6.0, "visa"), (3.0, "mastercard"), (0.7, "amex"), (0.3, "discover"))


def new_method(customer: Customer, habit: str, at: int) -> PaymentMethod:
    """A payment method of the customer's own country; `habit` tells how it behaves (see `card_outcome`)."""
    chance = customer.chance
    number = numbered(customer.number, customer.methods)
    customer.methods += 1
    kind = habit if habit in {"us_bank_account", "sepa_debit"} else "card"
    expires = at + chance.between(15, 70) * DAY if habit == "expiring" else shift(at, "month", chance.between(20, 50))
    year, month = _month_of(expires)
    return PaymentMethod(
        number=number,
        kind="us_bank_account" if kind == "us_bank_account" else "sepa_debit" if kind == "sepa_debit" else "card",
        brand=chance.weighted(_BRANDS),
        last4=f"{chance.between(0, 9999):04d}",
        country=customer.country,
        exp_month=month,
        exp_year=year,
        fingerprint=f"{chance.bits():016x}",
        habit=habit,
    )


def _month_of(at: int) -> tuple[int, int]:
    months = int((at / DAY + 0.5) / 30.436875) + 1970 * 12
    return months // 12, months % 12 + 1


def expired(method: PaymentMethod, at: int) -> bool:
    return _month_of(at) > (method.exp_year, method.exp_month)


def card_outcome(method: PaymentMethod, chance: Chance, at: int, *, tries: int) -> Decline | None:
    """How an attempt ends that follows `tries` others on the same invoice."""
    again = tries > 0
    found: tuple[float, Sequence[Decline]] = (0.012, (INSUFFICIENT, GENERIC, DO_NOT_HONOR))
    if method.habit == "lost":
        found = (1.0 if again else 0.5, (LOST, STOLEN, REVOKED))
    elif method.habit == "blocked":
        found = (0.4, (BLOCKED,))
    elif method.habit == "auth":
        found = (1.0 if again else 0.6, (AUTHENTICATE, AUTHENTICATE_CHARGED))
    elif expired(method, at):
        found = (1.0, (EXPIRED,))
    elif method.habit == "flaky":
        found = (0.5, (INSUFFICIENT, INSUFFICIENT, GENERIC, DO_NOT_HONOR))
    probability, declines = found
    return chance.pick(declines) if chance.happens(probability) else None
