"""Amounts as Stripe counts them: whole minor units, whose decimals depend on the currency.

The lists are Stripe's *zero-decimal* and *three-decimal* currencies, which are not ISO 4217's in every case (the
Ugandan shilling and the Icelandic króna are charged with two decimals).
"""

from decimal import Decimal, InvalidOperation

from schemas.currencies import is_currency

_NO = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
NO_DECIMALS = frozenset(_NO.split())
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})

_SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "inr": "₹", "krw": "₩"}


def exponent(currency: str) -> int:
    """Digits behind the point: 2 for usd, 0 for jpy, 3 for kwd. `currency` in lower case."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def major_units(minor: int, currency: str) -> Decimal:
    """1234 usd is Decimal("12.34"), 1234 jpy is Decimal("1234"). Exact."""
    return Decimal(minor).scaleb(-exponent(currency))


def format_amount(minor: int, currency: str) -> str:
    """For an English sentence: `$1,234.50`, `¥500`, `12.500 KWD` (a currency without a sign of its own)."""
    number = f"{abs(major_units(minor, currency)):,.{exponent(currency)}f}"
    minus = "-" if minor < 0 else ""
    sign = _SIGNS.get(currency)
    return f"{minus}{sign}{number}" if sign else f"{minus}{number} {currency.upper()}"


def minor_units(text: str, currency: str) -> int:
    """`49.00` usd is 4900, `500` jpy is 500. `currency` in lower case. Raises ValueError with a sentence where there is
    no such currency, the text is no amount, or has more decimals than the currency, or is below 0."""
    if not is_currency(currency):
        raise ValueError(f"{currency!r} is no currency that Stripe knows; one is usd")
    try:
        minor = Decimal(text.strip()).scaleb(exponent(currency))
    except InvalidOperation:
        minor = Decimal("NaN")
    if not minor.is_finite():
        raise ValueError(f"{text!r} is no amount; one is 49.00")
    if minor < 0 or minor != minor.to_integral_value():
        raise ValueError(f"an amount of {currency} has {exponent(currency)} decimals at most, and is not below 0")
    return int(minor)
