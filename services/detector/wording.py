"""How signals speak: dates, amounts and reasons as a founder reads them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.money import format_amount

_REASONS = {
    "insufficient_funds": "insufficient funds",
    "expired_card": "the card has expired",
    "incorrect_number": "the card number is wrong",
    "incorrect_cvc": "the card's security code is wrong",
    "lost_card": "the card was reported lost",
    "stolen_card": "the card was reported stolen",
    "pickup_card": "the bank wants the card back",
    "fraudulent": "the bank suspects fraud",
    "highest_risk_level": "it was blocked as high risk",
    "transaction_not_allowed": "the card does not allow it",
    "revocation_of_authorization": "the customer revoked the authorization",
    "revocation_of_all_authorizations": "the customer revoked all authorizations",
    "authentication_required": "the customer has to confirm it with the bank",
    "no_payment_method": "there is no payment method",
    "payment_intent_payment_attempt_failed": "there is no usable payment method",
    "do_not_honor": "the bank declined it without a reason",
    "generic_decline": "the bank declined it without a reason",
    "card_declined": "the card was declined",
    "processing_error": "an error while it was processed",
    "try_again_later": "the bank asks to try again later",
    "debit_not_authorized": "the customer's bank did not authorize the debit",
    "account_closed": "the bank account is closed",
}


def reason_text(code: str | None) -> str:
    """A decline code as a clause; one that is not known is shown as it is."""
    if code is None:
        return "no charge could be made"
    return _REASONS.get(code, code.replace("_", " "))


def day(seconds: int) -> str:
    """`3 November 2026`, in UTC."""
    instant = datetime.fromtimestamp(seconds, UTC)
    return f"{instant.day} {instant:%B %Y}"


def moment(seconds: int | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def amounts_text(amounts: Iterable[tuple[int, str]]) -> str:
    """Totals by currency, never added across: `$98.00 and €20.00`."""
    totals: dict[str, int] = {}
    for minor, currency in amounts:
        totals[currency] = totals.get(currency, 0) + minor
    return join_words(format_amount(minor, currency) for currency, minor in sorted(totals.items()))


def join_words(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"
