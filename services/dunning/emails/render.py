"""Rendering: a letter becomes a subject, a text and an HTML page. Strict: a customer's name is data.

The words (`schemas/events/dunning_texts.py`, or the company's own) become plain text first and are only then put into
the layouts, and the HTML layout escapes all of it. An undefined name is an error, never an empty word.
"""

import re
from typing import Any

import msgspec
from babel import Locale
from babel.lists import format_list
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.events.decisions import DunningSender, WorkspaceSettings
from schemas.events.dunning_texts import CONSEQUENCES, USUAL_TEXTS, asked_for
from services.dunning.emails.locales import amount, day, locale_of
from services.dunning.letter import Letter, Line, company_name

DEFAULT_COLOR = "#3b5bdb"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_LAYOUTS = Environment(
    loader=PackageLoader("services.dunning.emails"),
    autoescape=select_autoescape(enabled_extensions=("html.j2",), default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Rendered(msgspec.Struct, frozen=True):
    """An email in words. `subject` is one line."""

    subject: str
    text: str
    html: str


def render(letter: Letter, *, unsubscribe_url: str | None = None) -> Rendered:
    """The email of a letter. `unsubscribe_url` is the customer's own, where there is a page for it."""
    locale = locale_of(letter.locales)
    written = (letter.text or USUAL_TEXTS[letter.variant, letter.tone]).written(_words(letter, locale))
    content = {
        **_dress(letter.company, color=letter.color, logo_url=letter.logo_url, address=letter.company_address),
        "subject": _one_line(written.subject),
        "preview": _one_line(written.preview),
        "greeting": f"Hello {_one_line(letter.name)}," if letter.name else "Hello,",
        "paragraphs": written.paragraphs,
        "button": _one_line(written.button),
        "row_button": "Confirm" if letter.variant == "confirm" else "Pay",
        "because": f"You receive this because a payment to {_one_line(letter.company)} is open.",
        "pay_url": letter.pay_url,
        "lines": [_line(line, letter, locale) for line in letter.lines],
        "totals": [amount(total, currency, locale) for currency, total in sorted(letter.totals.items())],
        "unsubscribe_url": unsubscribe_url,
        "sender_address": letter.sender.reply_to or letter.sender.address,
    }
    return _laid_out(content)


def render_test(sender: DunningSender, settings: WorkspaceSettings) -> Rendered:
    """The test email of a sender: it looks as the others do, and asks for nothing."""
    company = _one_line(company_name(settings, sender))
    content = {
        **_dress(company, color=settings.color, logo_url=settings.logo_url, address=settings.address),
        "subject": f"Test email from {company}",
        "preview": "Emails from this sender arrive.",
        "greeting": "Hello,",
        "paragraphs": [
            f"This is the test email that was asked for in DropFix. Emails about failed payments of {company} will come"
            f" from {sender.address}, and look like this one.",
            "It arrived: open Settings → Recovery in DropFix and say so. Until then no customer is emailed.",
            f"Replies go to {sender.reply_to or sender.address}.",
        ],
        "because": f"You receive this because somebody at {company} asked for a test.",
        "button": "",
        "row_button": "",
        "pay_url": None,
        "lines": [],
        "totals": [],
        "unsubscribe_url": None,
        "sender_address": sender.reply_to or sender.address,
    }
    return _laid_out(content)


def _dress(company: str, *, color: str | None, logo_url: str | None, address: str | None) -> dict[str, Any]:
    """How the company looks in every email."""
    shown = color if color and _COLOR.fullmatch(color) else DEFAULT_COLOR
    return {
        "company": _one_line(company),
        "company_address": address,
        "logo_url": logo_url if (logo_url or "").startswith("https://") else None,
        "color": shown,
        "ink": _ink_on(shown),
    }


def _laid_out(content: dict[str, Any]) -> Rendered:
    return Rendered(
        subject=content["subject"],
        text=_tidy(_LAYOUTS.get_template("layout.txt.j2").render(content)),
        html=_LAYOUTS.get_template("layout.html.j2").render(content),
    )


def _words(letter: Letter, locale: Locale) -> dict[str, str]:
    """What the placeholders of a text stand for."""
    total = format_list(
        [amount(sum_, currency, locale) for currency, sum_ in sorted(letter.totals.items())], locale="en"
    )
    return {
        "company": _one_line(letter.company),
        "total": total,
        "what": asked_for(letter.variant, total, invoices=len(letter.lines)),
        "next_attempt": day(letter.next_attempt_at, locale, letter.zone) if letter.next_attempt_at else "",
        "consequence": CONSEQUENCES[letter.standing],
    }


def _line(line: Line, letter: Letter, locale: Locale) -> dict[str, str | None]:
    since = day(line.since, locale, letter.zone)
    return {
        "name": f"Invoice {_one_line(line.number)}" if line.number else "Payment",
        "since": f"Due {since}" if letter.variant == "overdue" else since,
        "amount": amount(line.amount, line.currency, locale),
        "pay_url": line.pay_url,
    }


def _one_line(text: str) -> str:
    """Without line breaks and control characters: it may become a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _ink_on(color: str) -> str:
    """White or near-black, whichever is read better on the colour (WCAG's relative luminance)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.06 else "#16181d"
