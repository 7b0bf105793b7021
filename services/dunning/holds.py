"""Why an open episode is held: what must be looked at, or changed, before another email goes."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.events.decisions import DunningSuppress
from schemas.events.dunning import HOLDS
from services.dunning.cases import Case
from services.dunning.decisions import Image
from services.dunning.facts import Facts, Mail


def hold_reason(
    facts: Facts,
    image: Image,
    *,
    email: str | None,
    cases: Sequence[Case],
    below_threshold: bool,
    stop_when_canceling: bool,
    mails: Iterable[Mail],
    unknown: Mail | None,
) -> str | None:
    """One of the contract's HOLDS, the one that a person has to know of first; None where nothing holds the episode.

    `email` is whom it would go to.
    """
    released_at = max((ruling.at for ruling in image.acts("dunning.release")), default=None)
    reasons = (
        ("sending_off", image.mode == "off"),
        ("held", _is_held(image)),
        ("needs_review", unknown is not None),
        ("disputed", any(dispute.open for dispute in facts.disputes.values())),
        ("no_address", email is None),
        (_suppressed(image, email) or "", True),
        ("refused", _was_refused(mails, email, released_at)),
        ("canceling", stop_when_canceling and any(case.canceling for case in cases)),
        ("below_threshold", below_threshold),
    )
    return next((reason for reason, holds in reasons if holds and reason), None)


def _is_held(image: Image) -> bool:
    acts = [ruling.kind for ruling in image.acts("dunning.hold", "dunning.release")]
    return bool(acts) and acts[-1] == "dunning.hold"


def _suppressed(image: Image, email: str | None) -> str | None:
    """Why the customer or its address is not to be mailed, by the last decision about each. One that names both a
    customer and an address is about the customer."""
    address = (email or "").strip().lower()
    by_whom: dict[str, DunningSuppress] = {}
    for ruling, suppression in image.each(DunningSuppress):
        whom = ruling.subject or (suppression.email or "").strip().lower()
        if ruling.subject is not None or whom == address:
            by_whom[whom] = suppression
    for suppression in by_whom.values():
        if not suppression.lifted:
            return suppression.reason if suppression.reason in HOLDS else "suppressed"
    return None


def _was_refused(mails: Iterable[Mail], email: str | None, released_at: datetime | None) -> bool:
    """Whether the last email was refused for good, and neither the address changed nor a person said to go on."""
    last = max(mails, key=lambda mail: mail.at, default=None)
    if last is None or last.state != "failed" or last.recipient != email:
        return False
    return released_at is None or released_at < last.at
