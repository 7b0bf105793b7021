"""Amounts as Stripe counts them: whole minor units, whose decimals depend on the currency.

The lists are Stripe's *zero-decimal* and *three-decimal* currencies, which are not ISO 4217's in every case (the
Ugandan shilling and the Icelandic króna are charged with two decimals).
"""

from decimal import Decimal

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
