"""In which time zone a customer is, by its country: what Unicode's CLDR says, as Babel carries it."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global

_USUAL = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "ID": "Asia/Jakarta",
    "KZ": "Asia/Almaty",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "US": "America/Chicago",
    "UZ": "Asia/Tashkent",
}
"""Countries with several zones: where most people are, or in the middle where they are spread."""


@cache
def zone_of_country(country: str) -> str | None:
    """The zone of an ISO 3166 country; None where it is unknown, or has several and none that is usual."""
    code = country.strip().upper()
    if code in _USUAL:
        return _USUAL[code]
    zones = get_global("territory_zones").get(code, ())
    return zones[0] if len(zones) == 1 and is_zone(zones[0]) else None


@cache
def is_zone(name: str) -> bool:
    """Whether the name is one of the time zone database."""
    return name in available_timezones()


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of that name, which must be one."""
    return ZoneInfo(name)
