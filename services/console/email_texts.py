"""The words of emails as people edit them: what each email is for, and how a text reads about a made-up customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError

from schemas.events.dunning_texts import CONSEQUENCES, USUAL_TEXTS, EmailText, Tone, Variant, Written, asked_for
from schemas.faults import faults_of
from services.console.errors import Refused

VARIANTS: Mapping[Variant, tuple[str, str]] = {
    "retry": ("Payment failed", "The bank declined without a reason that says what would help."),
    "funds": ("Not enough money", "The card had no money left, or was used too often: it may work later."),
    "update": ("Another card is needed", "The card has expired or was refused for good. The reason is never told."),
    "confirm": ("To be confirmed", "The bank wants the customer to confirm the payment."),
    "overdue": (
        "Invoice overdue",
        "An invoice that you sent was not paid in time. Nothing is charged, so there is no card.",
    ),
    "recorded": ("Recorded by hand", "A failed payment outside Stripe that you recorded."),
}
"""By variant: its name, and whom it goes to."""
TONES: Mapping[Tone, str] = {"first": "First email", "reminder": "Reminder", "final": "Last email"}


@dataclass(frozen=True, slots=True)
class EmailWords:
    """One email: the words that hold, and whether they are the company's own."""

    variant: Variant
    tone: Tone
    text: EmailText
    own: bool

    @property
    def name(self) -> str:
        return VARIANTS[self.variant][0]

    @property
    def purpose(self) -> str:
        return VARIANTS[self.variant][1]

    @property
    def label(self) -> str:
        """Which of the emails of a variant it is."""
        return TONES[self.tone]


def words_of(own: Mapping[tuple[Variant, Tone], EmailText], variant: Variant, tone: Tone) -> EmailWords:
    """An email with the company's own words, else the usual ones."""
    given = own.get((variant, tone))
    return EmailWords(variant, tone, given or USUAL_TEXTS[variant, tone], own=given is not None)


def read_text(fields: Mapping[str, str]) -> EmailText:
    """The words that were typed; raises Refused with what is wrong with them."""
    typed = {name: fields.get(name, "").strip() for name in EmailText.model_fields}
    try:
        return EmailText.model_validate({**typed, "body": typed["body"].replace("\r\n", "\n")})
    except ValidationError as error:
        told = faults_of(error)
        raise Refused("bad_text", f"{told[:1].upper()}{told[1:]}.", "", HTTPStatus.UNPROCESSABLE_ENTITY) from None


def preview_of(text: EmailText, variant: Variant, *, company: str) -> Written:
    """How a text reads to a customer who owes $49.00 on one invoice."""
    return text.written(
        {
            "company": company,
            "total": "$49.00",
            "what": asked_for(variant, "$49.00", invoices=1),
            "next_attempt": "March 8, 2026",
            "consequence": CONSEQUENCES["active"],
        }
    )
