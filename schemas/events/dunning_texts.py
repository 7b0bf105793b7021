"""The words of dunning's emails: which emails there are, what a company may write in them, and the usual words.

A text is plain. `{total}` and the like stand for what is true of a customer when the email goes; everything else is
taken as it is written, and escaped where it is shown. A paragraph of which a placeholder has nothing to say is left
out. The greeting, the list of invoices, the link to pay and the foot are the same in every email and no part of it.
Nothing here says why a bank declined.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Variant = Literal["confirm", "update", "funds", "retry", "overdue", "recorded"]
"""What an email asks for: to confirm, another card, a payment, that an invoice be paid; `recorded`: by hand."""
Tone = Literal["first", "reminder", "final"]

Standing = Literal["active", "unpaid", "canceled"]
"""What is true of the subscription when an email goes."""

PLACEHOLDERS: Mapping[str, str] = {
    "company": "your company",
    "total": "what is unpaid, by currency",
    "what": "what is asked for: a payment of an amount, or how many invoices of which sum",
    "next_attempt": "the day on which Stripe tries again; without one the paragraph is left out",
    "consequence": "what is true of the subscription then, as a sentence: that it will end, is on hold, or has ended",
}
"""What may stand in braces in the paragraphs."""
_IN_A_LINE = frozenset({"company", "total", "what"})
"""What may stand in braces in the subject, the preview and on the button: what there always is, in a few words."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


CONSEQUENCES: Mapping[Standing, str] = {
    "active": "Without a payment we will not be able to keep your subscription going.",
    "unpaid": "Your subscription is on hold until this is settled.",
    "canceled": "Your subscription has ended, and this is still open.",
}
"""The sentence that `{consequence}` stands for: the last email must not threaten what has already happened."""


def asked_for(variant: Variant, total: str, *, invoices: int) -> str:
    """What `{what}` stands for; `total` is written out."""
    if invoices > 1:
        return f"{invoices} invoices ({total} in all)"
    return f"your invoice of {total}" if variant == "overdue" else f"a payment of {total}"


