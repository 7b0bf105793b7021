"""Whom the emails go to: the current address and name, the locales and the country."""

import re

import msgspec

from schemas.events.decisions import DunningRecorded
from services.dunning.decisions import Image
from services.dunning.facts import Facts

_ADDRESS = re.compile(r"[^@\s,;<>()\[\]\"\\]+@[^@\s,;<>()\[\]\"\\]+\.[^@\s,;<>()\[\]\"\\.]+")


class Contact(msgspec.Struct, frozen=True):
    """A customer or user as the emails know it; what is unknown is None."""

    email: str | None = None
    name: str | None = None
    locales: tuple[str, ...] = ()
    country: str | None = None


def contact_of(facts: Facts, image: Image, *, livemode: bool) -> Contact:
    """The customer as last seen; until it was seen, what its newest invoice says; of a user what was recorded last in
    that mode."""
    if facts.customer is not None and not facts.customer.empty:
        known = facts.customer
        return Contact(_address(known.email), known.name, known.locales, known.country)
    if facts.invoices:
        newest = max(facts.invoices.values(), key=lambda invoice: (invoice.latest.seen.at, invoice.id))
        return Contact(_address(newest.latest.email))
    of_mode = [detail for _, detail in image.each(DunningRecorded) if detail.livemode is livemode]
    if not of_mode:
        return Contact()
    recorded = of_mode[-1]
    locales = (recorded.locale,) if recorded.locale else ()
    return Contact(_address(recorded.email), recorded.name, locales, recorded.country)


def _address(text: str | None) -> str | None:
    """One address and nothing else: it becomes the recipient of an SMTP conversation."""
    return text if text and _ADDRESS.fullmatch(text) else None
