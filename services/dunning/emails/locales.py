"""Amounts and dates as the customer's locale writes them."""

import re
from collections.abc import Iterable
from datetime import datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from schemas.money import exponent, major_units
from services.dunning.zones import zone

DEFAULT = "en"
_TOUCHING = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
"""Where a currency that is written as its code touches the number: CLDR wants a space there."""


def locale_of(tags: Iterable[str]) -> Locale:
    """The first of the locales (`de-DE`, `pt_BR`) that is known; English where none is."""
    for tag in tags:
        try:
            return Locale.parse(tag.strip().replace("_", "-"), sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale.parse(DEFAULT)


def amount(minor: int, currency: str, locale: Locale) -> str:
    """An amount in minor units, with as many decimals as Stripe's currency has."""
    digits, number = exponent(currency), major_units(minor, currency)
    pattern = locale.currency_formats["standard"]
    written = str(
        pattern.apply(number, locale, currency=currency.upper(), currency_digits=False, force_frac=(digits, digits))
    )
    return _TOUCHING.sub("\N{NO-BREAK SPACE}", written)


def day(instant: datetime, locale: Locale, zone_name: str) -> str:
    """The date of an instant in the customer's zone."""
    return format_date(instant.astimezone(zone(zone_name)).date(), format="long", locale=locale)