class EmailText(BaseModel):
    """The words of one email. `body` holds paragraphs with an empty line between two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(min_length=1, max_length=200)
    preview: str = Field(default="", max_length=200, description="What mail programs show beside the subject.")
    body: str = Field(min_length=1, max_length=5000)
    button: str = Field(min_length=1, max_length=60)

    @field_validator("subject", "preview", "button")
    @classmethod
    def _is_a_line(cls, value: str) -> str:
        if any(not char.isprintable() for char in value):
            raise ValueError("it is one line")
        return _with_known(value, _IN_A_LINE)

    @field_validator("body")
    @classmethod
    def _has_known_placeholders(cls, value: str) -> str:
        return _with_known(value, PLACEHOLDERS.keys())

    def paragraphs(self) -> Iterator[str]:
        """The paragraphs, each on one line."""
        for paragraph in re.split(r"\n\s*\n", self.body.replace("\r\n", "\n")):
            if text := " ".join(paragraph.split()):
                yield text

    def written(self, words: Mapping[str, str]) -> "Written":
        """The text with these words in the place of its placeholders. They are data: braces in them mean nothing."""
        return Written(
            subject=_filled(self.subject, words),
            preview=_filled(self.preview, words),
            paragraphs=tuple(_filled(each, words) for each in self.paragraphs() if _has_all(each, words)),
            button=_filled(self.button, words),
        )


class Written(BaseModel):
    """The words of an email as somebody reads them."""

    model_config = ConfigDict(frozen=True)

    subject: str
    preview: str
    paragraphs: tuple[str, ...]
    button: str


def _with_known(text: str, known: Collection[str]) -> str:
    """The text, if it has no other placeholders and no brace that belongs to none; raises ValueError."""
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in known]
    listed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS if name in known)
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} stands for nothing here; there are {listed}")
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        raise ValueError(f"a brace is for a placeholder alone: {listed}")
    return text


def _filled(text: str, words: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: words[found[1]], text)


def _has_all(text: str, words: Mapping[str, str]) -> bool:
    return all(words[name] for name in _PLACEHOLDER.findall(text))


_REPLY = "If something is not right, just reply to this email. A person will read it."
_LAST = "This is the last reminder we will send about it. " + _REPLY


def _text(subject: str, preview: str, *paragraphs: str, button: str) -> EmailText:
    return EmailText(subject=subject, preview=preview, body="\n\n".join(paragraphs), button=button)


_RETRY: Mapping[Tone, EmailText] = {
    "first": _text(
        "Your payment to {company} did not go through",
        "{total} could not be collected. It takes a minute to put right.",
        "We tried to collect {what} for {company}, and it did not go through. That happens, and is usually quick to put"
        " right: you can pay below, with the same card or another one.",
        "We will try again on {next_attempt}; there is nothing to do if it goes through.",
        _REPLY,
        button="Pay {total}",
    ),
    "reminder": _text(
        "Still unpaid: {total} to {company}",
        "A reminder that your last payment is still open.",
        "This is a reminder that {what} for {company} could not be collected so far.",
        "We will try again on {next_attempt}; there is nothing to do if it goes through.",
        _REPLY,
        button="Pay {total}",
    ),
    "final": _text(
        "Last reminder: {total} to {company}",
        "Please settle it to keep your subscription.",
        "We have not been able to collect {what} for {company}. {consequence}",
        _LAST,
        button="Pay {total}",
    ),
}
_FUNDS: Mapping[Tone, EmailText] = {
    **_RETRY,
    "first": _text(
        "Your payment to {company} did not go through",
        "{total} could not be collected this time.",
        "We tried to collect {what} for {company}, and your bank did not let it through this time.",
        "You can settle it below, with the same card or another one.",
        "We will also try again on {next_attempt}; there is nothing to do if it goes through then.",
        _REPLY,
        button="Pay {total}",
    ),
}
_UPDATE: Mapping[Tone, EmailText] = {
    "first": _text(
        "Please update your card for {company}",
        "Your card was declined. Another one takes a minute to add.",
        "We tried to collect {what} for {company}, and your card was declined. Trying the same card again is not likely"
        " to work: please pay with another one, or update its details.",
        _REPLY,
        button="Update card and pay",
    ),
    "reminder": _text(
        "Your card for {company} still needs an update",
        "Your payment of {total} is still open.",
        "A reminder: your card was declined, so {what} for {company} could not be collected. Please pay with another"
        " card, or update its details.",
        _REPLY,
        button="Update card and pay",
    ),
    "final": _text(
        "Last reminder: update your card for {company}",
        "Please settle {total} to keep your subscription.",
        "Your card was declined, and {what} for {company} could not be collected since. {consequence}",
        _LAST,
        button="Update card and pay",
    ),
}
_CONFIRM: Mapping[Tone, EmailText] = {
    "first": _text(
        "Please confirm your payment to {company}",
        "Your bank wants to know that it is you.",
        "Your bank asks you to confirm {what} for {company}. It takes a moment: open the page below, and your bank will"
        " guide you through it.",
        "Nothing is charged before you confirm.",
        _REPLY,
        button="Confirm payment",
    ),
    "reminder": _text(
        "Your payment to {company} waits for you to confirm it",
        "Your bank still needs your confirmation.",
        "A reminder: your bank still waits for you to confirm {what} for {company}.",
        _REPLY,
        button="Confirm payment",
    ),
    "final": _text(
        "Last reminder: confirm your payment to {company}",
        "Please confirm {total} to keep your subscription.",
        "Your bank still waits for you to confirm {what} for {company}. {consequence}",
        _LAST,
        button="Confirm payment",
    ),
}
_OVERDUE: Mapping[Tone, EmailText] = {
    "first": _text(
        "Overdue: {total} to {company}",
        "{total} was due. Perhaps it slipped through.",
        "Perhaps it slipped through: the due date of {what} from {company} has passed.",
        "If you have paid already, thank you, and please ignore this email. " + _REPLY,
        button="View and pay",
    ),
    "reminder": _text(
        "Reminder: {total} to {company} is overdue",
        "Your payment has not arrived yet.",
        "A reminder that we have not received the payment for {what} from {company} yet.",
        "If a payment is on its way, please ignore this email. " + _REPLY,
        button="View and pay",
    ),
    "final": _text(
        "Last reminder: {total} to {company} is overdue",
        "Please settle it to keep your subscription.",
        "We have not received a payment for {what} from {company}. {consequence}",
        _LAST,
        button="View and pay",
    ),
}
_RECORDED: Mapping[Tone, EmailText] = {
    "first": _text(
        "Your payment to {company} is open",
        "{total} could not be collected.",
        "We have not received {what} for {company}.",
        _REPLY,
        button="Pay {total}",
    ),
    "reminder": _text(
        "Reminder: your payment to {company} is open",
        "{total} is still open.",
        "A reminder that we have not received {what} for {company} yet.",
        _REPLY,
        button="Pay {total}",
    ),
    "final": _text(
        "Last reminder: {total} to {company}",
        "Please settle it to keep your subscription.",
        "We have not received {what} for {company}. {consequence}",
        _LAST,
        button="Pay {total}",
    ),
}

_USUAL: Mapping[Variant, Mapping[Tone, EmailText]] = {
    "retry": _RETRY,
    "funds": _FUNDS,
    "update": _UPDATE,
    "confirm": _CONFIRM,
    "overdue": _OVERDUE,
    "recorded": _RECORDED,
}
USUAL_TEXTS: Mapping[tuple[Variant, Tone], EmailText] = {
    (variant, tone): text for variant, texts in _USUAL.items() for tone, text in texts.items()
}
"""Every email there is, in the words that hold where a company wrote none of its own."""
