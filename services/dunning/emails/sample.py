"""A made-up customer, about whom an email is written that somebody wants to see."""

from datetime import datetime, timedelta

from schemas.events.decisions import DunningSender
from schemas.events.dunning_texts import Tone, Variant
from services.dunning.decisions import Image
from services.dunning.letter import NOBODY, Letter, Line, company_name

PAY_URL = "https://example.com/"
"""Where its button leads: to nothing that can be paid."""


def sample_letter(image: Image, variant: Variant, tone: Tone, *, to: str, now: datetime) -> Letter:
    """The email, as it would go to somebody who owes $49.00 since three days, in the workspace's dress and words."""
    settings, sender = image.settings, image.last(DunningSender) or NOBODY
    return Letter(
        variant=variant,
        tone=tone,
        standing="active",
        company=company_name(settings, sender),
        color=settings.color,
        logo_url=settings.logo_url,
        company_address=settings.address,
        sender=sender,
        recipient=to,
        name="Ada Example",
        locales=(settings.locale,) if settings.locale else (),
        zone=image.policy.timezone,
        lines=(Line("A-0017", 4900, "usd", now - timedelta(days=3), PAY_URL),),
        totals={"usd": 4900},
        pay_url=PAY_URL,
        next_attempt_at=now + timedelta(days=2),
        text=image.text(variant, tone),
    )
